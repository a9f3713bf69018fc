// uplot.mjs FILE: uPlot as the operators' page has it, made of the npm package: minified, without the kinds of lines that are not drawn there.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import esbuild from "esbuild";

const UNUSED = /^\t\(paths\.(stepped|bars|spline) .*\n/gm;
const whole = readFileSync(createRequire(import.meta.url).resolve("uplot/dist/uPlot.esm.js"), "utf8");
if (whole.match(UNUSED).length !== 3) throw new Error("uPlot has changed: see which kinds of lines it has now");
await esbuild.build({ stdin: { contents: whole.replace(UNUSED, "") }, bundle: true, minify: true, format: "esm", legalComments: "none",
  banner: { js: "/*! https://github.com/leeoniya/uPlot 1.6.32, lines only: see uPlot.LICENSE */" }, outfile: process.argv[2], logLevel: "error" });
