"""Refusals arrive as the classes that programs on ccxt branch on."""

import unittest

import ccxt

from local_exchange import BTC, ETH, away, connect, small_amount, with_futures_errors


class Errors(unittest.TestCase):
    """Each error as it comes (`shared`, the table of all Binance markets) and with the futures table (`futures`)."""

    @classmethod
    def setUpClass(cls):
        cls.plain = connect(ccxt.binanceusdm, "errors")
        cls.patched = with_futures_errors(connect(ccxt.binanceusdm, "errors"))
        for client in (cls.plain, cls.patched):
            client.load_markets()

    def setUp(self):
        book = self.plain.fetch_order_book(BTC, 5)
        self.bid, self.ask = book["bids"][0][0], book["asks"][0][0]
        self.amount = small_amount(self.plain, BTC, self.bid)

    def tearDown(self):
        # No refused order may have been kept.
        self.plain.cancel_all_orders(BTC)
        self.assertEqual(self.plain.fetch_positions([BTC, ETH]), [])

    def check(self, code, shared, futures, call):
        for client, expected in ((self.plain, shared), (self.patched, futures)):
            with self.assertRaises(ccxt.BaseError) as caught:
                call(client)
            self.assertIs(type(caught.exception), expected, str(caught.exception))
            if code is not None:
                self.assertIn(f'"code":{code},', str(caught.exception).replace(" ", ""))

    def check_new_client(self, code, expected, connect_other):
        for patch in (lambda client: client, with_futures_errors):
            client = patch(connect_other())
            with self.assertRaises(ccxt.BaseError) as caught:
                client.fetch_balance()
            self.assertIs(type(caught.exception), expected, str(caught.exception))
            self.assertIn(f'"code":{code},', str(caught.exception).replace(" ", ""))

    def test_not_enough_margin(self):
        plain, patched = connect(ccxt.binanceusdm, "poor"), with_futures_errors(connect(ccxt.binanceusdm, "poor"))
        for client, expected in ((plain, ccxt.ExchangeError), (patched, ccxt.InsufficientFunds)):
            client.load_markets()
            with self.assertRaises(ccxt.BaseError) as caught:
                client.create_order(BTC, "limit", "buy", 1, away(client, BTC, self.bid, -0.01))
            self.assertIs(type(caught.exception), expected, str(caught.exception))
            self.assertIn("-2019", str(caught.exception))
            self.assertEqual(client.fetch_open_orders(BTC), [])

    def test_unknown_orders(self):
        self.check(-2011, ccxt.OrderNotFound, ccxt.OrderNotFound, lambda client: client.cancel_order("999999999999", BTC))
        self.check(-2013, ccxt.OrderNotFound, ccxt.OrderNotFound, lambda client: client.fetch_order("999999999999", BTC))

    def test_cancelling_twice(self):
        order = self.plain.create_order(BTC, "limit", "buy", self.amount, away(self.plain, BTC, self.bid, -0.03))
        self.plain.cancel_order(order["id"], BTC)
        self.check(-2011, ccxt.OrderNotFound, ccxt.OrderNotFound, lambda client: client.cancel_order(order["id"], BTC))

    def test_post_only_order_that_would_trade(self):
        price = away(self.plain, BTC, self.ask, 0.01)
        cross = lambda client: client.create_order(BTC, "limit", "buy", self.amount, price, {"postOnly": True})
        self.check(-5022, ccxt.InvalidOrder, ccxt.OrderNotFillable, cross)
        self.assertEqual(self.plain.fetch_open_orders(BTC), [])

    def test_fill_or_kill_order_that_cannot_fill(self):
        price = away(self.plain, BTC, self.bid, -0.03)
        kill = lambda client: client.create_order(BTC, "limit", "buy", self.amount, price, {"timeInForce": "FOK"})
        self.check(-5021, ccxt.InvalidOrder, ccxt.OrderNotFillable, kill)

    def test_order_below_the_least_notional(self):
        market = self.plain.market(ETH)
        least, price = market["limits"]["amount"]["min"], self.plain.fetch_ticker(ETH)["last"]
        self.assertLess(least * price, market["limits"]["cost"]["min"], "the smallest amount is too large for this test")
        small = lambda client: client.create_order(ETH, "limit", "buy", least, away(client, ETH, price, -0.01))
        self.check(-4164, ccxt.ExchangeError, ccxt.InvalidOrder, small)

    def test_client_id_that_is_taken(self):
        place = lambda client: client.create_order(
            BTC, "limit", "buy", self.amount, away(client, BTC, self.bid, -0.03), {"clientOrderId": "taken-1"}
        )
        place(self.plain)
        self.check(-4116, ccxt.ExchangeError, ccxt.InvalidOrder, place)
        self.assertEqual(len(self.plain.fetch_open_orders(BTC)), 1)

    def test_reduce_only_order_with_nothing_to_reduce(self):
        reduce = lambda client: client.create_order(BTC, "market", "sell", self.amount, None, {"reduceOnly": True})
        self.check(-2022, ccxt.ExchangeError, ccxt.InvalidOrder, reduce)

    def test_symbol_that_ccxt_does_not_know(self):
        self.check(None, ccxt.BadSymbol, ccxt.BadSymbol, lambda client: client.fetch_order_book("NOPE/USDT:USDT"))

    def test_symbol_that_the_exchange_does_not_know(self):
        self.check(-1121, ccxt.BadSymbol, ccxt.BadSymbol, lambda client: client.fapiPublicGetDepth({"symbol": "NOPEUSDT"}))

    def test_price_with_too_many_digits(self):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": str(self.amount)}
        order["price"] = f"{self.bid - 100:.0f}.123456789"
        self.check(-1111, ccxt.BadRequest, ccxt.BadRequest, lambda client: client.fapiPrivatePostOrder(order))

    def test_price_off_tick(self):
        tick = self.plain.market(BTC)["precision"]["price"]
        if tick <= 0.01:
            price = f"{self.bid - 100:.2f}5"
        else:
            price = f"{self.bid - 100:.0f}.01"
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": str(self.amount), "price": price}
        # Too many digits for the symbol's precision, or on them but off tick: ccxt has one class for both.
        self.check(None, ccxt.BadRequest, ccxt.BadRequest, lambda client: client.fapiPrivatePostOrder(order))

    def test_order_without_its_parameters(self):
        self.check(-1102, ccxt.BadRequest, ccxt.BadRequest, lambda client: client.fapiPrivatePostOrder({"symbol": "BTCUSDT"}))

    def test_order_of_an_unknown_type(self):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": str(self.amount), "price": str(self.bid)}
        self.check(-1116, ccxt.BadRequest, ccxt.BadRequest, lambda client: client.fapiPrivatePostOrder(order))

    def test_leverage_out_of_range(self):
        wrong = {"symbol": "BTCUSDT", "leverage": 126}
        self.check(-4028, ccxt.BadRequest, ccxt.BadRequest, lambda client: client.fapiPrivatePostLeverage(wrong))

    def test_unknown_key(self):
        self.check_new_client(-2015, ccxt.AuthenticationError, lambda: connect(ccxt.binanceusdm, "nobody"))

    def test_wrong_secret(self):
        self.check_new_client(-1022, ccxt.AuthenticationError, lambda: connect(ccxt.binanceusdm, "errors", "wrong"))

    def test_clock_that_is_late_or_early(self):
        for behind_ms in (60_000, -60_000):

            def wrong_clock():
                client = connect(ccxt.binanceusdm, "errors")
                client.options["timeDifference"] = behind_ms
                return client

            self.check_new_client(-1021, ccxt.InvalidNonce, wrong_clock)
