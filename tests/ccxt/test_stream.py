"""What ccxt.pro sees over WebSocket: a continuous book, trades, candles, and each of our orders and fills."""

import asyncio
import copy
import decimal
import time
import unittest

import ccxt.pro

from local_exchange import BTC, ETH, away, connect, small_amount

# How long to wait for anything that must come.
WAIT_MAX_S = 20


async def until(condition, what):
    """Waits until something has come."""
    end = time.monotonic() + WAIT_MAX_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} had not come after {WAIT_MAX_S} s")
        await asyncio.sleep(0.02)


class Streams(unittest.IsolatedAsyncioTestCase):
    """A client, and loops that watch with it."""

    account = "orders"

    async def asyncSetUp(self):
        self.client = connect(ccxt.pro.binanceusdm, self.account)
        self.loops = []
        await self.client.load_markets()

    async def asyncTearDown(self):
        for loop in self.loops:
            loop.cancel()
        ended = await asyncio.gather(*self.loops, return_exceptions=True)
        await self.client.close()
        errors = [end for end in ended if isinstance(end, Exception) and not isinstance(end, asyncio.CancelledError)]
        self.assertEqual(errors, [])

    def watch(self, method, *arguments):
        """Watches for ever and keeps a copy of everything that comes; the copies are returned at once and grow."""
        seen = []

        async def loop():
            while True:
                update = await method(*arguments)
                # Orders, fills and trades come as lists of new items; a candle update is a list of numbers each.
                is_items = isinstance(update, list) and all(isinstance(item, dict) for item in update)
                seen.extend(copy.deepcopy(list(update) if is_items else [update]))

        task = asyncio.create_task(loop())
        self.loops.append(task)

        def check():
            if task.done():
                task.result()
            return seen

        return check


class Public(Streams):
    """Market data."""

    async def test_book_is_continuous_and_agrees_with_the_best_prices(self):
        books, best = [], {}

        async def watch_book():
            # ccxt itself refuses a diff whose `pu` is not the last `u`, and a refusal ends this loop.
            while True:
                book = await self.client.watch_order_book(BTC)
                # Copied level by level: ccxt changes the quantities of its lists in place with the next update.
                bids, asks = ([tuple(level) for level in book[side][:5]] for side in ("bids", "asks"))
                books.append((book["nonce"], bids, asks, len(book["bids"]), len(book["asks"])))

        async def watch_best():
            while True:
                for ticker in (await self.client.watch_bids_asks([BTC])).values():
                    best[int(ticker["info"]["u"])] = (ticker["bid"], ticker["bidVolume"], ticker["ask"], ticker["askVolume"])

        self.loops = [asyncio.create_task(watch_book()), asyncio.create_task(watch_best())]

        def equal_ids():
            for loop in self.loops:
                if loop.done():
                    loop.result()
            return [book for book in books if book[0] in best]

        await until(lambda: len(books) >= 40 and len(equal_ids()) >= 3, "a book of 40 updates with 3 at the id of a best price")
        nonces = [book[0] for book in books]
        self.assertEqual(nonces, sorted(nonces))
        self.assertGreater(len(set(nonces)), 20)
        for nonce, bids, asks, bids_len, asks_len in books:
            self.assertLess(bids[0][0], asks[0][0], nonce)
            self.assertEqual([price for price, _ in bids], sorted({price for price, _ in bids}, reverse=True))
            self.assertEqual([price for price, _ in asks], sorted({price for price, _ in asks}))
            self.assertTrue(bids_len >= 5 and asks_len >= 5)
        for nonce, bids, asks, _, _ in equal_ids():
            self.assertEqual((*bids[0], *asks[0]), best[nonce])

    async def test_books_of_several_symbols_come_on_one_connection(self):
        seen = set()
        end = time.monotonic() + WAIT_MAX_S
        while seen != {BTC, ETH}:
            self.assertLess(time.monotonic(), end)
            book = await asyncio.wait_for(self.client.watch_order_book_for_symbols([BTC, ETH]), WAIT_MAX_S)
            seen.add(book["symbol"])

    async def test_trades_come_once_each_and_in_order(self):
        for symbol in (BTC, ETH):
            trades = self.watch(self.client.watch_trades, symbol)
            await until(lambda: len(trades()) >= 5, f"five trades of {symbol}")
            ids = [int(trade["id"]) for trade in trades()]
            self.assertEqual(ids, sorted(set(ids)))
            for trade in trades():
                self.assertLess(abs(trade["timestamp"] - time.time() * 1000), 2_000 * WAIT_MAX_S)
                self.assertIn(trade["side"], ("buy", "sell"))
                self.assertTrue(trade["price"] > 0 and trade["amount"] > 0)

    async def test_candles_agree_with_the_history(self):
        updates = self.watch(self.client.watch_ohlcv, BTC, "1m")
        await until(lambda: len(updates()) >= 3, "three candles")
        history = {candle[0]: candle for candle in await self.client.fetch_ohlcv(BTC, "1m", limit=5)}
        together = [update[-1] for update in updates() if update[-1][0] in history]
        self.assertGreater(len(together), 0)
        for start, opened, high, low, _, volume in together:
            self.assertEqual(opened, history[start][1])
            self.assertLessEqual(high, history[start][2])
            self.assertGreaterEqual(low, history[start][3])
            self.assertLessEqual(volume, history[start][5])

    async def test_tickers_come(self):
        tickers = self.watch(self.client.watch_ticker, BTC)
        await until(lambda: len(tickers()) >= 1, "a ticker")
        self.assertGreater(tickers()[0]["last"], 0)

    async def test_mark_prices_come(self):
        marks = self.watch(self.client.watch_mark_price, BTC)
        await until(lambda: len(marks()) >= 1, "a mark price")
        self.assertGreater(marks()[0]["markPrice"], 0)


class Private(Streams):
    """Our own orders, fills, balance and positions."""

    account = "stream"

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.orders = self.watch(self.client.watch_orders)
        self.fills = self.watch(self.client.watch_my_trades)
        self.balances = self.watch(self.client.watch_balance)
        connected = lambda: any("/private/" in url and client.connection for url, client in self.client.clients.items())
        await until(lambda: self.orders() is not None and connected(), "the private connection")
        book = await self.client.fetch_order_book(BTC, 5)
        self.bid, self.ask = book["bids"][0][0], book["asks"][0]
        self.amount = small_amount(self.client, BTC, self.bid)

    def states(self, order_id):
        return [order["status"] for order in self.orders() if order["id"] == order_id]

    async def wallet(self):
        assets = (await self.client.fapiPrivateV3GetAccount())["assets"]
        return next(decimal.Decimal(asset["walletBalance"]) for asset in assets if asset["asset"] == "USDT")

    async def test_a_limit_order_is_seen_to_open_and_to_be_cancelled(self):
        price = away(self.client, BTC, self.bid, -0.03)
        order = await self.client.create_order(BTC, "limit", "buy", self.amount, price, {"clientOrderId": "seen-1"})
        await until(lambda: self.states(order["id"]) == ["open"], "the new order")
        seen = next(seen for seen in self.orders() if seen["id"] == order["id"])
        self.assertEqual((seen["clientOrderId"], seen["price"], seen["amount"], seen["filled"]), ("seen-1", price, self.amount, 0))
        await self.client.cancel_order(order["id"], BTC)
        await until(lambda: self.states(order["id"]) == ["open", "canceled"], "the cancel")
        self.assertEqual({seen["clientOrderId"] for seen in self.orders() if seen["id"] == order["id"]}, {"seen-1"})
        self.assertEqual(self.fills(), [])

    async def test_a_post_only_order_that_would_trade_is_never_seen(self):
        price = away(self.client, BTC, self.ask[0], 0.01)
        with self.assertRaises(ccxt.InvalidOrder):
            await self.client.create_order(BTC, "limit", "buy", self.amount, price, {"postOnly": True, "clientOrderId": "never-1"})
        # The next order's event comes after anything that the refused one could have caused.
        order = await self.client.create_order(BTC, "limit", "buy", self.amount, away(self.client, BTC, self.bid, -0.03))
        await until(lambda: self.states(order["id"]) == ["open"], "the new order")
        await self.client.cancel_order(order["id"], BTC)
        await until(lambda: self.states(order["id"])[-1] == "canceled", "the cancel")
        self.assertNotIn("never-1", [seen["clientOrderId"] for seen in self.orders()])

    async def test_every_fill_is_seen_once_and_the_balance_follows(self):
        positions = self.watch(self.client.watch_positions, [BTC])
        # More than the best level holds, so that there are several fills where the book allows it.
        amount = min(max(self.amount, 2 * self.ask[1]), 2.0)
        amount = float(self.client.amount_to_precision(BTC, amount))
        done = []
        for side, parameters in (("buy", {}), ("sell", {"reduceOnly": True})):
            order = await self.client.create_order(BTC, "market", side, amount, None, parameters)
            self.assertEqual(order["status"], "closed")
            done.append(order["id"])
            await until(lambda: "closed" in self.states(order["id"]), f"the end of the {side}")
            if side == "buy":
                await until(lambda: any(position["contracts"] == amount for position in positions()), "the position")
        rest = [fill for fill in await self.client.fetch_my_trades(BTC) if fill["order"] in done]
        await until(lambda: len([fill for fill in self.fills() if fill["order"] in done]) >= len(rest), "all fills")
        key = lambda fill: (fill["id"], fill["order"], fill["side"], fill["price"], fill["amount"], fill["fee"]["cost"], fill["fee"]["currency"])
        seen = sorted(key(fill) for fill in self.fills() if fill["order"] in done)
        self.assertEqual(seen, sorted(key(fill) for fill in rest))
        for order_id in done:
            own = [fill for fill in rest if fill["order"] == order_id]
            self.assertEqual(sum(decimal.Decimal(fill["info"]["qty"]) for fill in own), decimal.Decimal(str(amount)))
            last = [order for order in self.orders() if order["id"] == order_id][-1]
            self.assertEqual((last["filled"], last["remaining"]), (amount, 0))
        wallet = await self.wallet()
        await until(lambda: decimal.Decimal(str(self.balances()[-1]["USDT"]["total"])) == wallet, f"a balance of {wallet}")
        self.assertEqual(await self.client.fetch_positions([BTC]), [])
