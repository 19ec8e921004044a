"""Starts and ends `plimsoll testnet`, and makes ccxt clients that trade on it."""

import collections
import ctypes
import re
import select
import signal
import subprocess
import threading

# Time for the exchange to print its address.
START_MAX_S = 30
# Time for the exchange to end after SIGTERM.
STOP_MAX_S = 10
# What the exchange said last is shown when a test fails.
TAIL_LINES = 40

# Every test class has an account of its own, so that none sees another's orders.
SECRET = "local-secret"
ACCOUNTS = {
    "orders": 100_000,
    "fills": 100_000,
    "errors": 100_000,
    "stream": 100_000,
    "poor": 10,
}

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"


def _end_with_parent():
    """Makes the kernel end the exchange if this script is killed (Linux only)."""
    try:
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


class LocalExchange:
    """One running exchange."""

    def __init__(self, binary):
        arguments = [binary, "testnet", "--listen", "127.0.0.1:0", "--seed", "7"]
        for key, usdt in ACCOUNTS.items():
            arguments += ["--account", f"{key}:{SECRET}:{usdt}"]
        self.tail = collections.deque(maxlen=TAIL_LINES)
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent,
        )
        try:
            self.address = self._read_address()
        except BaseException:
            self.stop()
            raise
        self.reader = threading.Thread(target=self._drain, daemon=True)
        self.reader.start()

    def _read_address(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_MAX_S)
        line = self.process.stdout.readline().decode(errors="replace") if ready else ""
        found = re.search(r"127\.0\.0\.1:\d+", line)
        if found is None:
            rest = "" if self.process.poll() is None else self.process.stdout.read().decode(errors="replace")
            raise RuntimeError(f"the exchange's first line has no address: {line!r} {rest}")
        return found.group()

    def _drain(self):
        for line in self.process.stdout:
            self.tail.append(line.decode(errors="replace").rstrip())

    def stop(self):
        """Ends the exchange and returns its exit code; -9 when it had to be killed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_MAX_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


# Set by run.py before any test runs.
running = None


def connect(kind, key="orders", secret=SECRET):
    """Makes a client of this kind (`ccxt.binanceusdm`, `ccxt.pro.binanceusdm`) for this account; only addresses differ from a real one."""
    rest, ws = f"http://{running.address}", f"ws://{running.address}"
    return kind(
        {
            "apiKey": key,
            "secret": secret,
            "options": {"fetchCurrencies": False, "fetchMargins": False},
            "urls": {
                "api": {
                    "fapiPublic": rest + "/fapi/v1",
                    "fapiPublicV2": rest + "/fapi/v2",
                    "fapiPublicV3": rest + "/fapi/v3",
                    "fapiPrivate": rest + "/fapi/v1",
                    "fapiPrivateV2": rest + "/fapi/v2",
                    "fapiPrivateV3": rest + "/fapi/v3",
                    "fapiData": rest + "/futures/data",
                    "ws": {"linear": ws + "/ws", "ws-api": {"linear": ws + "/ws-fapi/v1"}},
                }
            },
        }
    )


def with_futures_errors(client):
    """Gives the client the error table that it would choose by itself on the real host name."""
    client.exceptions["exact"].update(client.exceptions["linear"]["exact"])
    return client


def small_amount(client, symbol, price):
    """An amount three times as large as the smallest order at this price."""
    limits = client.market(symbol)["limits"]
    least = max(limits["amount"]["min"], limits["cost"]["min"] / price)
    return float(client.amount_to_precision(symbol, 3 * least))


def away(client, symbol, price, part):
    """A price this part away from another, on tick."""
    return float(client.price_to_precision(symbol, price * (1 + part)))
