// How the evidence against a candidate has grown: a drawing with a scale of powers of ten, and the same as a sentence.
import { h, number, svg } from "./shared.js";

const HEIGHT = 200, TOP = 18, BOTTOM = 18;
const LEAST = 0.01; // what is below is drawn there: it says the same
const LABEL_ROOM = 7; // percent of the width between two names of tiers

/** What is known of the present trial: the acts that the store keeps, and then what this process has seen. */
export function pointsOf(rollout) {
  const trail = rollout.trail ?? [];
  const first = trail.length ? Date.parse(trail[0].at) : Infinity;
  const acts = (rollout.history ?? []).filter((act) => act.trial === rollout.trial && act.deed?.judgement)
    .map((act) => ({ at: act.at, tier: act.deed.tier, wealth: act.deed.judgement.wealth ?? 0, act: act.deed.act })).reverse();
  return [...acts.filter((act) => Date.parse(act.at) < first), ...trail].map((point) => ({ ...point, time: Date.parse(point.at) }));
}

function scaleOf(points, limit) {
  const values = points.map(({ wealth }) => Math.max(wealth, LEAST));
  const low = Math.floor(Math.log10(Math.min(...values, 0.5)));
  const high = Math.max(Math.log10(Math.max(...values, limit)) + 0.15, low + 1);
  const y = (wealth) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (Math.log10(Math.max(wealth, LEAST)) - low) / (high - low));
  const every = Math.ceil((high - low) / 6);
  const ticks = [];
  for (let power = low; power <= high; power += every) ticks.push(10 ** power);
  const start = points[0].time, end = Math.max(points.at(-1).time, start + 1000);
  return { y, ticks, x: (time) => 100 * Math.min(1, Math.max(0, (time - start) / (end - start))), start, end };
}

function gridOf({ y, ticks }) {
  return ticks.map((tick) => [svg("line", { class: "grid", x1: "0", x2: "100%", y1: y(tick), y2: y(tick) }),
    svg("text", { x: "0", y: y(tick) - 3 }, tick < 1000 ? String(tick) : `10^${Math.round(Math.log10(tick))}`)]);
}

function tiersOf(points, { x }) {
  let told = -LABEL_ROOM;
  return points.map((point, at) => {
    if (at > 0 && points[at - 1].tier === point.tier) return null;
    const left = x(point.time), room = left - told >= LABEL_ROOM;
    if (room) told = left;
    return [at > 0 && svg("line", { class: "tier", x1: `${left}%`, x2: `${left}%`, y1: TOP, y2: HEIGHT - BOTTOM }),
      room && svg("text", { x: `${left}%`, y: 11, dx: at > 0 ? 3 : 0 }, `tier ${point.tier}`)];
  });
}

function actsOf(rollout, points, { x, y, start }) {
  return (rollout.history ?? []).filter((act) => act.trial === rollout.trial && Date.parse(act.at) >= start && act.deed)
    .map(({ at, deed }) => svg("circle", { class: deed.act === "rollback" || deed.judgement?.verdict === "bad" ? "act bad" : "act", r: 4,
      cx: `${x(Date.parse(at))}%`, cy: y(deed.judgement?.wealth ?? points[0].wealth) }, svg("title", {}, `${deed.act} by ${deed.who}`)));
}

function clock(time) {
  return new Date(time).toISOString().slice(11, 19);
}

function day(time) {
  return new Date(time).toISOString().slice(0, 10);
}

/** Null, where nothing was judged yet. */
export function evidence(rollout) {
  const points = pointsOf(rollout);
  const limit = rollout.judgement?.limit;
  if (!points.length || !(limit > 0)) return null;
  const scale = scaleOf(points, limit);
  const { x, y, start, end } = scale;
  const line = points.map((point) => `${(10 * x(point.time)).toFixed(1)},${y(point.wealth).toFixed(1)}`).join(" ");
  const now = points.at(-1).wealth;
  const most = Math.max(...points.map(({ wealth }) => wealth));
  const told = `Evidence against ${rollout.candidate}: now ${number(now)}, at most ${number(most)}; from ${number(limit)} on it is bad.`;
  const one = day(start) === day(end);
  return h("figure", { class: "wealth", "data-key": "wealth" },
    svg("svg", { role: "img", "aria-label": told, width: "100%", height: HEIGHT },
      gridOf(scale), tiersOf(points, scale),
      svg("line", { class: "limit", x1: "0", x2: "100%", y1: y(limit), y2: y(limit) }),
      svg("text", { class: "limit-text", x: "56", y: y(limit) - 4 }, `bad from ${number(limit)} on`),
      svg("svg", { x: "0", y: "0", width: "100%", height: HEIGHT, viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none" },
        svg("polyline", { class: "line", points: line })),
      actsOf(rollout, points, scale),
      svg("text", { x: "0", y: HEIGHT - 3 }, `${one ? "" : `${day(start)} `}${clock(start)}`),
      svg("text", { x: "100%", y: HEIGHT - 3, "text-anchor": "end" }, `${one ? "" : `${day(end)} `}${clock(end)} UTC`)),
    h("figcaption", {}, h("span", {}, h("span", { class: "key" }), `evidence that it is worse: now ${number(now)}`),
      h("span", {}, h("span", { class: "key limit" }), `the limit, ${number(limit)}`),
      h("span", {}, "Without a difference it stays about 1, and reaches the limit in one of ", number(limit), " rollouts at most.")));
}
