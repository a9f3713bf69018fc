// Version matrix of a service: who speaks which version, who serves it, what is lost in between.
import { badge, h, hash, link, name, number, percent, read, section, table, time } from "../dom.js";
import { requestTable } from "../parts.js";

const CLIENTS = 200;
const of = ({ parameters }, matrix) => matrix?.services?.find(({ service }) => service === parameters.get("service")) ?? matrix?.services?.[0];

function pages({ parameters }) {
  const [service, client, served] = ["service", "client", "served"].map((key) => parameters.get(key));
  const some = ["/matrix", "/config"];
  if (!service) return some;
  some.push(`/usage?${new URLSearchParams({ service, limit: CLIENTS, ...(client && { version: client }) })}`);
  if (client) some.push(`/requests?${new URLSearchParams({ lost: true, service, version: client, ...(served && { served }) })}`);
  return some;
}

// ---- the matrix ------------------------------------------------------------------------------------

function stateOf(version) {
  const past = (date) => date && Date.parse(date) < Date.now();
  if (past(version?.sunset)) return badge("past sunset", "bad");
  return past(version?.deprecated) ? badge("deprecated", "warn") : null;
}

function cellOf(service, cell, chosen) {
  if (!cell?.calls) return h("td", { class: "muted" }, "–");
  const { client_version: client, served_version: served, calls, errors, mistakes, degraded, losses } = cell;
  const marks = [errors && badge(`${percent(errors / calls)} failed`, "bad"), degraded && badge(`${number(degraded)} degraded`, "warn"),
    losses && badge(`${number(losses)} lost fields`, "warn")].filter(Boolean);
  return h("td", { class: "cell" }, h("a", { href: hash("matrix", { service, client, served }), "aria-current": chosen && "true" },
    h("strong", {}, number(calls)), ` ${calls === 1 ? "call" : "calls"}`), h("div", { class: "marks" }, marks.length ? marks : badge("well", "good"),
    mistakes > 0 && badge(`${percent(mistakes / calls)} clients' mistakes`)),
  h("div", { class: "muted" }, `p50 ${number(cell.p50_ms)} ms, p99 ${number(cell.p99_ms)} ms`));
}

function grid({ service, versions, cells }, config, parameters) {
  const known = new Map((config?.services?.find((one) => one.name === service)?.versions ?? []).map((version) => [version.name, version]));
  const all = (member) => [...new Set([...versions, ...cells.map((cell) => cell[member])])].filter((one) => cells.some((cell) => cell[member] === one));
  const [clients, served] = [all("client_version"), all("served_version")];
  if (!clients.length) return h("p", { class: "empty" }, "Nobody has called this service yet.");
  return h("div", { class: "table matrix", role: "region", tabindex: "0", "aria-label": "Version matrix" }, h("table", {},
    h("caption", { class: "hidden" }, `Calls of ${service} by the version of the client and the version that served them`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Client speaks"),
      served.map((version) => h("th", { scope: "col" }, version ? `Served in ${version}` : "Served by no instance")))),
    h("tbody", {}, clients.map((client) => h("tr", { "data-key": client }, h("th", { scope: "row" },
      link("matrix", { service, client }, h("strong", {}, client || "none")), " ", stateOf(known.get(client))),
    served.map((version) => cellOf(service, cells.find((cell) => cell.client_version === client && cell.served_version === version),
      parameters.get("client") === client && parameters.get("served") === version)))))));
}

// ---- what is chosen --------------------------------------------------------------------------------

function clientsOf(usage, note, service, client) {
  if (note) return note;
  const rows = usage.clients ?? [];
  const columns = [{ label: "Client", value: "client", cell: (row) => (row.client ? name(row.client) : h("span", { class: "muted" }, "anonymous")) },
    { label: "Version", value: "version" }, { label: "Calls", value: "calls", numeric: true },
    { label: "Last call", value: "last", cell: (row) => time(row.last) },
    { label: "Calls of the last hour", cell: (row) => link("request", { client: row.client, service, version: row.version }, "show") }];
  return h("div", {}, table(columns, rows, { caption: `Clients of ${client || service}`, key: (row) => `${row.version} ${row.client}`,
    empty: "No client is known." }), rows.length === CLIENTS && h("p", { class: "hint" }, `The ${CLIENTS} that called last.`));
}

function lossesOf(cells, service, client) {
  const rows = cells.flatMap(({ served_version: served, lost, loses }) => {
    const counted = new Set(lost.map(({ field }) => field));
    return [...lost.map((loss) => ({ ...loss, served })), ...loses.filter((field) => !counted.has(field)).map((field) => ({ field, calls: 0, served }))];
  });
  const columns = [{ label: "Field", value: "field", cell: (row) => name(row.field) }, { label: "Served in", value: "served" },
    { label: "Lost", value: "from", cell: (row) => row.from && `${row.from === client ? "in requests" : "in responses"}, ${row.from} to ${row.to} (${row.kind})` },
    { label: "Values lost", value: "calls", numeric: true, cell: (row) => (row.calls ? badge(number(row.calls), "warn") : "0") }];
  return section("What the conversion loses", table(columns, rows, { caption: `Fields that ${client} of ${service} can lose`,
    key: (row) => `${row.served} ${row.from} ${row.kind} ${row.field}`, empty: "Nothing: each field has a place in the other version." }));
}

function chosen(data, view, one) {
  const [client, served] = ["client", "served"].map((key) => view.parameters.get(key));
  const [, , usagePage, requestsPage] = pages(view);
  const [usage, note] = usagePage ? read(data, usagePage) : [{ clients: [] }, null];
  const parts = [section(client ? `Who calls ${client}` : "Who calls", clientsOf(usage, note, one.service, client))];
  if (!client) return parts;
  const cells = one.cells.filter((cell) => cell.client_version === client && (!served || cell.served_version === served));
  const [requests, missing] = read(data, requestsPage);
  return [lossesOf(cells, one.service, client), ...parts, section("Calls of the last hour that lost something",
    missing ?? requestTable(requests.requests, { caption: "Calls that lost fields", empty: "None." }))];
}

export default {
  title: "Versions",
  pages,
  render(data, view) {
    const [matrix, note] = read(data, "/matrix");
    if (note) return note;
    const one = of(view, matrix);
    if (!one) return h("p", { class: "empty" }, "There are no services with versions.");
    if (!view.parameters.get("service")) view.go(hash("matrix", { service: one.service }), { quietly: true });
    return h("div", {}, h("ul", { class: "tabs", "aria-label": "Services" }, matrix.services.map(({ service }) => h("li", { "data-key": service },
      h("a", { href: hash("matrix", { service }), "aria-current": service === one.service && "page" }, service)))),
    h("p", { class: "hint" }, "Rows: the version that clients speak. Columns: the version in which an instance served them. ",
      matrix.window_s ? `Of the last ${Math.round(matrix.window_s / 60)} min.` : matrix.since && h("span", {}, "Since ", time(matrix.since), ".")),
    section("Calls", grid(one, data["/config"], view.parameters)), chosen(data, view, one));
  },
};
