// Drives the dashboard of a real bot in a real browser: run.mjs BINARY CHROMIUM FOLDER_FOR_PICTURES [PART_OF_A_NAME]

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

import { Bot, freePort } from "./bot.mjs";
import { checks } from "./checks.mjs";

const RUN_MAX_MS = 420_000;

const [binary, browserPath, pictures, part = ""] = process.argv.slice(2);
if (!pictures) {
  console.error("usage: run.mjs BINARY CHROMIUM FOLDER_FOR_PICTURES [PART_OF_A_NAME]");
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), "plimsoll-dashboard-"));
const address = `127.0.0.1:${await freePort()}`;
let bot;
let browser;

/** Leaves at once without leaving a process behind. */
function end(code) {
  bot?.child.kill("SIGKILL");
  process.exit(code);
}
const outOfTime = setTimeout(() => {
  console.error(`not done after ${RUN_MAX_MS / 1000} s`);
  end(1);
}, RUN_MAX_MS);
process.on("SIGTERM", () => end(143));
process.on("SIGINT", () => end(130));

/** What all checks know; the session, once there is one. */
const shared = {};

/** A page of its own context, logged in if somebody is; what goes wrong on it is kept in `problems`. */
async function open(options = {}) {
  const usual = { viewport: { width: 1440, height: 900 }, locale: "en-GB", colorScheme: "light", storageState: shared.session };
  const context = await browser.newContext({ ...usual, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // A refusal that a check provokes is no mistake of the page; the browser notes it all the same.
    if (message.type() === "error" && !/status of (401|409|429)/.test(message.text())) problems.push(message.text());
  });
  page.on("request", (request) => {
    const { host, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && host !== address) problems.push(`the page asked ${host}`);
  });
  return { page, problems };
}

let passed = 0;
const failed = [];
try {
  bot = await Bot.start(binary, folder, address);
  await bot.ready();
  // Without a sandbox, because tests also run as root in containers; the page is our own.
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
  const world = { bot, browser, open, base: `http://${address}`, pictures, shared };
  for (const [name, check] of Object.entries(checks)) {
    if (!name.includes(part) && shared.session) continue; // Nothing can be seen before somebody is logged in.
    const began = Date.now();
    const opened = [];
    const tracked = { ...world, open: async (options) => (opened.push(await open(options)), opened.at(-1)) };
    try {
      await check(tracked);
      const problems = opened.flatMap((one) => one.problems);
      if (problems.length > 0) throw new Error(`the page said: ${problems.join("; ")}`);
      passed += 1;
      console.log(`ok      ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed.push(name);
      console.log(`FAILED  ${name}: ${error.message}`);
      const picture = join(pictures, "dashboard-failed.png");
      await opened
        .at(-1)
        ?.page.screenshot({ path: picture })
        .catch(() => {});
    }
    for (const { page } of opened) await page.context().close();
    if (failed.length > 0 && !shared.session) break; // Nobody is logged in: nothing else can be seen.
  }
} catch (error) {
  failed.push("start");
  console.error(error.message);
} finally {
  await browser?.close();
  const code = bot ? await bot.stop() : 0;
  if (code !== 0) failed.push(`the bot ended with ${code} after SIGINT`);
}
if (failed.length > 0) console.error(["the bot's last lines:", ...(bot?.tail ?? [])].join("\n  "));
await rm(folder, { recursive: true, force: true });
clearTimeout(outOfTime);
console.log(`dashboard: ${passed} passed, ${failed.length} failed`);
process.exit(failed.length === 0 && passed > 0 ? 0 : 1);
