"""Trades on a local exchange with an unmodified ccxt: python check.py http://127.0.0.1:PORT [KEY SECRET].

Needs `pip install ccxt`. Prints a line for each claim it has checked and ends with `all good`, or fails with the claim
that does not hold.
"""

import asyncio
import sys
import time

import ccxt.pro

BASE = sys.argv[1].rstrip("/")
KEY, SECRET = sys.argv[2:4] if len(sys.argv) > 3 else ("testkey", "testsecret")
WS = BASE.replace("http://", "ws://")
SYMBOL = "BTC/USDT:USDT"
PATIENCE = 20


def exchange():
    ex = ccxt.pro.binanceusdm(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "options": {"fetchCurrencies": False, "fetchMargins": False},
            "urls": {
                "api": {
                    "fapiPublic": BASE + "/fapi/v1",
                    "fapiPublicV2": BASE + "/fapi/v2",
                    "fapiPublicV3": BASE + "/fapi/v3",
                    "fapiPrivate": BASE + "/fapi/v1",
                    "fapiPrivateV2": BASE + "/fapi/v2",
                    "fapiPrivateV3": BASE + "/fapi/v3",
                    "fapiData": BASE + "/futures/data",
                    "ws": {"linear": WS + "/ws", "ws-api": {"linear": WS + "/ws-fapi/v1"}},
                }
            },
        }
    )
    # ccxt chooses its table of futures errors by the exchange's own host name; elsewhere the table has to be named.
    ex.exceptions["exact"].update(ex.exceptions["linear"]["exact"])
    return ex


def claim(text, holds):
    if not holds:
        raise SystemExit(f"does not hold: {text}")
    print(f"holds: {text}", flush=True)


async def within(coroutine):
    return await asyncio.wait_for(coroutine, PATIENCE)


async def refused(kind, coroutine, text):
    try:
        await within(coroutine)
    except kind as error:
        claim(f"{text}: {type(error).__name__}", True)
        return
    claim(f"{text} is refused as {kind.__name__}", False)


async def wait_for(watch, wanted):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for item in await within(watch()):
            if wanted(item):
                return item
    raise SystemExit("does not hold: an event comes in time")


async def rest(ex):
    markets = await within(ex.load_markets())
    claim("markets load", SYMBOL in markets and markets[SYMBOL]["precision"]["price"] == 0.1)
    balance = await within(ex.fetch_balance())
    claim("balance is read", balance["USDT"]["total"] > 0)
    claim("time is read", abs(await within(ex.fetch_time()) - time.time() * 1000) < 2000)
    leverage = await within(ex.set_leverage(10, SYMBOL))
    claim("leverage is set", int(leverage["leverage"]) == 10)
    for mode in ("isolated", "cross"):
        await within(ex.set_margin_mode(mode, SYMBOL))
    claim("margin mode is set", True)
    await within(ex.set_position_mode(False)) if (await within(ex.fetch_position_mode()))["hedged"] else None
    claim("position mode is one-way", not (await within(ex.fetch_position_mode()))["hedged"])

    candles = await within(ex.fetch_ohlcv(SYMBOL, "1m", limit=50))
    # A recording has no history before its first message.
    claim("candles come in order", len(candles) > 0 and all(a[0] < b[0] for a, b in zip(candles, candles[1:])))
    book = await within(ex.fetch_order_book(SYMBOL, 20))
    claim("book is read", book["bids"][0][0] < book["asks"][0][0])
    ticker = await within(ex.fetch_ticker(SYMBOL))
    claim("ticker is read", ticker["last"] > 0)
    claim("tickers are read", len(await within(ex.fetch_tickers())) >= 2)
    trades = await within(ex.fetch_trades(SYMBOL, limit=10))
    claim("trades are read", all(trade["price"] > 0 for trade in trades))
    claim("funding rate is read", (await within(ex.fetch_funding_rate(SYMBOL)))["markPrice"] > 0)
    claim("leverage tiers are read", len((await within(ex.fetch_leverage_tiers([SYMBOL])))[SYMBOL]) > 1)

    low = float(ex.price_to_precision(SYMBOL, book["bids"][0][0] * 0.97))
    order = await within(ex.create_order(SYMBOL, "limit", "buy", 0.01, low))
    claim("a limit order rests", order["status"] == "open")
    changed = await within(ex.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, low))
    claim("an order is changed", changed["amount"] == 0.02)
    claim("an order is queried", (await within(ex.fetch_order(order["id"], SYMBOL)))["amount"] == 0.02)
    claim("open orders are listed", [o["id"] for o in await within(ex.fetch_open_orders(SYMBOL))] == [order["id"]])
    claim("an order is cancelled", (await within(ex.cancel_order(order["id"], SYMBOL)))["status"] == "canceled")
    post = await within(ex.create_order(SYMBOL, "limit", "buy", 0.01, low, {"postOnly": True}))
    claim("a post-only order rests", post["status"] == "open" and post["timeInForce"] == "PO")
    batch = await within(
        ex.create_orders([{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": low} for _ in range(2)])
    )
    claim("a batch is placed", [o["status"] for o in batch] == ["open", "open"])
    await within(ex.cancel_orders([o["id"] for o in batch], SYMBOL))
    await within(ex.cancel_all_orders(SYMBOL))
    claim("nothing is left open", await within(ex.fetch_open_orders(SYMBOL)) == [])

    market = await within(ex.create_order(SYMBOL, "market", "buy", 0.01))
    claim("an order at market fills", market["status"] == "closed" and market["filled"] == 0.01)
    position = (await within(ex.fetch_positions([SYMBOL])))[0]
    claim("the position is read", position["contracts"] == 0.01 and position["side"] == "long")
    mine = await within(ex.fetch_my_trades(SYMBOL))
    claim("executions are listed", mine[-1]["order"] == market["id"] and mine[-1]["fee"]["cost"] > 0)
    await within(ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True}))
    claim("the position is closed", await within(ex.fetch_positions([SYMBOL])) == [])
    claim("closed orders are listed", len(await within(ex.fetch_closed_orders(SYMBOL))) >= 2)
    claim("income is listed", len(await within(ex.fetch_ledger())) > 0 if ex.has["fetchLedger"] else True)

    high = float(ex.price_to_precision(SYMBOL, book["asks"][0][0] * 1.02))
    create = lambda *rest: ex.create_order(SYMBOL, *rest)
    await refused(ccxt.InvalidOrder, create("limit", "buy", 0.01, high, {"postOnly": True}), "a post-only order that would take")
    await refused(ccxt.InsufficientFunds, create("limit", "buy", 900, low), "an order beyond margin")
    await refused(ccxt.OrderNotFound, ex.cancel_order("999999999999", SYMBOL), "cancelling an unknown order")
    await refused(ccxt.OrderNotFound, ex.fetch_order("999999999999", SYMBOL), "an unknown order")
    await refused(ccxt.InvalidOrder, create("limit", "buy", 0.001, low), "an order worth too little")
    wrong = exchange()
    wrong.secret = "wrong"
    try:
        await refused(ccxt.AuthenticationError, wrong.fetch_balance(), "a wrong signature")
    finally:
        await wrong.close()


async def streams(ex):
    book = await within(ex.watch_order_book(SYMBOL))
    before = book["nonce"]
    for _ in range(20):
        book = await within(ex.watch_order_book(SYMBOL))
    claim("the book goes on without a break", book["nonce"] > before and book["bids"][0][0] < book["asks"][0][0])
    claim("trades come", len(await within(ex.watch_trades(SYMBOL))) > 0)
    claim("candles come", len(await within(ex.watch_ohlcv(SYMBOL, "1m"))) > 0)
    claim("tickers come", (await within(ex.watch_ticker(SYMBOL)))["last"] > 0)
    claim("tops come", SYMBOL in await within(ex.watch_bids_asks([SYMBOL])))
    claim("mark prices come", (await within(ex.watch_mark_price(SYMBOL)))["markPrice"] > 0)


async def owner(ex):
    orders = asyncio.ensure_future(wait_for(lambda: ex.watch_orders(SYMBOL), lambda o: o["status"] == "open"))
    await asyncio.sleep(1)
    book = await within(ex.fetch_order_book(SYMBOL, 5))
    low = float(ex.price_to_precision(SYMBOL, book["bids"][0][0] * 0.97))
    order = await within(ex.create_order(SYMBOL, "limit", "buy", 0.01, low))
    claim("an order is told", (await within(orders))["id"] == order["id"])
    ends = asyncio.ensure_future(wait_for(lambda: ex.watch_orders(SYMBOL), lambda o: o["status"] == "canceled"))
    await asyncio.sleep(0)
    await within(ex.cancel_order(order["id"], SYMBOL))
    claim("its end is told", (await within(ends))["id"] == order["id"])
    fills = asyncio.ensure_future(wait_for(lambda: ex.watch_my_trades(SYMBOL), lambda trade: True))
    await asyncio.sleep(0)
    market = await within(ex.create_order(SYMBOL, "market", "buy", 0.01))
    fill = await within(fills)
    claim("a fill is told", fill["order"] == market["id"] and fill["fee"]["cost"] > 0)
    sockets = await within(ex.create_order_ws(SYMBOL, "limit", "buy", 0.01, low))
    claim("an order is placed over the WebSocket API", sockets["status"] == "open")
    gone = await within(ex.cancel_order_ws(sockets["id"], SYMBOL))
    claim("and cancelled", gone["status"] == "canceled")
    await within(ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True}))


async def main():
    for part in (rest, streams, owner):
        ex = exchange()
        try:
            await part(ex)
        finally:
            await ex.close()
    print("all good", flush=True)


asyncio.run(main())
