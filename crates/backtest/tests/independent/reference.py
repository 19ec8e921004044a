"""Trades of a crossing of two means on BTCUSDT, December 2024, by backtesting.py: what `independent.rs` compares ours with.

    pip install backtesting==0.6.6
    python reference.py ../../../../../shared/data/market/privet1x-mit/BTCUSDT_binance_spot_1m_2024-12.csv.gz > trades.csv

At the close of an hour's bar the mean of the last 10 closes is compared with that of the last 30. Where the shorter one has passed
the longer one the position turns to its side, at market, which is the open of the next bar.
"""

import sys

import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover


def mean(values, n):
    return pd.Series(values).rolling(n).mean()


class Cross(Strategy):
    def init(self):
        self.short = self.I(mean, self.data.Close, 10)
        self.long = self.I(mean, self.data.Close, 30)

    def next(self):
        if crossover(self.short, self.long):
            self.position.close()
            self.buy(size=1)
        elif crossover(self.long, self.short):
            self.position.close()
            self.sell(size=1)


rows = pd.read_csv(sys.argv[1])
rows.index = pd.to_datetime(rows.close_datetime, utc=True).dt.floor("min")
rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
bars = rows.resample("1h").agg(rules).dropna()
bars.columns = ["Open", "High", "Low", "Close", "Volume"]
run = Backtest(bars.tz_localize(None), Cross, cash=100_000_000, commission=0, trade_on_close=False, finalize_trades=False)
trades = run.run()._trades
print("side,entry_time,entry_price,exit_time,exit_price")
for trade in trades.itertuples():
    side = "long" if trade.Size > 0 else "short"
    times = [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in (trade.EntryTime, trade.ExitTime)]
    print(f"{side},{times[0]},{trade.EntryPrice:.2f},{times[1]},{trade.ExitPrice:.2f}")
