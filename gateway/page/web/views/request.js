// The calls of the last hour, and the path of one of them.
import { badge, facts, h, hash, link, name, number, read, section } from "../dom.js";
import { filter, requestTable, toneOf } from "../parts.js";

const FILTERS = ["text", "client", "service", "version", "served", "lost", "failed"];

function listPage({ parameters }) {
  const given = FILTERS.map((key) => [key, parameters.get(key)]).filter(([, value]) => value);
  return `/requests?${new URLSearchParams([...given, ["limit", "200"]])}`;
}

// The gateway's own ids are in lower case; ids of others are taken as they are.
const onePage = (id) => `/requests?id=${encodeURIComponent(/^[\dA-F]{32}$/.test(id) ? id.toLowerCase() : id)}`;

function list(data, view) {
  const [found, note] = read(data, listPage(view));
  const choose = (key, label, options) => filter(view, "request", key, label, options);
  return h("div", {}, h("form", { class: "bar", role: "search", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } },
    choose("text", "Text, as a path"), choose("client", "Client"), choose("service", "Service"), choose("version", "Client version"),
    choose("lost", "lost fields", "check"), choose("failed", "failed", "check")),
  note ?? requestTable(found.requests, { caption: "Calls of the last hour, the newest first", empty: "No call of the last hour fits." }),
  h("p", { class: "hint" }, "This gateway's calls of the last hour, as far as its memory goes; failed ones are kept longer than others. At most 200 are listed."));
}

// ---- the path of one call --------------------------------------------------------------------------

const list_of = (text) => (text ? text.split(/,\s*/) : []);

function steps(r) {
  const asked = [`${r.verb ?? ""} ${r.path ?? ""}`, r.dialect && `${r.dialect}${r.codec ? `, ${r.codec}` : ""}`].filter((text) => text?.trim()).join(" · ");
  const served = r.instance ? [`${r.instance}${r.build ? `, build ${r.build}` : ""}`, r.served_version && `in ${r.served_version}`, r.served_why && `because: ${r.served_why}`, r.arm && `arm of the rollout: ${r.arm}`]
    : [r.joined ? `the response of the call ${r.joined}` : "no instance has served it"];
  const lost = list_of(r.lost);
  return [
    ["Asked", r.client ? ["by ", name(r.client), r.client_by && ` (known by ${r.client_by})`] : "by an anonymous client", h("bdi", {}, asked)],
    [r.service ? "Understood" : "Not understood", r.service ? `as ${r.method ?? "a call"} of ${r.service}, in ${r.client_version || "no version"}` : "as no service's call",
      [r.rule && `version by the rule ${r.rule}`, r.route && `route ${r.route}`, r.impact && `impact ${r.impact}`, r.failure_mode && `fails ${r.failure_mode}`].filter(Boolean).join("; ")],
    ["Served", served[0], served.slice(1).filter(Boolean).join("; ")],
    r.losses > 0 && ["Converted", badge(`${number(r.losses)} ${r.losses === 1 ? "field" : "fields"} lost`, "warn"), h("div", {},
      `${r.client_version} and ${r.served_version} are not the same. What one has, and the other has no place for:`, h("ul", { class: "lost" }, lost.map((field) => h("li", {}, name(field)))),
      link("matrix", { service: r.service, client: r.client_version, served: r.served_version }, "What this conversion loses"))],
    r.degraded && ["Degraded", badge(r.degraded, "warn"), [`${r.degraded_by} stands in`, r.age_s !== undefined && `${number(r.age_s)} s old`].filter(Boolean).join("; ")],
    ["Answered", badge(`${r.code ?? ""}${r.http_status ? ` (${r.http_status})` : ""}`, toneOf({ level: r.level, code: r.code })), `after ${number(r.total_ms)} ms` +
      `${r.retry_refused ? `; no other attempt: ${r.retry_refused}` : ""}`],
  ].filter(Boolean);
}

function causes(chain) {
  return h("ol", { class: "causes" }, chain.map(({ fault, doing, field, at }) => h("li", {}, h("strong", {}, fault), " ", h("bdi", {}, doing ?? ""), field && h("span", {}, " (field ", name(field), ")"),
    at && h("span", { class: "muted" }, ` ${at}`))));
}

// A bar for each attempt, on the time of the call.
function attempts(r) {
  const tries = r.tries ?? (r.attempts ?? []).map(({ instance, code, ms, why }) => ({ instance, code, end_ms: ms, why }));
  if (!tries.length) return null;
  const all = Math.max(r.total_ms ?? 0, ...tries.map((one) => one.end_ms ?? 0)) || 1;
  const share = (ms) => `${Math.max(0, Math.min(100, (100 * ms) / all))}%`;
  return section("Attempts", h("ol", { class: "attempts" }, tries.map((one) => h("li", {},
    h("div", {}, name(one.instance), " ", badge(one.code, one.code === "OK" ? "good" : "bad"), one.why && ` ${one.why}`,
      h("span", { class: "muted" }, ` ${[["sent after", one.sent_ms], ["head after", one.head_ms], ["over after", one.end_ms]].filter(([, ms]) => ms !== undefined).map(([word, ms]) => `${word} ${number(ms)} ms`).join(", ")}`)),
    h("div", { class: "track", "aria-hidden": "true" }, h("div", { class: `span ${one.code === "OK" ? "good" : "bad"}`, style: { width: share(one.end_ms ?? all) } })),
    one.causes && causes(one.causes)))));
}

function legs(others, r) {
  if (!others.length) return null;
  return section(r.legs ? "Legs" : "Calls with the same id", r.legs && h("p", {}, typeof r.legs === "string" ? r.legs : r.legs.map?.(({ name: leg, state }) => `${leg}: ${state}`).join(", ")),
    requestTable(others, { caption: "Calls with the same id", empty: "" }));
}

function one(found, id) {
  const all = found.requests ?? [];
  const r = all.find((record) => !record.leg && !record.job) ?? all[0];
  if (!r) return h("p", { class: "empty" }, "No call of the last hour has the id ", name(id), ": it is older, gave way to newer ones (ledger.requests), or was another gateway's.");
  return h("div", {}, section("Path", h("p", {}, "Request ", name(r.request_id)),
    h("ol", { class: "path" }, steps(r).map(([title, what, more]) => h("li", {}, h("strong", {}, title), h("div", {}, what, more && h("div", { class: "why" }, more)))))),
  r.causes && section("Why it failed", causes(r.causes)), r.detail_causes && section("Details that could not be converted", causes(r.detail_causes)),
  attempts(r), legs(all.filter((other) => other !== r), r),
  facts([["Job", r.job && link("jobs", { id: r.job }, name(r.job))], ["Operation", r.operation && link("jobs", { id: r.operation.replace(/^.*\//, "") }, name(r.operation))], ["Trace", r.trace_id && name(r.trace_id)], ["Peer", r.peer], ["Gateway", r.node]]),
  h("details", { "data-key": "record" }, h("summary", {}, "The whole record"), h("pre", {}, JSON.stringify(r, null, 2))));
}

export default {
  title: "Requests",
  pages: (view) => [view.parameters.get("id") ? onePage(view.parameters.get("id")) : listPage(view)],
  render(data, view) {
    const id = view.parameters.get("id");
    if (!id) return list(data, view);
    const [found, note] = read(data, onePage(id));
    return h("div", {}, h("p", {}, h("a", { href: hash("request", {}) }, "All calls of the last hour")), note ?? one(found, id));
  },
};
