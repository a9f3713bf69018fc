// operators.mjs BASE: the operators' page of the gateway at this URL, in a browser. It takes a line of JSON for each story,
// {number, story, arguments}, and gives one, {number, told, faults} or {number, error, faults}.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const BASE = process.argv[2];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"] });

// ---- a page -----------------------------------------------------------------------------------------

const faults = []; // what a page complains of: scripts, the policy

async function open(hash, { token = null, width = 1280, scheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion: "reduce" });
  if (token) await context.addInitScript((proof) => sessionStorage.setItem("passerelle-proof", proof), `Bearer ${token}`);
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`${hash}: ${error.message}`));
  page.on("console", (message) => {
    // The machine's network has changed, not ours: another container came or went.
    if (message.text().includes("ERR_NETWORK_CHANGED")) context.changed = true;
    else if (message.type() === "error" && !/status of (4\d\d|503)/.test(message.text())) faults.push(`${hash}: ${message.text()}`);
  });
  page.on("dialog", (dialog) => { faults.push(`${hash}: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(`${BASE}/${hash}`);
  await loaded(page);
  if (context.changed) await page.reload().then(() => loaded(page));
  return page;
}

// All pages of the view are there.
async function loaded(page) {
  await page.waitForFunction(() => document.querySelector("#view")?.ariaBusy === "false" && document.querySelector("#view").dataset.at === location.hash,
    null, { timeout: 20000 });
}

// The same page at another hash, as a link leads there.
async function visit(page, hash) {
  await page.evaluate((to) => { location.hash = to; }, hash);
  await loaded(page);
}

const close = (page) => page.context().close();

const rowsOf = (page, caption) => page.evaluate((wanted) => {
  const table = [...document.querySelectorAll("table")].find((one) => one.caption?.innerText === wanted || one.caption?.textContent === wanted);
  return table && [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerText.trim()));
}, caption);

const focused = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return { tag: at.tagName, id: at.id, text: at.innerText?.trim().slice(0, 60) ?? "", dialog: Boolean(at.closest("dialog")),
    outlined: at.matches(":focus-visible") && getComputedStyle(at).outlineStyle !== "none" };
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

// ---- stories ----------------------------------------------------------------------------------------

const stories = {
  // What a view shows: its text, tables by their captions, links.
  async seen(hash, options) {
    const page = await open(hash, options);
    const told = await page.evaluate(() => ({
      title: document.querySelector("h1").innerText, text: document.querySelector("main").innerText, who: document.querySelector("#who").innerText,
      tables: Object.fromEntries([...document.querySelectorAll("table")].filter((table) => table.caption).map((table) =>
        [table.caption.textContent, [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))])),
      links: [...document.querySelectorAll("main a")].map((a) => [a.innerText.trim(), a.getAttribute("href")]),
      troubles: [...document.querySelectorAll(".trouble")].map((row) => [row.querySelector(".badge bdi").innerText, row.querySelector("a").innerText,
        row.querySelector(".why")?.innerText ?? "", row.querySelector("a").getAttribute("href")]),
      buttons: [...document.querySelectorAll("main button:not(.sort)")].map((button) => button.innerText.trim()),
      steps: [...document.querySelectorAll(".path > li")].map((step) => step.innerText),
    }));
    await close(page);
    return told;
  },

  // Clicks from the overview, by the texts of links; what is then shown.
  async ways(token, ...texts) {
    const page = await open("#/overview", { token });
    for (const text of texts) {
      await page.getByRole("main").getByRole("link", { name: text, exact: false }).first().click();
      await loaded(page);
    }
    const told = { hash: await page.evaluate(() => location.hash), text: await page.locator("main").innerText() };
    await close(page);
    return told;
  },

  // Opens the dialog of a button, fills its fields in, sends it; what it then says.
  async act(hash, token, button, fields) {
    const page = await open(hash, { token });
    await page.getByRole("main").getByRole("button", { name: button, exact: true }).first().click();
    const dialog = page.locator("dialog");
    for (const [label, value] of Object.entries(fields)) await dialog.getByLabel(label, { exact: true }).fill(value);
    await dialog.getByRole("button", { name: button, exact: true }).click();
    await dialog.locator(".result .notice").waitFor();
    const told = await dialog.locator(".result").innerText();
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.waitForFunction(() => !document.querySelector("dialog"));
    await close(page);
    return told;
  },

  // Waits until the text of a view has this, in a page that is open already; what had the focus still has it.
  async live(hash, token, text) {
    const page = await open(hash, { token });
    const input = page.getByLabel("Text", { exact: false }).first();
    await input.focus();
    await page.evaluate(() => { window.same = document.querySelector("main input"); });
    console.log(JSON.stringify({ number: now, ready: true }));
    await page.waitForFunction((wanted) => document.querySelector("main").innerText.includes(wanted), text, { timeout: 20000 });
    const told = await page.evaluate(() => ({ focus: document.activeElement === window.same, state: document.querySelector("#live").innerText }));
    await close(page);
    return told;
  },

  // Filters and sorting of a table.
  async sorted(hash, token, caption, column, filter) {
    const page = await open(hash, { token });
    const told = { before: await rowsOf(page, caption) };
    await page.getByRole("button", { name: column, exact: true }).click();
    await page.waitForSelector("th[aria-sort]");
    told.first = [await page.getAttribute("th[aria-sort]", "aria-sort"), await rowsOf(page, caption)];
    await page.getByRole("button", { name: column }).first().click();
    await page.waitForFunction((was) => document.querySelector("th[aria-sort]").getAttribute("aria-sort") !== was, told.first[0]);
    told.second = [await page.getAttribute("th[aria-sort]", "aria-sort"), await rowsOf(page, caption)];
    await page.getByLabel("Text", { exact: false }).first().fill(filter);
    await page.waitForFunction((n) => (document.querySelector("tbody")?.rows.length ?? 0) !== n, told.before.length);
    told.filtered = await rowsOf(page, caption);
    told.hash = await page.evaluate(() => location.hash);
    await close(page);
    return told;
  },

  // By the keyboard alone: skip link, navigation, a dialog and back.
  async keyboard(hash, token) {
    const page = await open(hash, { token });
    const told = {};
    await page.keyboard.press("Tab");
    told.skip = await focused(page);
    await page.keyboard.press("Enter");
    told.main = await focused(page);
    told.reached = [];
    for (let n = 0; n < 60 && !told.button; n++) {
      await page.keyboard.press("Tab");
      const at = await focused(page);
      told.reached.push(at);
      if (at.text === "Annotate") told.button = at;
    }
    await page.keyboard.press("Enter");
    told.dialog = await focused(page);
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("dialog"));
    told.back = await focused(page);
    await close(page);
    return told;
  },

  // What axe-core finds in each view.
  async axe(hashes, token, scheme) {
    const found = [];
    const page = await open(hashes[0], { token, scheme });
    await page.evaluate(AXE);
    for (const hash of hashes) {
      await visit(page, hash);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, impact, nodes } of violations)
        found.push({ hash, id, impact, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`) });
    }
    await close(page);
    return found;
  },

  // Whether what others have said does more than being shown: {hash: [what is wrong]}.
  async harmless(hashes, token, widths) {
    const told = {};
    const page = await open(hashes[0], { token, width: widths[0] });
    for (const hash of hashes) {
      told[hash] = [];
      await visit(page, hash);
      for (const width of widths) {
        await page.setViewportSize({ width, height: 900 });
        await page.waitForTimeout(50);
        told[hash].push(...await page.evaluate((width) => {
          const wrong = [];
          if (document.title.includes("owned")) wrong.push("a script has run");
          for (const node of document.querySelectorAll("main img, main script, main iframe, main [onerror], main [style*=url]")) wrong.push(node.outerHTML.slice(0, 200));
          if (document.documentElement.scrollWidth > window.innerWidth) wrong.push(`${document.documentElement.scrollWidth} wide at ${width}`);
          if (/[\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText)) wrong.push("text is turned around");
          const high = [...document.querySelectorAll("main tr, main li")].map((row) => row.offsetHeight).filter((height) => height > 700);
          if (high.length) wrong.push(`rows are ${high} high at ${width}`);
          return wrong;
        }, width));
      }
    }
    await close(page);
    return told;
  },

  // The token is typed in, and forgotten.
  async signed(token) {
    const page = await open("#/ledger");
    const who = () => page.locator("#who").innerText();
    const told = { before: [await who(), await page.locator("main").innerText()] };
    const sign = async (text) => {
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator("dialog").getByLabel("Token").fill(text);
      await page.locator("dialog").getByRole("button", { name: "Sign in" }).click();
    };
    await sign("wrong".repeat(8));
    await page.locator("dialog .notice.bad").waitFor();
    told.wrong = await page.locator("dialog .notice").innerText();
    await page.keyboard.press("Escape");
    await sign(token);
    await page.waitForFunction(() => document.querySelector("#who").innerText.includes("Sign out"));
    await loaded(page);
    told.after = [await who(), await page.locator("main").innerText()];
    told.kept = await page.evaluate(() => [Object.keys(localStorage), document.cookie]);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForFunction(() => document.querySelector("#who").innerText.includes("Sign in"));
    told.out = [await who(), await page.evaluate(() => sessionStorage.length)];
    await close(page);
    return told;
  },

  async theme() {
    const page = await open("#/fleet", { scheme: "dark" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const told = [await ground()];
    await page.getByRole("button", { name: "Theme" }).click();
    told.push(await ground());
    await page.reload();
    await loaded(page);
    told.push(await ground());
    await close(page);
    return told;
  },

  // An action by the keyboard alone: to its button, the reason, send, and back.
  async typed(hash, token, button, why) {
    const page = await open(hash, { token });
    const told = { button: await tabTo(page, button) };
    await page.keyboard.press("Enter");
    for (told.first = await focused(page); (await focused(page)).tag !== "TEXTAREA";) await page.keyboard.press("Tab");
    await page.keyboard.type(why);
    await tabTo(page, button, 5);
    await page.keyboard.press("Enter");
    await page.locator("dialog .result .notice").waitFor({ timeout: 20000 });
    told.result = await page.locator("dialog .result").innerText();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("dialog"));
    told.back = await focused(page);
    await close(page);
    return told;
  },

  // An action without a reason is not sent.
  async unreasoned(hash, token, button) {
    const page = await open(hash, { token });
    let sent = 0;
    page.on("request", (request) => { sent += request.method() === "POST"; });
    await page.getByRole("main").getByRole("button", { name: button, exact: true }).first().click();
    await page.locator("dialog").getByRole("button", { name: button, exact: true }).click();
    await page.waitForTimeout(200);
    const told = { sent, open: await page.locator("dialog[open]").count() };
    await close(page);
    return told;
  },

  // The drawing of the evidence.
  async drawing(hash, token) {
    const page = await open(hash, { token });
    await page.locator("svg polyline").waitFor({ state: "attached" });
    const told = await page.evaluate(() => ({
      label: document.querySelector("figure.wealth svg").getAttribute("aria-label"),
      points: document.querySelector("figure.wealth polyline").getAttribute("points").split(" ").map((point) => point.split(",").map(Number)),
      limit: Number(document.querySelector("figure.wealth line.limit").getAttribute("y1")),
      acts: [...document.querySelectorAll("figure.wealth circle title")].map((title) => title.textContent),
      texts: [...document.querySelectorAll("figure.wealth text")].map((text) => text.textContent),
    }));
    await close(page);
    return told;
  },

  // What is shown changes by itself when this text comes; what was opened and typed stays.
  async changes(hash, token, text) {
    const page = await open(hash, { token });
    const loads = [];
    page.on("framenavigated", () => loads.push(1));
    await page.locator("main details").first().locator("summary").click();
    console.log(JSON.stringify({ number: now, ready: true }));
    await page.waitForFunction((wanted) => document.querySelector("main").innerText.includes(wanted), text, { timeout: 20000 });
    const told = { loads: loads.length, open: await page.locator("main details").first().getAttribute("open") !== null };
    await close(page);
    return told;
  },

  // A form of filters, and where it leads.
  async filtered(hash, token, name, value) {
    const page = await open(hash, { token });
    const field = page.locator(`main form [name="${name}"]`);
    if (await field.evaluate((node) => node.tagName) === "SELECT") await field.selectOption(value);
    else {
      await field.fill(value);
      await field.press("Enter");
    }
    await page.waitForFunction((was) => location.hash !== was, hash);
    await loaded(page);
    const told = { hash: await page.evaluate(() => location.hash), text: await page.locator("main").innerText() };
    await close(page);
    return told;
  },

  async picture(file, hash, token, width, scheme, height) {
    const page = await open(hash, { token, width, scheme });
    await page.waitForTimeout(2500);
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: file });
    await close(page);
    return file;
  },
};

let now = 0; // the number of the story that is told

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  now = wanted.number;
  faults.length = 0;
  try {
    const told = await stories[wanted.story](...wanted.arguments);
    console.log(JSON.stringify({ number: now, told, faults }));
  } catch (error) {
    console.log(JSON.stringify({ number: now, error: String(error.stack), faults }));
    for (const context of browser.contexts()) await context.close();
  }
}
await browser.close();
