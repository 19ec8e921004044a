// Makes the pictures in docs/: pictures.mjs BINARY CHROMIUM FOLDER [MINUTES]. The bot trades so long on its local exchange before.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

import { Bot, freePort } from "./bot.mjs";

const [binary, browserPath, pictures, minutes = "3"] = process.argv.slice(2);
const LIVELINESS = 4;
const SETTLE_MS = 2_500;
const PASSWORD = "for the pictures alone";

/** Name, address, look, size. */
const VIEWS = [
  ["overview", "", "light", "wide"],
  ["symbol", "symbol/BTCUSDT", "dark", "wide"],
  ["orders", "orders", "light", "wide"],
  ["strategies", "strategies", "light", "wide"],
  ["risk", "risk", "light", "wide"],
  ["system", "system", "dark", "wide"],
  ["logs", "logs", "light", "wide"],
  ["settings", "settings", "light", "wide"],
  ["phone-overview", "", "dark", "phone"],
  ["phone-symbol", "symbol/ETHUSDT", "light", "phone"],
];
const SIZES = { wide: { width: 1440, height: 900 }, phone: { width: 375, height: 812 } };

const folder = await mkdtemp(join(tmpdir(), "plimsoll-pictures-"));
const bot = await Bot.start(binary, folder, `127.0.0.1:${await freePort()}`, LIVELINESS);
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  await bot.ready();
  const usual = { locale: "en-GB", timezoneId: "Europe/London" };
  const entry = await (await browser.newContext({ ...usual, viewport: SIZES.wide })).newPage();
  await entry.goto(bot.link);
  await entry.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
  await entry.screenshot({ path: join(pictures, "setup.png") });
  await entry.getByRole("textbox", { name: "The same again" }).fill(PASSWORD);
  await entry.keyboard.press("Enter");
  await entry.getByRole("heading", { name: "Overview" }).waitFor();
  const storageState = await entry.context().storageState();
  await sleep(Number(minutes) * 60_000);
  for (const [name, hash, colorScheme, size] of VIEWS) {
    const context = await browser.newContext({ ...usual, storageState, colorScheme, viewport: SIZES[size] });
    const page = await context.newPage();
    await page.goto(`http://${bot.address}/#/${hash}`);
    await page.waitForTimeout(SETTLE_MS);
    await page.screenshot({ path: join(pictures, `${name}.png`) });
    if (name === "overview") {
      await page.getByRole("button", { name: "Flatten all" }).click();
      await page.getByRole("dialog").locator("code").waitFor();
      await page.screenshot({ path: join(pictures, "flatten.png") });
    }
    await context.close();
  }
} finally {
  await browser.close();
  await bot.stop();
  await rm(folder, { recursive: true, force: true });
}
