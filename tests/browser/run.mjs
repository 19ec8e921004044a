// Opens the dashboard of a real bot in a real browser: run.mjs BINARY CHROMIUM FOLDER_FOR_PICTURES

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

// The whole run, the time for the bot to answer, for one thing to appear, and for an orderly stop.
const RUN_MAX_MS = 180_000;
const START_MAX_MS = 60_000;
const APPEAR_MAX_MS = 60_000;
const STOP_MAX_MS = 60_000;
// What the bot said last is shown when something fails.
const TAIL_LINES = 40;

const SHIPPED_ADDRESS = "127.0.0.1:15173";

const [binary, browserPath, pictures] = process.argv.slice(2);
if (!pictures) {
  console.error("usage: run.mjs BINARY CHROMIUM FOLDER_FOR_PICTURES");
  process.exit(2);
}

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts the bot with the shipped configuration, moved to a free port and an empty folder. */
async function startBot(folder, address) {
  const shipped = await readFile(new URL("../../config/plimsoll.yaml", import.meta.url), "utf8");
  assert(shipped.includes(SHIPPED_ADDRESS), `config/plimsoll.yaml does not name ${SHIPPED_ADDRESS}`);
  const config = join(folder, "plimsoll.yaml");
  await writeFile(config, shipped.replaceAll(SHIPPED_ADDRESS, address));
  const bot = spawn(resolve(binary), ["run", "--config", config], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  bot.tail = [];
  for (const stream of [bot.stdout, bot.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      bot.tail.push(...text.trimEnd().split("\n"));
      bot.tail.splice(0, Math.max(0, bot.tail.length - TAIL_LINES));
    });
  }
  bot.ended = new Promise((done) => {
    bot.on("exit", (code, signal) => done(signal ?? code));
    bot.on("error", (error) => done(String(error)));
  });
  return bot;
}

/** Waits until the bot answers, or says why it does not. */
async function untilReady(bot, address) {
  let gone;
  bot.ended.then((code) => (gone = code));
  for (const end = Date.now() + START_MAX_MS; Date.now() < end; await sleep(200)) {
    assert.equal(gone, undefined, `the bot ended with ${gone} before it was ready`);
    const reply = await fetch(`http://${address}/readyz`).catch(() => undefined);
    if (reply?.ok) return;
  }
  assert.fail(`the bot was not ready after ${START_MAX_MS / 1000} s`);
}

/** What the page must show, each waited for. */
async function look(page) {
  const appears = (selector, text) => page.locator(selector).filter(text ? { hasText: text } : {}).first().waitFor({ timeout: APPEAR_MAX_MS });
  await appears('#link[data-state="live"]');
  for (const symbol of ["BTCUSDT", "ETHUSDT"]) {
    await page.getByRole("tab").filter({ hasText: symbol }).click({ timeout: APPEAR_MAX_MS });
    await appears("#symbol", symbol);
    await appears("#orders tr");
    await appears("#price", /\d/);
  }
  // The first fill may come on either symbol.
  await appears("#fills-count", /[1-9]/);
  await page.getByRole("tab").filter({ hasText: "BTCUSDT" }).click();
  const total = await page.locator("#fills tr").count();
  if (total === 0) {
    await page.getByRole("tab").filter({ hasText: "ETHUSDT" }).click();
    await appears("#fills tr");
  }
  assert.match(await page.locator("#net").innerText(), /\d/);

  const price = () => page.locator("#price").innerText();
  const before = await price();
  for (const end = Date.now() + APPEAR_MAX_MS; (await price()) === before; await sleep(250)) {
    assert(Date.now() < end, `the price stood still at ${before}`);
  }
  const [orders, fills] = [await page.locator("#orders tr").count(), await page.locator("#fills tr").count()];
  console.log(`shown: ${orders} orders, ${fills} fills, price ${before} -> ${await price()}, net ${await page.locator("#net").innerText()}`);
}

async function stopBot(bot) {
  bot.kill("SIGINT");
  const code = await Promise.race([bot.ended, sleep(STOP_MAX_MS, "late", { ref: false })]);
  if (code === "late") bot.kill("SIGKILL");
  return code;
}

const folder = await mkdtemp(join(tmpdir(), "plimsoll-browser-"));
const address = `127.0.0.1:${await freePort()}`;
let bot;
let browser;
let failure;
const outOfTime = globalThis.setTimeout(() => {
  console.error(`not done after ${RUN_MAX_MS / 1000} s`);
  end(1);
}, RUN_MAX_MS);
process.on("SIGTERM", () => end(143));
process.on("SIGINT", () => end(130));

/** Leaves at once without leaving a process behind. */
function end(code) {
  bot?.kill("SIGKILL");
  process.exit(code);
}

try {
  bot = await startBot(folder, address);
  await untilReady(bot, address);
  // Without a sandbox, because tests also run as root in containers; the page is our own.
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => {
    const { host, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && host !== address) problems.push(`the page asked ${host}`);
  });
  try {
    await page.goto(`http://${address}/`);
    await look(page);
    assert.deepEqual(problems, []);
    await page.screenshot({ path: join(pictures, "dashboard.png"), fullPage: true });
  } catch (error) {
    await page.screenshot({ path: join(pictures, "dashboard-failed.png"), fullPage: true }).catch(() => {});
    throw problems.length > 0 ? new Error(`${error.message}; the page said: ${problems.join("; ")}`) : error;
  }
} catch (error) {
  failure = error;
} finally {
  await browser?.close();
  const code = bot ? await stopBot(bot) : 0;
  if (code !== 0) failure ??= new Error(`the bot ended with ${code} after SIGINT`);
}
if (failure) {
  console.error(failure.message);
  console.error(["the bot's last lines:", ...(bot?.tail ?? [])].join("\n  "));
}
await rm(folder, { recursive: true, force: true });
clearTimeout(outOfTime);
process.exit(failure ? 1 : 0);
