"""Writes reference.csv: what independent libraries make of made-up bars.

    pip install TA-Lib==0.8.2 talipp==2.7.0 ta==0.11.0
    python reference.py > reference.csv

The bars are a random walk of a generator that is written down here, so that they are the same for ever. Where a library has the
indicator it is asked for it; Keltner, z-score and volatility are put together from TA-Lib's means, ranges and deviations. TA-Lib's
own MACD begins its short mean late, so that it, too, is put together from its exponential means.
"""

import math

import numpy as np
import pandas as pd
import talib
import ta
from talipp.indicators import SuperTrend
from talipp.indicators.SuperTrend import Trend
from talipp.ohlcv import OHLCV

N = 300


def bars():
    state = 42

    def draw():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 11) / 2**53

    close, rows = 100.0, []
    for i in range(N):
        first = close
        # A quiet stretch, rises and falls, and bars that do not move at all.
        size = 0.0 if 200 <= i < 204 else 0.2 + 0.8 * (1 + math.sin(i / 40))
        close = round(first + size * (draw() - 0.5) + 0.05 * math.sin(i / 25), 2)
        high = round(max(first, close) + size * 0.4 * draw(), 2)
        low = round(min(first, close) - size * 0.4 * draw(), 2)
        rows.append((high, low, close, round(1 + 20 * draw(), 3)))
    return [np.array(column, dtype=float) for column in zip(*rows)]


high, low, close, volume = bars()
out = {"high": high, "low": low, "close": close, "volume": volume}
out["sma20"] = talib.SMA(close, 20)
out["ema20"] = talib.EMA(close, 20)
out["wma20"] = talib.WMA(close, 20)
out["rsi14"] = talib.RSI(close, 14)
macd = talib.EMA(close, 12) - talib.EMA(close, 26)
signal = np.full(N, np.nan)
signal[25:] = talib.EMA(macd[25:], 9)
out["macd"], out["macd_signal"] = macd, signal
out["atr14"] = talib.ATR(high, low, close, 14)
out["bb_upper"], out["bb_middle"], out["bb_lower"] = talib.BBANDS(close, 20, 2, 2)
out["kc_middle"] = talib.EMA(close, 20)
out["kc_upper"] = out["kc_middle"] + 2 * talib.ATR(high, low, close, 10)
out["dc_upper"], out["dc_lower"] = talib.MAX(high, 20), talib.MIN(low, 20)
out["adx14"] = talib.ADX(high, low, close, 14)
out["plus14"], out["minus14"] = talib.PLUS_DI(high, low, close, 14), talib.MINUS_DI(high, low, close, 14)
# talipp begins its range with the first bar's own span: given the bars after the first, that one with the close before it within its
# span, it begins with a true range as everybody else.
ohlcv = [OHLCV(c, max(h, close[0]) if i == 0 else h, min(l, close[0]) if i == 0 else l, c) for i, (h, l, c) in enumerate(zip(high[1:], low[1:], close[1:]))]
trend = list(SuperTrend(10, 3, ohlcv))
out["st_line"] = np.array([np.nan] + [np.nan if t is None else t.value for t in trend])
out["st_up"] = np.array([np.nan] + [np.nan if t is None else 1.0 if t.trend == Trend.UP else -1.0 for t in trend])
out["stoch_k"], out["stoch_d"] = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
out["cci20"] = talib.CCI(high, low, close, 20)
out["obv"] = talib.OBV(close, volume)
frame = [pd.Series(column) for column in (high, low, close, volume)]
out["vwap14"] = ta.volume.VolumeWeightedAveragePrice(*frame, window=14).volume_weighted_average_price().to_numpy()
out["z20"] = (close - talib.SMA(close, 20)) / talib.STDDEV(close, 20, 1)
returns = np.full(N, np.nan)
returns[1:] = np.log(close[1:] / close[:-1])
volatility = np.full(N, np.nan)
volatility[1:] = talib.STDDEV(returns[1:], 20, 1) * math.sqrt(365)
out["vol20"] = volatility

# Its first line is zero, falling: what comes of that has ended with the second turn.
out["st_line"][:60] = out["st_up"][:60] = np.nan

print("# TA-Lib", talib.__version__, "over", talib.__ta_version__.decode().split()[0], "· talipp 2.7.0 · ta 0.11.0")
print(",".join(out))
for row in zip(*out.values()):
    print(",".join("" if math.isnan(x) else repr(float(x)) for x in row))
