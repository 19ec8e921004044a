"""Runs Schemathesis against a bot that trades on its own local exchange: run.py BINARY [OPTION…]."""

import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True

# What Schemathesis itself may take; it takes about two minutes.
FUZZ_MAX_S = 240
# A seed of its own for every run would make a failure of one run nobody's.
SEED = 15173
# The process would stop in the middle: its preview is tried, and commands for a symbol. Sockets and profiles are no answers of JSON.
LEFT_OUT = r"^/api/control/\{verb\}$|^/(ws|debug)"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
]
TOKEN = "plimsoll_of_a_bot_that_trades_play_money_on_loopback"

CONFIG = """exchange: local
local: {{ speed: 20 }}
data_dir: {data}
web: {{ listen: "127.0.0.1:{port}" }}
log: {{ level: error }}
storage: {{ flush_interval: 300ms }}
trading:
  symbols:
    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}
    - {{ symbol: ETHUSDT, price_interval: 2.5, order_quantity: 100 }}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    binary, options = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    folder = tempfile.TemporaryDirectory(prefix="plimsoll-schemathesis-")
    data = pathlib.Path(folder.name) / "data"
    data.mkdir()
    token = data / "admin.token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    port = free_port()
    config = pathlib.Path(folder.name) / "plimsoll.yaml"
    config.write_text(CONFIG.format(data=data, port=port))
    bot = subprocess.Popen([binary, "run", "--config", str(config)], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 40
        while not ready(port):
            if bot.poll() is not None or time.monotonic() > until:
                raise SystemExit("the bot did not become ready")
            time.sleep(0.2)
        # Rows for the lists.
        time.sleep(5)
        tool = pathlib.Path(sys.executable).parent / "schemathesis"
        command = [str(tool), "run", f"http://127.0.0.1:{port}/api/openapi.json", "--seed", str(SEED)]
        command += ["--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {TOKEN}"]
        command += ["--exclude-path-regex", LEFT_OUT, "--phases", "examples,coverage,fuzzing"]
        command += ["--request-timeout", "20", "--max-examples", "25", "--warnings", "off", "--no-color", *options]
        done = subprocess.run(command, timeout=FUZZ_MAX_S, cwd=folder.name, check=False)
        good = done.returncode == 0
        if bot.poll() is not None:
            good = False
            print(f"the bot ended by itself with {bot.returncode}")
        elif not ready(port):
            # Commands may have paused a symbol; that it answers is what matters.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5) as answer:
                good = good and answer.status == 200
    finally:
        if bot.poll() is None:
            bot.send_signal(signal.SIGTERM)
            try:
                code = bot.wait(60)
            except subprocess.TimeoutExpired:
                bot.kill()
                raise
            if code not in (0, 3):
                print(f"the bot ended with {code} after SIGTERM")
                good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
