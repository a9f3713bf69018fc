// drive.mjs bundle FILE: the page's script in one file.
// drive.mjs PROFILE: a browser. It takes a line of JSON for each story, {page, story, arguments}, and gives one,
// {told} or {error}.
import { createInterface } from "node:readline";
import esbuild from "esbuild";
import { chromium } from "playwright-core";

if (process.argv[2] === "bundle") {
  await esbuild.build({ entryPoints: ["page.mjs"], bundle: true, outfile: process.argv[3], logLevel: "error" });
  process.exit(0);
}

const context = await chromium.launchPersistentContext(process.argv[2], {
  executablePath: "/usr/bin/chromium",
  headless: true,
  ignoreHTTPSErrors: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const page = await context.newPage();
for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  try {
    await page.goto(wanted.page);
    const told = await page.evaluate(({ story, given }) => window.stories[story](...given),
      { story: wanted.story, given: wanted.arguments });
    console.log(JSON.stringify({ told }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await context.close();
