// The ledger: kinds of failures, the most critical first.
import { actionButton, badge, facts, h, hash, link, name, number, percent, read, section, table, time } from "../dom.js";
import { filter, requestTable, shortMethod } from "../parts.js";

const FILTERS = [["service", "Route", (row) => row.route], ["fault", "Fault", (row) => row.fault], ["version", "Client version", (row) => row.client_version]];

function matches(row, view) {
  const text = (view.parameters.get("text") ?? "").toLowerCase();
  const said = row.annotation ?? {};
  const words = [row.fault, row.code, row.route, row.method, row.cause, row.fingerprint, said.owner, said.ticket, said.cause, ...row.instances];
  return (!text || words.some((word) => word?.toLowerCase().includes(text)))
    && FILTERS.every(([key, , value]) => !view.parameters.get(key) || value(row) === view.parameters.get(key))
    && (view.parameters.get("muted") === "true" || !said.muted) && (view.parameters.get("attempts") === "true" || row.of === "call");
}

function bar(view, rows) {
  const options = (value) => [...new Set(rows.map(value).filter(Boolean))].sort();
  return h("form", { class: "bar", role: "search", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } },
    filter(view, "ledger", "text", "Text"), FILTERS.map(([key, label, value]) => filter(view, "ledger", key, label, options(value))),
    filter(view, "ledger", "mistakes", "clients' mistakes", "check"), filter(view, "ledger", "attempts", "failed attempts only", "check"), filter(view, "ledger", "muted", "acknowledged", "check"));
}

function marks({ annotation: said, of, degraded }) {
  return [of === "attempt" && badge("attempts only", "muted"), degraded > 0 && badge(`${number(degraded)} degraded`, "warn"),
    said?.muted && badge("acknowledged", "good"), said?.changed && badge(said.changed, "warn"), said?.owner && badge(said.owner, "info")].filter(Boolean);
}

const columns = [
  { label: "Critical", value: "criticality", numeric: true, hint: "0 to 100: the impact of the route times the share of calls and clients",
    cell: (row) => badge(number(row.criticality), row.criticality >= 10 ? "bad" : row.criticality >= 1 ? "warn" : "muted") },
  { label: "Failure", value: "fault", cell: (row) => h("div", { class: "failing" }, link("ledger", { fingerprint: row.fingerprint }, row.fault), " ", shortMethod(row.method ?? row.route),
    row.cause && h("div", { class: "why" }, h("bdi", {}, row.cause)), h("div", { class: "marks" }, marks(row))) },
  { label: "Versions", value: "client_version", cell: (row) => [row.client_version, row.served_version].filter(Boolean).join(" → ") },
  { label: "Hour", value: "last_hour", numeric: true }, { label: "Day", value: "last_day", numeric: true }, { label: "All", value: "count", numeric: true },
  { label: "Clients", value: "clients", numeric: true, cell: (row) => h("span", { title: "of all clients of the method" }, number(row.clients), row.of === "call" && ` (${percent(row.share_of_clients)})`) },
  { label: "Last", value: "last", cell: (row) => time(row.last) },
];

// ---- one kind --------------------------------------------------------------------------------------

function actions({ fingerprint, annotation: said = {} }) {
  const path = `/errors/${fingerprint}`;
  const field = (key, label, long) => ({ name: key, label, long, value: said[key] ?? "" });
  return h("div", { class: "actions" },
    actionButton({ label: said.acknowledged ? "Acknowledge no longer" : "Acknowledge", path, body: { acknowledged: !said.acknowledged },
      confirm: said.acknowledged ? "It is ranked among the others again." : "It moves behind all others, and its webhooks are silent, until it changes: another instance, more often, or back after a pause." }),
    actionButton({ label: "Annotate", path, body: {}, confirm: "What is known of it, for others.", fields: [field("owner", "Owner"), field("ticket", "Ticket"), field("cause", "Cause", true)] }));
}

function one(row) {
  const said = row.annotation;
  const samples = row.samples.map((sample) => ({ time: sample.at, request_id: sample.request_id, ...sample.record }));
  return h("div", {}, h("p", {}, h("a", { href: "#/ledger" }, "All failures")),
    section(`${row.fault} in ${shortMethod(row.method ?? row.route ?? "no route")}`, row.cause && h("p", { class: "notice bad" }, h("bdi", {}, row.cause)),
      facts([["Criticality", number(row.criticality)], ["Impact", row.impact], ["Responsible", row.side], ["Code", row.code], ["Client speaks", row.client_version], ["Served in", row.served_version],
        ["Leg", row.leg], ["In the last minute", number(row.last_minute)], ["Hour", number(row.last_hour)], ["Day", number(row.last_day)], ["All", number(row.count)], ["Degraded", number(row.degraded)],
        ["Clients", `${number(row.clients)} (${percent(row.share_of_clients)})`], ["Share of calls", percent(row.share_of_calls)], ["First", time(row.first)], ["Last", time(row.last)],
        ["Instances", row.instances.length > 0 && [row.instances.join(", "), row.more_instances && " and more"]], ["Fingerprint", h("code", {}, row.fingerprint)]]), actions(row)),
    said && section("What operators say", facts([["Owner", said.owner && h("bdi", {}, said.owner)], ["Ticket", said.ticket && h("bdi", {}, said.ticket)], ["Cause", said.cause && h("bdi", {}, said.cause)],
      ["State", said.muted ? badge("acknowledged", "good") : said.changed ? badge(`changed: ${said.changed}`, "warn") : null], ["Sealed", said.failure],
      ["By", said.who && h("span", {}, h("bdi", {}, said.who), " ", time(said.at))], ["Why", said.why && h("bdi", {}, said.why)]])),
    section("Newest calls", requestTable(samples, { caption: "Newest calls", empty: "None is kept." })));
}

export default {
  title: "Failures",
  pages: ["/errors"],
  render(data, view) {
    const [errors, note] = read(data, "/errors");
    if (note) return note;
    const wanted = view.parameters.get("fingerprint");
    if (wanted) {
      const row = [...errors.failures, ...errors.mistakes].find(({ fingerprint }) => fingerprint === wanted);
      return row ? one(row) : h("p", { class: "empty" }, "There is no such kind of failures any more. ", h("a", { href: "#/ledger" }, "All failures"));
    }
    const rows = view.parameters.get("mistakes") === "true" ? errors.mistakes : errors.failures;
    const shown = rows.filter((row) => matches(row, view));
    const evicted = errors.evicted_failures?.count;
    return h("div", {}, bar(view, rows), table(columns, shown, { caption: "Kinds of failures", key: (row) => row.fingerprint,
      empty: rows.length ? "No failure fits the filters." : "There are no failures." }),
    h("p", { class: "hint" }, `${number(shown.length)} of ${number(rows.length)} kinds. `, evicted > 0 && `${number(evicted)} failures are of kinds for which there was no room. `,
      "Failures are one kind if fault, code, route, method, versions and cause are the same."));
  },
};
