// Usage: which clients still use which version and method, and which old versions end when.
import { duration, facts, read, section, table } from "../dom.js";
import { actionButton, badge, figures, filters, h, link, name, number, query, quoted, rowActions, time, times, word, words } from "./shared.js";

const PARTS = ["service", "version", "client", "fields"];
const TONES = { served: "info", brownout: "warn", past_sunset: "warn", retired: "muted" };
const WORDS = { served: "served", brownout: "in a brown-out", past_sunset: "past its sunset, still served", retired: "retired" };

function pageOf(parameters) {
  return query("/usage", { ...Object.fromEntries(PARTS.map((key) => [key, parameters.get(key)])), limit: "1000" });
}

function versionLink(row) {
  return link("usage", { service: row.service, version: row.version }, word(row.version));
}

function serviceLink(row) {
  return link("usage", { service: row.service }, word(row.service));
}

/** Whoever has no identity is one client, without a name. */
function clientOf(row) {
  return row.client ? link("usage", { client: row.client }, name(row.client)) : h("span", { class: "muted" }, "anonymous ones");
}

// ---- old versions ----------------------------------------------------------------------------------

/** What must happen until it ends. */
function end(row) {
  if (row.state === "retired") return ["Ended ", time(row.retired), row.who ? [" by ", name(row.who)] : ", since nobody used it", row.why && [": ", quoted(row.why)]];
  const left = row.unused_for_s - row.unused_s;
  const unused = `Unused for ${duration(row.unused_s * 1000)} of ${duration(row.unused_for_s * 1000)}`;
  if (row.state === "past_sunset") return `${unused}: if nobody calls it, it ends in ${duration(left * 1000)}.`;
  if (row.brownout_until) return [`${unused}. Calls of a share of its clients fail until `, time(row.brownout_until), "."];
  return [`${unused}.`, row.sunset && [" Its sunset is ", time(row.sunset), "."]];
}

function retireDeeds({ service, version, state }) {
  const of = { path: "/retire", parameters: { service, version } };
  return rowActions(state === "retired"
    ? actionButton({ ...of, label: "Serve again", title: `Serve ${version} of ${service} again`, parameters: { ...of.parameters, again: "true" },
      confirm: "It is served again, and the evidence that nobody uses it begins anew." })
    : actionButton({ ...of, label: "Retire", tone: "bad", title: `Retire ${version} of ${service}`,
      confirm: "From now on its calls fail with 410, whoever still makes them." }));
}

const BROWNOUTS = [
  times("Next brown-out", "brownout_at"),
  figures("Refused in brown-outs", "brownout_refused"),
];

function retiring(rows, parameters) {
  const shown = rows.filter((row) => ["service", "version"].every((key) => !parameters.get(key) || parameters.get(key) === row[key]));
  if (!shown.length) return null;
  return section("Old versions", table([
    { label: "Version", value: (row) => `${row.service} ${row.version}`, cell: (row) => [serviceLink(row), " ", versionLink(row)] },
    { label: "State", value: "state", cell: (row) => badge(WORDS[row.state] ?? row.state, TONES[row.state]) },
    { label: "When it ends", cell: (row) => h("span", { class: "prose" }, end(row)) },
    times("Last call", "last"),
    times("Sunset", "sunset"),
    ...(shown.some((row) => row.brownout_at || row.brownout_until || row.brownout_refused) ? BROWNOUTS : []),
    { label: "Act", cell: retireDeeds },
  ], shown, { caption: "Old versions, and when they end", key: (row) => `${row.service} ${row.version}` }));
}

// ---- who and what ----------------------------------------------------------------------------------

function clients(rows) {
  return section("Clients", table([
    { label: "Client", value: "client", cell: clientOf },
    { label: "Service", value: "service", cell: serviceLink },
    { label: "Version", value: "version", cell: versionLink },
    figures("Calls", "calls"),
    times("Last call", "last"),
  ], rows, { caption: "Clients, and the versions that they use", empty: "No client was seen.", key: (row) => `${row.client}|${row.service}|${row.version}` }));
}

function methods(rows) {
  const withFields = rows.some((row) => row.field);
  return section(withFields ? "Methods and fields" : "Methods", table([
    words("Method", "method"),
    ...(withFields ? [{ label: "Field", value: "field", cell: (row) => h("code", {}, row.field ?? "") }] : []),
    { label: "Version", value: (row) => `${row.service} ${row.version}`, cell: (row) => [serviceLink(row), " ", versionLink(row)] },
    figures("Calls", "calls"),
    { label: "Clients", value: "clients", numeric: true, cell: (row) => `${number(row.clients)}${row.more_clients ? "+" : ""}` },
    times("Last call", "last"),
  ], rows, { caption: withFields ? "Methods, and the fields of their requests" : "Methods", empty: "No method was called.",
    key: (row) => `${row.method}|${row.version}|${row.field ?? ""}` }));
}

/** "2 clients still use v1 of orders: ada, bob." */
function lead({ clients: rows }, parameters) {
  const [service, version] = ["service", "version"].map((key) => parameters.get(key));
  if (!version || parameters.get("client")) return null;
  const of = `${version}${service ? ` of ${service}` : ""}`;
  if (!rows.length) return h("p", { class: "lead" }, `Nobody uses ${of}, as far as it was counted.`);
  const named = rows.slice(0, 8).map((row, at) => [at > 0 && ", ", row.client ? name(row.client) : "anonymous ones"]);
  return h("p", { class: "lead" }, `${number(rows.length)} ${rows.length === 1 ? "client uses" : "clients use"} ${of}: `, named, rows.length > 8 && " and others", ".");
}

// ---- the view --------------------------------------------------------------------------------------

export default {
  title: "Usage and old versions",
  pages: ({ parameters }) => [pageOf(parameters), "/config"],
  render(data, { parameters, go }) {
    const [usage, note] = read(data, pageOf(parameters));
    const [config] = read(data, "/config");
    const services = config?.services ?? [];
    const versions = services.filter((one) => !parameters.get("service") || one.name === parameters.get("service")).flatMap((one) => one.versions.map((version) => version.name));
    const form = filters("usage", parameters, go, [
      { name: "service", label: "Service", options: [["", "all"], ...services.map((one) => [one.name, one.name])] },
      { name: "version", label: "Version", options: [["", "all"], ...[...new Set(versions)].map((version) => [version, version])] },
      { name: "client", label: "Client" },
      { name: "fields", label: "Fields of requests", options: [["", "no"], ["true", "where they are counted"]] }]);
    if (!usage) return h("div", {}, form, note);
    return h("div", {}, form, lead(usage, parameters), retiring(usage.retiring ?? [], parameters), clients(usage.clients), methods(usage.methods),
      facts([["As of", time(usage.as_of)], ["Kept for", duration(usage.kept_s * 1000)], ["Of", usage.all_gateways ? "all gateways that share the store" : "this gateway only"]]));
  },
};
