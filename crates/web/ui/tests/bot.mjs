// A bot of the test's own: the shipped configuration on a free port, with an empty folder.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_MAX_MS = 60_000;
const STOP_MAX_MS = 60_000;
// The first fills come within seconds; nearly always.
const CHANGE_MAX_MS = 60_000;
// What the bot said last is shown when something fails.
const TAIL_LINES = 40;

const SHIPPED = new URL("../../../../config/plimsoll.yaml", import.meta.url);
const SHIPPED_ADDRESS = "127.0.0.1:15173";

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Bot {
  /** `liveliness` above 1 lets more happen a second. */
  static async start(binary, folder, address, liveliness = 1) {
    const bot = new Bot();
    bot.address = address;
    bot.folder = folder;
    bot.tail = [];
    const shipped = await readFile(SHIPPED, "utf8");
    assert(shipped.includes(SHIPPED_ADDRESS), `config/plimsoll.yaml does not name ${SHIPPED_ADDRESS}`);
    const config = join(folder, "plimsoll.yaml");
    await writeFile(config, shipped.replaceAll(SHIPPED_ADDRESS, address).replace(/^  speed: .*$/m, `  speed: ${liveliness}`));
    bot.child = spawn(resolve(binary), ["run", "--config", config], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    bot.ended = new Promise((done) => {
      bot.child.on("exit", (code, signal) => done(signal ?? code));
      bot.child.on("error", (error) => done(String(error)));
    });
    for (const stream of [bot.child.stdout, bot.child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        bot.link ??= /http:\/\/\S+\/#\/setup\?code=\S+/.exec(text)?.[0];
        bot.tail.push(...text.trimEnd().split("\n"));
        bot.tail.splice(0, Math.max(0, bot.tail.length - TAIL_LINES));
      });
    }
    return bot;
  }

  /** Waits until it answers and both symbols have prices and orders. */
  async ready() {
    let gone;
    this.ended.then((code) => (gone = code));
    for (const end = Date.now() + START_MAX_MS; Date.now() < end; await sleep(200)) {
      assert.equal(gone, undefined, `the bot ended with ${gone} before it was ready`);
      const status = await fetch(`http://${this.address}/api/status`)
        .then((reply) => reply.json())
        .catch(() => undefined);
      if (status?.symbols?.length > 0 && status.symbols.every((one) => one.price !== null && one.orders_working > 0)) return;
    }
    assert.fail(`the bot was not ready after ${START_MAX_MS / 1000} s`);
  }

  /** Waits until a symbol stands as told, asked beside the page. */
  async until(name, what, stands) {
    for (const end = Date.now() + CHANGE_MAX_MS; Date.now() < end; await sleep(200)) {
      if (stands(await this.symbol(name))) return;
    }
    assert.fail(`${name} is not ${what} after ${CHANGE_MAX_MS / 1000} s`);
  }

  /** How a symbol stands, asked beside the page. */
  async symbol(name) {
    const status = await (await fetch(`http://${this.address}/api/status`)).json();
    return status.symbols.find((one) => one.symbol === name);
  }

  /** Stops it in order; how it ended. */
  async stop() {
    this.child.kill("SIGINT");
    const code = await Promise.race([this.ended, sleep(STOP_MAX_MS, "late", { ref: false })]);
    if (code === "late") this.child.kill("SIGKILL");
    return code;
  }
}
