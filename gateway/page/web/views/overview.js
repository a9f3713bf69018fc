// What is wrong now, first; then the ways to the usual questions, and the services.
import { badge, h, link, name, number, percent, say, section, table, time } from "../dom.js";
import { chart } from "../chart.js";
import { PAGES, troubles } from "../troubles.js";

const WORDS = { bad: "urgent", warn: "look at it", info: "to know" };

function troubleRow({ key, tone, kind, what, why, when, to }) {
  return h("li", { "data-key": key, class: `trouble ${tone}` },
    h("span", { class: "kind" }, badge(kind, tone), h("span", { class: "hidden" }, ` (${WORDS[tone]})`)),
    h("div", { class: "what" }, h("a", { href: to }, h("bdi", {}, what)), why && h("p", { class: "why" }, h("bdi", {}, why))),
    h("span", { class: "since" }, when?.[1] && [`${when[0]} `, time(when[1])]));
}

let known = null; // the urgent ones that were shown before; null: not all pages have been there yet

function sayWhatIsNew(found) {
  const urgent = found.filter(({ tone }) => tone === "bad");
  const fresh = known && urgent.filter(({ key }) => !known.has(key));
  if (fresh?.length) say(`Wrong now: ${fresh.map(({ what }) => what).join(". ")}`);
  known = new Set(urgent.map(({ key }) => key));
}

function wrongNow(data) {
  const found = troubles(data);
  const loaded = PAGES.every((page) => data[page]);
  if (loaded) sayWhatIsNew(found);
  const unread = PAGES.filter((page) => data[page]?.failed && data[page].failed.status !== 404);
  return section("Wrong now",
    found.length ? h("ul", { class: "troubles" }, found.map(troubleRow))
      : !loaded ? h("p", { class: "empty" }, "Loading…") : !unread.length && h("p", { class: "notice good" }, "Nothing is wrong, as far as this gateway knows."),
    unread.length > 0 && h("div", { class: "notice warn" }, "There may be more: ", unread.map((page) => `${page}: ${data[page].failed.detail || data[page].failed.status}`).join(" · ")));
}

// ---- the usual questions, each with its answer and the way to more --------------------------------

const some = (list, many) => (list.length ? list : many);

function oldVersions({ services = [] }) {
  const old = services.flatMap(({ service, versions, cells }) => {
    const used = new Set(cells.filter(({ calls }) => calls > 0).map((cell) => cell.client_version));
    const before = versions.slice(0, -1).filter((version) => used.has(version));
    return before.length ? [link("matrix", { service, client: before[0] }, `${service} ${before.join(", ")}`)] : [];
  });
  return some(old.slice(0, 6).flatMap((node, at) => [at ? ", " : "", node]), "nobody");
}

function lossy({ services = [] }) {
  const n = services.flatMap(({ cells }) => cells).reduce((sum, cell) => sum + cell.losses, 0);
  return link("request", { lost: "true" }, n ? `the calls that lost a field (${number(n)} fields)` : "none has lost any");
}

function illInstances({ services = [] }) {
  const ill = services.flatMap(({ name: service, instances }) => instances.filter(({ up, barred }) => !up || barred.length)
    .map(({ address, up, barred }) => link("instances", { service }, `${address} of ${service} (${[up ? null : "down", ...barred].filter(Boolean).join(", ")})`)));
  return some(ill.slice(0, 6).flatMap((node, at) => [at ? ", " : "", node]), "none");
}

function stopped({ rollouts = [] }) {
  const all = rollouts.filter(({ state }) => state !== "running" && state !== "complete")
    .map(({ rollout, service, state }) => link("rollouts", { name: service }, `${rollout}: ${state}`));
  return some(all.flatMap((node, at) => [at ? ", " : "", node]), "none has stopped");
}

function questions(data) {
  const asked = [["Who still calls an old version?", "/matrix", oldVersions], ["Which call lost a field, and why?", "/matrix", lossy],
    ["Which instance is ill?", "/config", illInstances], ["Why did a rollout stop?", "/rollouts", stopped]];
  const told = asked.filter(([, page]) => data[page] && !data[page].failed);
  return told.length > 0 && section("Questions", h("dl", { class: "questions" },
    told.map(([question, page, answer]) => h("div", {}, h("dt", {}, question), h("dd", {}, answer(data[page]))))));
}

// ---- traffic while the page is open ---------------------------------------------------------------

const KEPT = 300; // samples
const samples = []; // {at, calls, errors}, of all services

function sumOf(cells) {
  const sum = (member) => cells.reduce((total, cell) => total + cell[member], 0);
  return { calls: sum("calls"), errors: sum("errors"), mistakes: sum("mistakes"), degraded: sum("degraded"), losses: sum("losses") };
}

const sumOfAll = ({ services }) => sumOf(services.flatMap(({ cells }) => cells));

function sample(matrix) {
  const at = Math.floor(Date.now() / 1000);
  const last = samples.at(-1);
  const now = { at, ...sumOfAll(matrix) };
  if (last && (now.calls < last.calls || at - last.at > 120)) samples.length = 0; // another process, or long ago
  if (!last || at > last.at) samples.push(now);
  if (samples.length > KEPT) samples.shift();
}

function rates(member) {
  return samples.map((one, at) => (at ? Math.max(0, (one[member] - samples[at - 1][member]) / (one.at - samples[at - 1].at)) : null));
}

function tile(label, value, note) {
  return h("li", { class: "tile" }, h("span", { class: "label" }, label), h("span", { class: "value" }, value), h("span", { class: "note" }, note));
}

function traffic(data) {
  const matrix = data["/matrix"];
  if (!matrix || matrix.failed) return null;
  sample(matrix);
  const { calls, errors, mistakes, degraded, losses } = sumOfAll(matrix);
  const share = (n) => (calls ? percent(n / calls) : "–");
  return section("Traffic", h("ul", { class: "tiles" }, tile("Calls", number(calls), since(matrix)), tile("Failed", number(errors), share(errors)),
    tile("Clients' mistakes", number(mistakes), share(mistakes)), tile("Degraded", number(degraded), share(degraded)), tile("Lost fields", number(losses), "in conversions")),
  chart({ label: "Calls a second since this page was opened", times: samples.map(({ at }) => at), unit: "/s",
    series: [{ label: "calls", values: rates("calls"), tone: "accent" }, { label: "failed", values: rates("errors"), tone: "bad" }] }));
}

function since({ since: begin, window_s: window }) {
  return window ? `last ${Math.round(window / 60)} min` : begin ? h("span", {}, "since ", time(begin)) : "";
}

// ---- services -------------------------------------------------------------------------------------

function serviceRows(config, matrix) {
  const of = new Map((matrix?.services ?? []).map((service) => [service.service, service.cells]));
  return config.services.map(({ name: service, versions, instances }) => {
    const cells = of.get(service) ?? [];
    return { service, versions: versions.map((version) => version.name).join(", "), instances: instances.length,
      well: instances.filter(({ up, barred }) => up && !barred.length).length, ...(matrix && sumOf(cells)), p99: Math.max(0, ...cells.map((cell) => cell.p99_ms)) };
  });
}

const figure = (label, member) => ({ label, value: member, numeric: true, cell: (row) => row[member] ?? "–" });

function share(label, member, hint) {
  const value = (row) => (row.calls ? row[member] / row.calls : 0);
  return { label, value, numeric: true, hint, cell: (row) => (row.calls ? percent(value(row)) : "–") };
}

function services(data) {
  const config = data["/config"];
  if (!config || config.failed) return null;
  const matrix = data["/matrix"]?.services && data["/matrix"]; // not for guests
  const columns = [
    { label: "Service", value: "service", cell: (row) => link("matrix", { service: row.service }, name(row.service)) },
    { label: "Versions", value: "versions" },
    { label: "Instances", value: (row) => row.well - row.instances, numeric: true, hint: "those that get calls, of all",
      cell: (row) => h("span", {}, row.well < row.instances && badge(`${row.instances - row.well} ill`, row.well ? "warn" : "bad"), ` ${row.well} of ${row.instances}`) },
    figure("Calls", "calls"),
    share("Failed", "errors", "by a service or the gateway"), share("Mistakes", "mistakes", "failed by the client: not found, invalid, not allowed"),
    figure("Lost fields", "losses"),
    { label: "p99", value: "p99", numeric: true, hint: "99 % of the calls took no longer; of its worst pair of versions", cell: (row) => (row.p99 ? `${number(row.p99)} ms` : "–") },
  ];
  return section("Services", table(columns, serviceRows(config, matrix), { caption: "Services", key: (row) => row.service, empty: "The config has no services." }));
}

export default {
  title: "Overview",
  pages: PAGES,
  render: (data) => h("div", {}, wrongNow(data), questions(data), services(data), traffic(data)),
};
