// What the dashboard must do. Each check has a page of its own; they run in this order on one bot.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Each page, and what shows that it has live data of the bot. */
const PAGES = {
  "": async (page) => {
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.getByRole("row", { name: /BTCUSDT/ }).waitFor();
    await page
      .getByRole("row", { name: /ETHUSDT/ })
      .getByText("Trading")
      .waitFor();
    await page.locator("dd").filter({ hasText: /\d/ }).first().waitFor();
  },
  "symbol/BTCUSDT": async (page) => {
    await page.locator(".candles canvas").first().waitFor();
    await page.getByRole("region", { name: "Slots and orders" }).getByText("Buy").first().waitFor();
  },
  orders: async (page) => {
    await page.getByRole("cell", { name: "Open", exact: true }).first().waitFor();
  },
  strategies: async (page) => {
    await page.getByRole("row", { name: /ETHUSDT 0 Grid/ }).waitFor();
    await page.getByText("price_interval").first().waitFor();
  },
  risk: async (page) => {
    await page.getByText("Green", { exact: true }).first().waitFor();
    await page.getByText("Nothing stops trading").waitFor();
    await page
      .getByRole("region", { name: "Comparisons with the exchange" })
      .getByRole("row", { name: /BTCUSDT/ })
      .waitFor();
  },
  system: async (page) => {
    await page.getByRole("rowheader", { name: "process.code" }).waitFor();
    await page.getByRole("rowheader", { name: "storage/writer" }).waitFor();
    await page.getByRole("meter", { name: "Request weight this minute" }).waitFor();
    await page.getByRole("img", { name: /resident, .* of the budget/ }).waitFor();
  },
  logs: async (page) => {
    await page.locator(".lines .line").first().waitFor();
  },
  settings: async (page) => {
    await page.getByText("this one").waitFor();
  },
  "settings/tokens": async (page) => {
    await page.getByRole("button", { name: "Make token" }).waitFor();
  },
  "settings/audit": async (page) => {
    await page.getByRole("rowheader", { name: "owner" }).first().waitFor();
  },
};

async function go(page, base, hash) {
  await page.goto(`${base}/#/${hash}`);
}

async function seriousFindings(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((one) => one.impact === "serious" || one.impact === "critical")
    .map(
      (one) =>
        `${one.id}: ${one.nodes
          .slice(0, 3)
          .map((node) => node.html.slice(0, 140))
          .join(" | ")}`,
    );
}

async function tooWide(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

/** What an authenticator app shows for a secret (RFC 6238). */
function oneTimeCode(secret, ms = Date.now()) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replaceAll("=", "")].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(ms / 30_000)));
  const hash = createHmac("sha1", key).update(counter).digest();
  const from = hash.at(-1) & 15;
  return String((hash.readUInt32BE(from) & 0x7fff_ffff) % 1_000_000).padStart(6, "0");
}

const PASSWORD = "plumb line and sounding lead";
const OTHER = "another line and another lead";

export const checks = {
  "without a password there is nothing but the way in": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "system");
    await page.getByText("The bot printed a link").waitFor();
    assert.equal(await page.getByRole("navigation").count(), 0);
  },

  "the printed link sets the password once": async ({ open, base, bot, shared }) => {
    assert(bot.link, "the bot printed no link");
    const { page } = await open();
    await page.goto(bot.link);
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
    await page.getByRole("textbox", { name: "The same again" }).fill(PASSWORD);
    await page.getByRole("button", { name: "Set password and enter" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    assert(!page.url().includes("code="), "the code stays in the address");
    shared.session = await page.context().storageState();
    const { page: stranger } = await open({ storageState: undefined });
    await stranger.goto(bot.link);
    await stranger.getByRole("button", { name: "Log in" }).waitFor();
  },

  "a session can be left, and the password lets one in again": async ({ open, base, shared }) => {
    const { page } = await open();
    await go(page, base, "");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(`${PASSWORD}!`);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("The password is wrong.").waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    shared.session = await page.context().storageState();
  },

  "the first view is small": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "");
    await PAGES[""](page);
    const bytes = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter((one) => !new URL(one.name).pathname.startsWith("/api"))
        .reduce((sum, one) => sum + one.encodedBodySize, 0),
    );
    assert(bytes > 50_000 && bytes < 300_000, `${bytes} bytes`);
  },

  "every page shows the running bot": async ({ open, base }) => {
    for (const [hash, shows] of Object.entries(PAGES)) {
      const { page } = await open();
      await go(page, base, hash);
      await shows(page).catch((error) => assert.fail(`#/${hash}: ${error.message.split("\n")[0]}`));
    }
  },

  "prices move by themselves": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "symbol/BTCUSDT");
    const price = page.locator("output.price");
    await price.waitFor();
    const before = await price.innerText();
    await page.waitForFunction((old) => document.querySelector("output.price")?.textContent !== old, before);
  },

  "a phone's width needs no sideways scrolling": async ({ open, base }) => {
    for (const [hash, shows] of Object.entries(PAGES)) {
      const { page } = await open({ viewport: { width: 375, height: 812 }, hasTouch: true });
      await go(page, base, hash);
      await shows(page);
      assert((await tooWide(page)) <= 0, `#/${hash} is too wide by ${await tooWide(page)} pixels`);
    }
    const { page } = await open({ viewport: { width: 375, height: 812 }, hasTouch: true });
    await go(page, base, "");
    await page.getByRole("button", { name: "More", exact: true }).tap();
    await page
      .getByRole("dialog")
      .getByRole("link", { name: /ETHUSDT/ })
      .tap();
    await page.getByRole("heading", { name: "ETHUSDT" }).waitFor();
  },

  "the keyboard alone reaches everything": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "");
    await PAGES[""](page);
    await page.keyboard.press("Tab");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip/);
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const seen = new Set();
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        const ring = getComputedStyle(element);
        return {
          name: element.getAttribute("href") ?? element.textContent.trim(),
          ring: ring.outlineStyle !== "none" && ring.outlineWidth !== "0px",
          body: element === document.body,
        };
      });
      if (!at.body) assert(at.ring, `the focus on “${at.name}” cannot be seen`);
      seen.add(at.name);
    }
    for (const link of ["#/orders", "#/risk", "#/system", "#/logs", "#/symbol/BTCUSDT"]) assert(seen.has(link), `${link} is not reached`);
    await page.locator('nav a[href="#/system"]').first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "System" }).waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "main");
  },

  "axe finds nothing serious": async ({ open, base }) => {
    for (const colorScheme of ["light", "dark"]) {
      for (const [hash, shows] of Object.entries(PAGES)) {
        const { page } = await open({ colorScheme });
        await go(page, base, hash);
        await shows(page);
        assert.deepEqual(await seriousFindings(page), [], `#/${hash} in ${colorScheme}`);
        // Twenty open pages would take all connections that the bot has for them.
        await page.context().close();
      }
    }
  },

  "Chinese and the dark side are a click away and stay": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "");
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByRole("heading", { name: "总览" }).waitFor();
    await page.getByRole("button", { name: "深色" }).click();
    await page.reload();
    await page.getByRole("heading", { name: "总览" }).waitFor();
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "dark");
  },

  "the page says when the bot is not heard, and comes back": async ({ open, base }) => {
    const { page, problems } = await open();
    let cut = false;
    const sockets = [];
    await page.routeWebSocket(/\/ws$/, (socket) => {
      if (cut) return socket.close();
      sockets.push(socket);
      socket.connectToServer();
    });
    await page.route("**/api/**", (route) => (cut ? route.abort() : route.continue()));
    await go(page, base, "");
    await PAGES[""](page);
    cut = true;
    for (const socket of sockets) await socket.close();
    await page
      .getByRole("alert")
      .getByText(/cannot be reached. What you see is \d+ s old/)
      .waitFor();
    cut = false;
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByRole("alert").waitFor({ state: "detached" });
    // The browser notes each request that was cut.
    problems.splice(0, problems.length, ...problems.filter((one) => !one.includes("ERR_FAILED")));
  },

  "a day of updates leaves the page no larger": async ({ open, base }) => {
    for (const hash of ["", "symbol/BTCUSDT"]) {
      const { page } = await open();
      await page.addInitScript(() => {
        const Plain = WebSocket;
        globalThis.WebSocket = class extends Plain {
          constructor(...given) {
            super(...given);
            if (!this.url.endsWith("/ws")) return;
            globalThis.socket = this;
            this.addEventListener("message", ({ data }) => {
              const message = JSON.parse(data);
              if (message.type === "pulse" && message.symbols.length > 0) globalThis.pulse = message;
            });
          }
        };
      });
      await go(page, base, hash);
      await PAGES[hash](page);
      await page.waitForFunction(() => globalThis.pulse);
      // What the bot said last is said again for each second of the hours to come.
      const live = (seconds) =>
        page.evaluate(async (seconds) => {
          const pulse = structuredClone(globalThis.pulse);
          for (let second = 0; second < seconds; second += 1) {
            pulse.time_ms += 1_000;
            for (const one of pulse.symbols) {
              one.time_ms += 1_000;
              one.price_time_ms = one.time_ms;
              one.price = (Number(one.price) * (1 + Math.sin(second) / 5_000)).toFixed(one.price_decimals);
            }
            globalThis.socket.onmessage({ data: JSON.stringify(pulse) });
            if (second % 100 === 0) await new Promise((done) => setTimeout(done, 0));
          }
        }, seconds);
      const devtools = await page.context().newCDPSession(page);
      const heap = async () => {
        await devtools.send("HeapProfiler.collectGarbage");
        return (await devtools.send("Runtime.getHeapUsage")).usedSize;
      };
      // Twelve hours fill everything that has a maximum.
      await live(43_200);
      const before = await heap();
      await live(43_200);
      const grown = (await heap()) - before;
      console.log(`        #/${hash}: ${(before / 1e6).toFixed(1)} MB after half a day, ${(grown / 1e6).toFixed(2)} MB more after a day`);
      assert(grown < 1_000_000, `#/${hash} grew by ${grown} bytes`);
    }
  },

  "pause and resume by click": async ({ open, base, bot }) => {
    const { page } = await open();
    await go(page, base, "symbol/BTCUSDT");
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await bot.until("BTCUSDT", "paused", (one) => one.closed !== null);
    await page.getByText("Nothing is opened").waitFor();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await bot.until("BTCUSDT", "opening again", (one) => one.closed === null);
  },

  "flatten says in numbers what it will do, and does it": async ({ open, base, bot }) => {
    const { page } = await open();
    await go(page, base, "symbol/BTCUSDT");
    await bot.until("BTCUSDT", "holding something", (one) => Number(one.holding) !== 0);
    await page.getByRole("button", { name: "Flatten", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("row", { name: /BTCUSDT/ }).waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    const does = dialog.getByRole("button", { name: "Flatten" });
    assert(await does.isDisabled(), "it can be done without the word");
    // What it is about changes while one reads; then the new word is asked for.
    for (let attempt = 0; attempt < 5 && (await dialog.isVisible()); attempt += 1) {
      await dialog.getByRole("textbox").fill(await dialog.locator("code").innerText());
      await does.click();
      await Promise.race([dialog.waitFor({ state: "hidden" }), dialog.getByRole("alert").waitFor()]);
    }
    await bot.until("BTCUSDT", "flat", (one) => Number(one.holding) === 0 && one.orders_working === 0);
    assert.equal((await bot.symbol("ETHUSDT")).closed, null, "another symbol was touched");
  },

  "orders are filtered and saved as a table": async ({ open, base, bot }) => {
    const { page } = await open();
    await go(page, base, "orders");
    await page.getByRole("rowheader", { name: "BTCUSDT" }).first().waitFor();
    await page.getByLabel("Symbol").selectOption("ETHUSDT");
    await page.getByLabel("State").selectOption("new");
    await page.getByLabel("Side").selectOption("buy");
    const rows = page.locator("tbody tr");
    await page.waitForFunction(() => {
      const all = [...document.querySelectorAll("tbody tr")];
      return all.length > 0 && all.every((row) => /ETHUSDT.*Buy.*Open/.test(row.textContent));
    });
    assert((await rows.count()) >= 1);
    const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
    const lines = (await readFile(await saved.path(), "utf8")).trim().split("\n");
    assert(
      lines.length > 1 && lines.slice(1).every((line) => line.includes("ETHUSDT") && line.includes("buy")),
      lines.slice(0, 3).join("\n"),
    );
    await page.getByRole("button", { name: "Fills" }).click();
    await bot.until("ETHUSDT", "traded", (one) => one.fills > 0);
    await page.reload();
    await page.getByRole("button", { name: "Fills" }).click();
    await page.getByRole("columnheader", { name: "Fee" }).waitFor();
    await page.getByRole("cell", { name: "maker" }).first().waitFor();
  },

  "a token works until it is revoked": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "settings/tokens");
    await page.getByLabel("Name").fill("a reader");
    await page.getByRole("button", { name: "Make token" }).click();
    const token = await page.getByText(/^plimsoll_/).innerText();
    const ask = () => fetch(`${base}/api/events`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await ask()).status, 200);
    await page
      .getByRole("row", { name: /a reader/ })
      .getByRole("button", { name: "Revoke" })
      .click();
    await page.getByRole("row", { name: /a reader/ }).waitFor({ state: "detached" });
    assert.equal((await ask()).status, 401);
  },

  "one-time codes are set up, asked for and removed": async ({ open, base }) => {
    const { page } = await open();
    await go(page, base, "settings");
    const form = page.getByRole("form", { name: "One-time codes" });
    await form.getByLabel("Current password").fill(PASSWORD);
    await form.getByRole("button", { name: "Set up" }).click();
    await form.getByRole("img", { name: /QR/ }).waitFor();
    const secret = (await form.locator(".secret").innerText()).trim();
    // A code is good once, so each step takes that of another half minute.
    await form.getByLabel("Code of the app").fill(oneTimeCode(secret, Date.now() - 30_000));
    await form.getByRole("button", { name: "Turn on" }).click();
    await page.getByText("Write these recovery codes down").waitFor();
    const recovery = await page.locator(".codes li").first().innerText();
    const { page: other } = await open({ storageState: undefined });
    await go(other, base, "");
    await other.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
    await other.keyboard.press("Enter");
    await other.getByLabel("One-time or recovery code").fill(oneTimeCode(secret));
    await other.keyboard.press("Enter");
    await other.getByRole("heading", { name: "Overview" }).waitFor();
    await page.getByLabel("Current password").last().fill(PASSWORD);
    await page.getByLabel("One-time or recovery code").fill(recovery);
    await page.getByRole("button", { name: "Turn off" }).click();
    await page.getByRole("button", { name: "Set up" }).waitFor();
  },

  "the password changes and all other sessions end": async ({ open, base, shared }) => {
    const { page: other } = await open();
    await go(other, base, "");
    await other.getByRole("heading", { name: "Overview" }).waitFor();
    const { page } = await open({ storageState: undefined });
    await go(page, base, "settings");
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByLabel("Current password").first().fill(PASSWORD);
    await page.getByLabel("New password").fill(OTHER);
    await page.getByRole("textbox", { name: "The same again" }).fill(OTHER);
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("The password is changed").waitFor();
    await go(other, base, "system");
    await other.reload();
    await other.getByRole("button", { name: "Log in" }).waitFor();
    shared.session = await page.context().storageState();
  },

  "a wrong password is throttled": async ({ open, base }) => {
    const { page } = await open({ storageState: undefined });
    await go(page, base, "");
    await page.getByRole("textbox", { name: "Password", exact: true }).fill("not the password at all");
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if (await page.getByRole("button", { name: /Try again in \d+ s/ }).count()) return;
      await page.keyboard.press("Enter");
      await Promise.race([page.waitForResponse(/login/), page.waitForTimeout(2_000)]);
      await page.waitForTimeout(50);
    }
    assert.fail("twenty wrong passwords were all answered at once");
  },
};
