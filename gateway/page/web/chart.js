// A chart over time, drawn by uPlot, with the same figures as text for those who do not see it.
import { h, number } from "./dom.js";
import uPlot from "./vendor/uPlot.js";

const HEIGHT = 160;

// A colour of app.css in the present theme: only as the colour of a node it is resolved.
function colour(host, name) {
  host.style.color = `var(${name})`;
  const resolved = getComputedStyle(host).color;
  host.style.color = "";
  return resolved;
}

function optionsOf(host, { series, unit }, width) {
  const two = (n) => String(n).padStart(2, "0");
  const clock = (seconds) => { const at = new Date(seconds * 1000); return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":"); };
  const axis = { stroke: colour(host, "--muted"), grid: { stroke: colour(host, "--line"), width: 1 }, ticks: { stroke: colour(host, "--line"), width: 1 } };
  return {
    width, height: HEIGHT, legend: { live: true }, cursor: { drag: { x: false, y: false } },
    scales: { x: { range: (_, least, most) => [Math.min(least, most - 60), most] }, y: { range: (_, __, most) => [0, Math.max(most, 1) * 1.1] } },
    axes: [{ ...axis, space: 90, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => `${number(tick)}${unit ?? ""}`) }],
    series: [{ label: "time", value: (_, at) => (at === null ? "–" : clock(at)) }, ...series.map(({ label, tone }, at) => ({
      label, stroke: colour(host, `--${tone ?? "accent"}`), width: 1.5, dash: at % 2 ? [5, 3] : undefined, points: { show: false },
      value: (_, value) => (value === null ? "–" : `${number(value)}${unit ?? ""}`) }))],
  };
}

/** chart({label, times, series: [{label, values, tone}], unit}): `times` are seconds since 1970, `values` numbers or null,
 *  `tone` a colour of app.css (accent, good, warn, bad, muted). */
export function chart(given) {
  const host = h("figure", { class: "chart", "aria-label": `${given.label}: ${toldAs(given)}`, role: "img" });
  let plot = null;
  let now = given;
  const data = () => [now.times, ...now.series.map(({ values }) => values)];

  function draw() {
    plot?.destroy();
    plot = new uPlot(optionsOf(host, now, host.clientWidth || 300), data(), host);
  }

  // A frame later it is in the page and has a width; when it leaves the page it has none.
  const seen = new ResizeObserver(() => {
    if (!host.isConnected) return document.removeEventListener("theme", draw);
    document.addEventListener("theme", draw);
    if (!plot) draw();
    else if (plot.width !== host.clientWidth) plot.setSize({ width: host.clientWidth, height: HEIGHT });
  });
  seen.observe(host);

  host.given = given;
  host.become = (made) => {
    const other = String(now.series.map(({ label }) => label)) !== String(made.given.series.map(({ label }) => label));
    now = made.given;
    host.setAttribute("aria-label", made.getAttribute("aria-label"));
    if (other) draw();
    else plot?.setData(data());
  };
  return host;
}

function toldAs({ series, unit }) {
  return series.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    if (!known.length) return `${label} has no values`;
    return `${label} now ${number(known.at(-1))}${unit ?? ""}, at most ${number(Math.max(...known))}${unit ?? ""}`;
  }).join("; ");
}
