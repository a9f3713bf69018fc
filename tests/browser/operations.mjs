// operations.mjs BASE: the views of operations on the page of the gateway at this URL, in a browser. It takes a line of JSON for each
// story, {number, story, arguments}, and gives one, {number, told, faults} or {number, error, faults}.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const BASE = process.argv[2];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
const faults = []; // what a page complains of: scripts, the policy
const LONG_ENOUGH = 20000;

async function open(hash, token) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
  await context.addInitScript((proof) => sessionStorage.setItem("passerelle-proof", proof), `Bearer ${token}`);
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`${hash}: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && !/status of 4\d\d/.test(message.text()) && faults.push(`${hash}: ${message.text()}`));
  await page.goto(`${BASE}/${hash}`);
  await page.waitForFunction(() => document.querySelector("#view")?.childElementCount && !document.querySelector("#view").innerText.includes("Loading…"),
    null, { timeout: LONG_ENOUGH });
  return page;
}

const focused = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return { tag: at.tagName, text: at.innerText?.trim() ?? "", dialog: Boolean(at.closest("dialog")), seen: getComputedStyle(at).outlineStyle !== "none" };
});

// Tab until the element with this text has the focus.
async function tabTo(page, text, most = 200) {
  for (let n = 0; n < most; n++) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    if (at.text === text) return at;
  }
  throw new Error(`${text} cannot be reached by the keyboard`);
}

const stories = {
  // An action by the keyboard alone: to its button, the reason, send, and back.
  async typed(hash, token, button, why) {
    const page = await open(hash, token);
    const told = { button: await tabTo(page, button) };
    await page.keyboard.press("Enter");
    for (told.first = await focused(page); (await focused(page)).tag !== "TEXTAREA";) await page.keyboard.press("Tab");
    await page.keyboard.type(why);
    await tabTo(page, button, 5);
    await page.keyboard.press("Enter");
    await page.locator("dialog .result .notice").waitFor({ timeout: LONG_ENOUGH });
    told.result = await page.locator("dialog .result").innerText();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("dialog"));
    told.back = await focused(page);
    await page.context().close();
    return told;
  },

  // An action without a reason is not sent.
  async unreasoned(hash, token, button) {
    const page = await open(hash, token);
    let sent = 0;
    page.on("request", (request) => { sent += request.method() === "POST"; });
    await page.getByRole("main").getByRole("button", { name: button, exact: true }).first().click();
    await page.locator("dialog").getByRole("button", { name: button, exact: true }).click();
    await page.waitForTimeout(200);
    const told = { sent, open: await page.locator("dialog[open]").count() };
    await page.context().close();
    return told;
  },

  // The drawing of the evidence.
  async drawing(hash, token) {
    const page = await open(hash, token);
    await page.locator("svg polyline").waitFor({ state: "attached" });
    const told = await page.evaluate(() => ({
      label: document.querySelector("figure.wealth svg").getAttribute("aria-label"),
      points: document.querySelector("figure.wealth polyline").getAttribute("points").split(" ").map((point) => point.split(",").map(Number)),
      limit: Number(document.querySelector("figure.wealth line.limit").getAttribute("y1")),
      acts: [...document.querySelectorAll("figure.wealth circle title")].map((title) => title.textContent),
      texts: [...document.querySelectorAll("figure.wealth text")].map((text) => text.textContent),
    }));
    await page.context().close();
    return told;
  },

  // What is shown changes by itself when this text comes; what was opened and typed stays.
  async live(hash, token, text) {
    const page = await open(hash, token);
    const loads = [];
    page.on("framenavigated", () => loads.push(1));
    await page.locator("main details").first().locator("summary").click();
    console.log(JSON.stringify({ number: now, ready: true }));
    await page.waitForFunction((wanted) => document.querySelector("main").innerText.includes(wanted), text, { timeout: LONG_ENOUGH });
    const told = { loads: loads.length, open: await page.locator("main details").first().getAttribute("open") !== null };
    await page.context().close();
    return told;
  },

  // A form of filters, and where it leads.
  async filtered(hash, token, name, value) {
    const page = await open(hash, token);
    const field = page.locator(`main form [name="${name}"]`);
    if (await field.evaluate((node) => node.tagName) === "SELECT") await field.selectOption(value);
    else {
      await field.fill(value);
      await field.press("Enter");
    }
    await page.waitForFunction((was) => location.hash !== was, hash);
    await page.waitForFunction(() => !document.querySelector("#view").innerText.includes("Loading…"));
    const told = { hash: await page.evaluate(() => location.hash), text: await page.locator("main").innerText() };
    await page.context().close();
    return told;
  },
};

let now = 0; // the number of the story that is told

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  now = wanted.number;
  faults.length = 0;
  try {
    console.log(JSON.stringify({ number: now, told: await stories[wanted.story](...wanted.arguments), faults }));
  } catch (error) {
    console.log(JSON.stringify({ number: now, error: String(error.stack), faults }));
    for (const context of browser.contexts()) await context.close();
  }
}
await browser.close();
