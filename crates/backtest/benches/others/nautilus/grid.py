"""The grid of `benches/events.rs` in nautilus_trader, on the events that our own benchmark has generated.

    python grid.py EVENTS [LIMIT]

EVENTS is what `PLIMSOLL_BENCH_DUMP=EVENTS cargo bench -p plimsoll-backtest --bench events` writes; LIMIT, how many of its events are
told (200,000). nautilus_trader is used as it is installed; see README.md.
"""

import math
import resource
import sys
import time
from decimal import Decimal

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
    TimeInForce,
)
from nautilus_trader.model.identifiers import TradeId, TraderId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

RECORD = np.dtype([("time", "<u8"), ("price", "<i8"), ("qty", "<u8"), ("kind", "u1"), ("side", "u1"), ("pad", "V6")])
LEVEL, TRADE = 0, 1
BUY = 0
TICK = 0.1
WINDOW = 10
ORDER_QUOTE = 200.0


def read(path, limit, instrument):
    """Events as nautilus_trader takes them: what has the same time is one message."""
    rows = np.fromfile(path, dtype=RECORD, count=limit)
    data, message, told = [], [], 0
    ids = instrument.id

    def end():
        if not message:
            return
        last = message[-1]
        message[-1] = OrderBookDelta(ids, last.action, last.order, RecordFlag.F_LAST, last.sequence, last.ts_event, last.ts_init)
        data.append(OrderBookDeltas(ids, message.copy()))
        message.clear()

    before = None
    for number, row in enumerate(rows):
        at = int(row["time"])
        if at != before:
            end()
            before = at
        price = Price(float(row["price"]) / 100.0, 1)
        units = int(row["qty"])
        told += 1
        if row["kind"] == TRADE:
            side = AggressorSide.BUYER if row["side"] == BUY else AggressorSide.SELLER
            data.append(TradeTick(ids, price, Quantity(units / 1000.0, 3), side, TradeId(str(number)), at, at))
        else:
            side = OrderSide.BUY if row["side"] == BUY else OrderSide.SELL
            action = BookAction.UPDATE if units else BookAction.DELETE
            order = BookOrder(side, price, Quantity(units / 1000.0, 3), int(row["price"]))
            message.append(OrderBookDelta(ids, action, order, 0, number, at, at))
    end()
    return data, told


class GridConfig(StrategyConfig, frozen=True):
    """Distance of two levels; zero for a strategy that only listens."""

    interval: float


class Grid(Strategy):
    """Buys below the price, and above each level that was bought its sale; it decides when a best price or an order has changed."""

    def __init__(self, config, instrument):
        super().__init__(config)
        self.instrument = instrument
        self.interval = config.interval
        self.anchor = None
        self.top = (None, None)
        self.orders = {}
        self.bought = {}
        self.placed = self.canceled = self.fills = 0

    def on_start(self):
        self.subscribe_order_book_deltas(self.instrument.id, book_type=BookType.L2_MBP)
        self.subscribe_trade_ticks(self.instrument.id)

    def on_order_book_deltas(self, _deltas):
        if self.interval == 0.0:
            return
        book = self.cache.order_book(self.instrument.id)
        bid, ask = book.best_bid_price(), book.best_ask_price()
        if bid is None or ask is None:
            return
        top = (float(bid), float(ask))
        if top != self.top:
            self.top = top
            self.decide()

    def on_order_filled(self, event):
        self.fills += 1
        order = self.cache.order(event.client_order_id)
        level = next((level for level, mine in self.orders.items() if mine is not None and mine.client_order_id == event.client_order_id), None)
        if level is None or not order.is_closed:
            return
        self.orders[level] = None
        if order.side == OrderSide.BUY:
            self.bought[level] = float(order.filled_qty)
        else:
            self.bought.pop(level, None)
        self.decide()

    def ended(self, event):
        for level, mine in self.orders.items():
            if mine is not None and mine.client_order_id == event.client_order_id:
                self.orders[level] = None

    on_order_canceled = on_order_rejected = on_order_denied = on_order_expired = ended

    def place(self, level, side, price, qty):
        order = self.order_factory.limit(
            self.instrument.id,
            side,
            self.instrument.make_qty(qty),
            self.instrument.make_price(price),
            time_in_force=TimeInForce.GTC,
            post_only=True,
        )
        self.orders[level] = order
        self.placed += 1
        self.submit_order(order)

    def decide(self):
        bid, ask = self.top
        if self.anchor is None:
            self.anchor = math.floor((bid + ask) / 2.0 / TICK) * TICK
        highest = math.floor((ask - TICK / 2.0 - self.anchor) / self.interval)
        lowest = highest - WINDOW + 1
        for level, order in list(self.orders.items()):
            outside = level not in self.bought and not lowest <= level <= highest
            if order is None and outside:
                del self.orders[level]
            elif order is not None and outside and not order.is_pending_cancel and order.is_open:
                self.canceled += 1
                self.cancel_order(order)
        for level in range(highest, lowest - 1, -1):
            price = self.anchor + level * self.interval
            if self.orders.get(level) is None and level not in self.bought:
                self.place(level, OrderSide.BUY, price, ORDER_QUOTE / price)
        # The sales nearest to the price, as many as buys.
        for level in sorted(self.bought)[:WINDOW]:
            if self.orders.get(level) is None:
                target = max(self.anchor + (level + 1) * self.interval, bid + TICK)
                self.place(level, OrderSide.SELL, target, self.bought[level])


def play(path, limit, interval):
    instrument = TestInstrumentProvider.btcusdt_perp_binance()
    engine = BacktestEngine(
        config=BacktestEngineConfig(
            trader_id=TraderId("BENCH-001"),
            logging=LoggingConfig(log_level="OFF", bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(1_000_000, USDT)],
        base_currency=USDT,
        default_leverage=Decimal(10),
        book_type=BookType.L2_MBP,
        latency_model=LatencyModel(base_latency_nanos=3_000_000),
        trade_execution=True,
    )
    engine.add_instrument(instrument)
    data, told = read(path, limit, instrument)
    engine.add_data(data)
    grid = Grid(GridConfig(interval=interval), instrument)
    engine.add_strategy(grid)
    begin = time.process_time()
    engine.run()
    spent = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    what = f"grid, {interval} apart" if interval else "a strategy that listens"
    print(
        f"nautilus_trader, {what:<24} {told / spent / 1e6:>7.4f} M/cpu s  events {told}  messages {len(data)}  "
        f"placed {grid.placed}  cancelled {grid.canceled}  fills {grid.fills}  peak rss {peak} MiB",
        flush=True,
    )
    engine.dispose()


if __name__ == "__main__":
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    for interval in (0.0, 0.5, 0.1):
        for _ in range(3):
            play(sys.argv[1], limit, interval)
