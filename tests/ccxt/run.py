"""Runs every test in this folder against one local exchange: run.py BINARY [TEST…]."""

import pathlib
import signal
import sys
import unittest

sys.dont_write_bytecode = True

import ccxt

import local_exchange

# The whole run; it takes about a minute.
RUN_MAX_S = 240


def out_of_time(_signal, _frame):
    raise SystemExit(f"not done after {RUN_MAX_S} s")


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    binary, names = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    signal.alarm(RUN_MAX_S)
    folder = str(pathlib.Path(__file__).parent)
    loader = unittest.TestLoader()
    tests = loader.loadTestsFromNames(names) if names else loader.discover(folder)
    exchange = local_exchange.LocalExchange(binary)
    local_exchange.running = exchange
    print(f"ccxt {ccxt.__version__} on {exchange.address}", flush=True)
    try:
        result = unittest.TextTestRunner(verbosity=2).run(tests)
        good = result.wasSuccessful() and result.testsRun > 0
        if exchange.process.poll() is not None:
            good = False
            print(f"the exchange ended by itself with {exchange.process.returncode}")
    finally:
        code = exchange.stop()
    if not good:
        print("the exchange's last lines:", *exchange.tail, sep="\n  ")
    if code != 0:
        good = False
        print(f"the exchange ended with {code} after SIGTERM")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
