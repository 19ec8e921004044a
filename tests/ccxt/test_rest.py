"""The ordinary workflow over REST: markets, account, orders, fills."""

import decimal
import time
import unittest

import ccxt

from local_exchange import BTC, ETH, away, connect, small_amount


class Market(unittest.TestCase):
    """What needs no key."""

    @classmethod
    def setUpClass(cls):
        cls.client = connect(ccxt.binanceusdm)
        cls.client.load_markets()

    def test_markets_carry_their_rules(self):
        for symbol in (BTC, ETH):
            market = self.client.market(symbol)
            self.assertTrue(market["swap"] and market["linear"] and market["active"], market)
            self.assertEqual(market["settle"], "USDT")
            self.assertGreater(market["precision"]["price"], 0)
            self.assertGreater(market["precision"]["amount"], 0)
            self.assertGreater(market["limits"]["amount"]["min"], 0)
            self.assertGreater(market["limits"]["cost"]["min"], 0)

    def test_clock_is_near_ours(self):
        self.assertLess(abs(self.client.fetch_time() - time.time() * 1000), 5_000)

    def test_book_is_ordered_and_not_crossed(self):
        book = self.client.fetch_order_book(BTC, 100)
        bids, asks = [price for price, _ in book["bids"]], [price for price, _ in book["asks"]]
        self.assertGreater(len(bids), 5)
        self.assertGreater(len(asks), 5)
        self.assertEqual(bids, sorted(set(bids), reverse=True))
        self.assertEqual(asks, sorted(set(asks)))
        self.assertLess(bids[0], asks[0])
        self.assertTrue(all(size > 0 for _, size in book["bids"] + book["asks"]))

    def test_candles_follow_each_other_and_hold_together(self):
        candles = self.client.fetch_ohlcv(BTC, "1m", limit=50)
        self.assertGreater(len(candles), 0)
        for before, after in zip(candles, candles[1:]):
            self.assertEqual(after[0] - before[0], 60_000)
        for _, opened, high, low, closed, volume in candles:
            self.assertLessEqual(low, min(opened, closed))
            self.assertGreaterEqual(high, max(opened, closed))
            self.assertGreaterEqual(volume, 0)

    def test_trades_carry_rising_ids(self):
        trades = wait_for(lambda: self.client.fetch_trades(BTC, limit=50), bool)
        ids = [int(trade["id"]) for trade in trades]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertTrue(all(trade["price"] > 0 and trade["amount"] > 0 for trade in trades))

    def test_tickers_agree_with_the_book(self):
        ticker = self.client.fetch_ticker(BTC)
        best = self.client.fetch_bids_asks([BTC, ETH])
        self.assertLess(abs(best[BTC]["bid"] / ticker["last"] - 1), 0.02)
        self.assertLess(best[ETH]["bid"], best[ETH]["ask"])

    def test_funding_rate_names_its_next_time(self):
        rate = self.client.fetch_funding_rate(BTC)
        self.assertGreater(rate["markPrice"], 0)
        self.assertGreater(rate["fundingTimestamp"], time.time() * 1000)


class Orders(unittest.TestCase):
    """Orders that rest and are cancelled."""

    @classmethod
    def setUpClass(cls):
        cls.client = connect(ccxt.binanceusdm, "orders")
        cls.client.load_markets()

    def setUp(self):
        book = self.client.fetch_order_book(BTC, 5)
        self.bid, self.ask = book["bids"][0][0], book["asks"][0][0]
        self.amount = small_amount(self.client, BTC, self.bid)

    def tearDown(self):
        self.client.cancel_all_orders(BTC)
        self.assertEqual(self.client.fetch_open_orders(BTC), [])

    def open_ids(self):
        return [order["id"] for order in self.client.fetch_open_orders(BTC)]

    def test_balance_is_what_the_account_was_given(self):
        self.assertEqual(self.client.fetch_balance()["USDT"]["total"], 100_000)

    def test_leverage_is_set_and_shown(self):
        for leverage in (7, 20):
            self.assertEqual(int(self.client.set_leverage(leverage, BTC)["leverage"]), leverage)
            self.assertEqual(self.client.fetch_leverage(BTC)["longLeverage"], leverage)

    def test_margin_mode_is_set_and_setting_it_again_is_said(self):
        self.assertEqual(int(self.client.set_margin_mode("isolated", ETH)["code"]), 200)
        self.assertEqual(int(self.client.set_margin_mode("cross", ETH)["code"]), 200)
        with self.assertRaises(ccxt.MarginModeAlreadySet):
            self.client.set_margin_mode("cross", ETH)

    def test_limit_order_rests_until_it_is_cancelled(self):
        price = away(self.client, BTC, self.bid, -0.03)
        order = self.client.create_order(BTC, "limit", "buy", self.amount, price, {"clientOrderId": "rests-1"})
        self.assertEqual((order["status"], order["filled"], order["clientOrderId"]), ("open", 0, "rests-1"))
        self.assertEqual(self.open_ids(), [order["id"]])
        found = self.client.fetch_order(order["id"], BTC)
        self.assertEqual((found["price"], found["amount"], found["side"]), (price, self.amount, "buy"))
        used = self.client.fetch_balance()["USDT"]["used"]
        self.assertGreater(used, 0)
        self.assertEqual(self.client.cancel_order(order["id"], BTC)["status"], "canceled")
        self.assertEqual(self.open_ids(), [])
        self.assertEqual(self.client.fetch_order(order["id"], BTC)["status"], "canceled")
        self.assertEqual(self.client.fetch_balance()["USDT"]["used"], 0)

    def test_cancel_by_client_id(self):
        price = away(self.client, BTC, self.ask, 0.03)
        order = self.client.create_order(BTC, "limit", "sell", self.amount, price, {"clientOrderId": "by-client-1"})
        cancelled = self.client.cancel_order(None, BTC, {"origClientOrderId": "by-client-1"})
        self.assertEqual((cancelled["id"], cancelled["status"]), (order["id"], "canceled"))

    def test_post_only_order_rests(self):
        price = away(self.client, BTC, self.bid, -0.01)
        order = self.client.create_order(BTC, "limit", "buy", self.amount, price, {"postOnly": True})
        self.assertEqual((order["status"], order["postOnly"], order["info"]["timeInForce"]), ("open", True, "GTX"))
        self.assertEqual(self.open_ids(), [order["id"]])

    def test_several_orders_go_and_are_cancelled_in_one_call(self):
        wanted = [
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": self.amount, "price": away(self.client, BTC, self.bid, part)}
            for part in (-0.01, -0.02, -0.03)
        ]
        orders = self.client.create_orders(wanted)
        self.assertEqual([order["status"] for order in orders], ["open"] * 3)
        ids = [order["id"] for order in orders]
        self.client.cancel_orders(ids[:2], BTC)
        self.assertEqual(self.open_ids(), ids[2:])

    def test_an_order_is_moved_to_another_price(self):
        order = self.client.create_order(BTC, "limit", "buy", self.amount, away(self.client, BTC, self.bid, -0.03))
        price = away(self.client, BTC, self.bid, -0.02)
        moved = self.client.edit_order(order["id"], BTC, "limit", "buy", self.amount, price)
        self.assertEqual((moved["id"], moved["price"], moved["status"]), (order["id"], price, "open"))
        self.assertEqual(self.client.fetch_order(order["id"], BTC)["price"], price)


class Fills(unittest.TestCase):
    """Orders that trade, and what they cost."""

    @classmethod
    def setUpClass(cls):
        cls.client = connect(ccxt.binanceusdm, "fills")
        cls.client.load_markets()

    def wallet(self):
        assets = self.client.fapiPrivateV3GetAccount()["assets"]
        return next(decimal.Decimal(asset["walletBalance"]) for asset in assets if asset["asset"] == "USDT")

    def contracts(self):
        held = [position for position in self.client.fetch_positions([BTC]) if position["contracts"]]
        return {position["side"]: position["contracts"] for position in held}

    def test_position_fills_and_wallet_agree_to_the_last_unit(self):
        before = self.wallet()
        price = self.client.fetch_ticker(BTC)["last"]
        amount = small_amount(self.client, BTC, price)
        opened = self.client.create_order(BTC, "market", "buy", amount)
        self.assertEqual((opened["status"], opened["filled"]), ("closed", amount))
        self.assertLess(abs(opened["average"] / price - 1), 0.02)
        self.assertEqual(self.contracts(), {"long": amount})
        closed = self.client.create_order(BTC, "market", "sell", amount, None, {"reduceOnly": True})
        self.assertEqual((closed["status"], closed["filled"]), ("closed", amount))
        self.assertEqual(self.contracts(), {})

        fills = self.client.fetch_my_trades(BTC)
        ids = [fill["id"] for fill in fills]
        self.assertEqual(len(ids), len(set(ids)))
        for order in (opened, closed):
            own = [fill for fill in fills if fill["order"] == order["id"]]
            filled = sum(decimal.Decimal(fill["info"]["qty"]) for fill in own)
            self.assertEqual(filled, decimal.Decimal(str(amount)))
            self.assertTrue(all(fill["takerOrMaker"] == "taker" and fill["fee"]["cost"] > 0 for fill in own))
        profit = sum(decimal.Decimal(fill["info"]["realizedPnl"]) for fill in fills)
        fees = sum(decimal.Decimal(fill["info"]["commission"]) for fill in fills)
        self.assertTrue(all(fill["fee"]["currency"] == "USDT" for fill in fills))
        self.assertEqual(self.wallet(), before + profit - fees)

    def test_limit_order_through_the_book_trades_at_its_price_or_better(self):
        ask = self.client.fetch_order_book(ETH, 5)["asks"][0][0]
        amount = small_amount(self.client, ETH, ask)
        limit = away(self.client, ETH, ask, 0.005)
        order = self.client.create_order(ETH, "limit", "buy", amount, limit, {"timeInForce": "IOC"})
        self.assertEqual((order["status"], order["filled"]), ("closed", amount))
        self.assertLessEqual(order["average"], limit)
        self.client.create_order(ETH, "market", "sell", amount, None, {"reduceOnly": True})


def wait_for(ask, good, limit_s=20):
    """Asks until the answer is good."""
    end = time.monotonic() + limit_s
    while True:
        answer = ask()
        if good(answer):
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"still {answer!r} after {limit_s} s")
        time.sleep(0.2)
