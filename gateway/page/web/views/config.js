// The config: which one is in force and since when, where each value is from, and which configs were refused and why.
import { facts, read, section, table } from "../dom.js";
import { refusedNow } from "../troubles.js";
import { absent, actionButton, actions, badge, count, figures, filters, h, link, name, names, number, quoted, time, times, word, words } from "./shared.js";

// ---- what was refused ------------------------------------------------------------------------------

/** "gateway.yaml:12:5: routes[0].atempts: there is no such key (did you mean attempts?)", with the place in front. */
function mistake(line) {
  const [, place, rest] = /^(.*?:\d+:\d+): (.*)$/s.exec(line) ?? [null, null, line];
  return h("li", {}, place && h("code", {}, place), place && " ", h("bdi", {}, rest));
}

function refused(rows) {
  return section("Refused", table([
    times("When", "at"),
    { label: "By", value: "who", cell: (row) => [row.who ? name(row.who) : "a signal", row.why && [": ", quoted(row.why)]] },
    { label: "Why", value: "cause", cell: (row) => h("div", { class: "prose" }, h("bdi", {}, row.cause),
      row.mistakes.length > 0 && h("ul", { class: "mistakes" }, row.mistakes.map(mistake))) },
  ], rows, { caption: "Configs that were refused, the latest first", empty: "None since this process began.", key: (row) => `${row.at} ${row.cause}` }));
}

/** What is on disk may be another one. */
function lead(settings) {
  const latest = refusedNow(settings);
  if (!latest) return null;
  return h("p", { class: "notice bad" }, h("strong", {}, "The config on disk is not in force. "), "It was refused ", time(latest.at), ": ", h("bdi", {}, latest.cause),
    ". Generation ", number(settings.generation), " stays until a good one is read.");
}

// ---- what is in force ------------------------------------------------------------------------------

function services(config) {
  return section("Services", table([
    words("Service", "name"),
    { label: "Versions", value: (row) => row.versions.length, cell: (row) => h("ul", { class: "versions" }, row.versions.map((version) => versionOf(row, version))) },
    words("Default", "default_version"),
    { label: "Instances", value: (row) => row.instances.length, numeric: true, cell: (row) => link("instances", { service: row.name }, number(row.instances.length)) },
    { label: "Listed in", value: "listed_in", cell: (row) => (row.listed_in ? name(row.listed_in) : "the config") },
  ], config.services, { caption: "Services in force", key: (row) => row.name, empty: "The config has no services." }));
}

function versionOf(service, { name: version, package: packaged, methods, released, deprecated, sunset }) {
  const now = new Date().toISOString();
  return h("li", {}, link("usage", { service: service.name, version }, word(version)), " ", h("span", { class: "muted" }, `${packaged ?? ""}, ${count(methods, "method")}`),
    released && [", released ", time(released)], deprecated && [" ", badge("deprecated", "warn"), " ", time(deprecated)],
    sunset && [" ", badge("sunset", sunset < now ? "bad" : "warn"), " ", time(sunset)]);
}

const IMPACTS = { low: "muted", high: "warn", catastrophic: "bad" };

function routes(config) {
  return section("Routes", table([
    words("Match", "match"),
    { label: "Impact", value: "impact", cell: (row) => badge(row.impact, IMPACTS[row.impact]) },
    { label: "On failure", value: "on_failure" },
    figures("Attempts", "attempts"),
    { label: "Timeout", value: "timeout_ms", numeric: true, cell: (row) => (row.timeout_ms ? `${number(row.timeout_ms)} ms` : "") },
    { label: "Second attempt after", value: (row) => row.hedge_after_ms ?? row.hedge_after, numeric: true,
      cell: (row) => (row.hedge_after_ms ? `${number(row.hedge_after_ms)} ms` : row.hedge_after ?? "") },
  ], config.routes, { caption: "Routes in force", empty: "There are no routes." }));
}

function listeners(config) {
  return section("Listeners", table([
    names("Address", "address"),
    { label: "TLS", value: (row) => row.tls, cell: (row) => (row.tls ? (row.client_certificate ? "with certificates of clients" : "yes") : "no") },
  ], config.listeners, { caption: "Listeners in force", key: (row) => row.address }));
}

// ---- where it is from ------------------------------------------------------------------------------

function originOf(settings, { line }) {
  return line ? h("span", { class: "mono" }, `line ${line}`) : badge("default", "muted");
}

function values(settings, parameters, go) {
  const [text, origin] = ["text", "origin"].map((key) => parameters.get(key) ?? "");
  const rows = settings.values.map((row, at) => ({ ...row, at })).filter((row) => (!text || `${row.path} ${row.value ?? ""}`.toLowerCase().includes(text.toLowerCase())) &&
    (!origin || (origin === "file") === Boolean(row.line)));
  return section("Values, and where they are from",
    filters("config", parameters, go, [{ name: "text", label: "Path or value has", placeholder: "routes[0].timeout" },
      { name: "origin", label: "From", options: [["", "all"], ["file", "the file"], ["default", "defaults"]] }]),
    table([
      names("Setting", "path"),
      { label: "Value", value: "value", cell: (row) => (row.secret ? h("span", { class: "muted" }, "secret") : h("bdi", { class: "mono" }, row.value)) },
      { label: "From", value: (row) => row.line ?? 0, cell: (row) => originOf(settings, row) },
    ], rows, { caption: `Values of ${settings.file}`, empty: "No value is like that.", key: (row) => row.path }),
    settings.values_left_out > 0 && h("p", { class: "muted" }, `And ${number(settings.values_left_out)} more, which are not shown.`),
    h("p", { class: "muted" }, "Of each part that the file has, its defaults are here, too. Those of parts that it does not name are in the documentation (config.md)."));
}

function sources(settings) {
  return h("details", { class: "message", "data-key": "sources" }, h("summary", {}, `${count(settings.sources.length, "file")} were read for it`),
    h("ul", {}, settings.sources.map((file) => h("li", {}, name(file)))));
}

// ---- the view --------------------------------------------------------------------------------------

export default {
  title: "Config",
  pages: ["/config", "/settings"],
  render(data, { parameters, go }) {
    const [config, configNote] = read(data, "/config");
    const [settings, note] = read(data, "/settings");
    return h("div", {}, settings && lead(settings),
      config && facts([["Generation", number(config.generation)], ["In force since", settings?.since && time(settings.since)], ["File", name(config.file)],
        ["Hash", settings && h("code", {}, settings.hash)], ["Gateway", name(config.node)]]),
      settings && sources(settings),
      actions(actionButton({ label: "Reload", path: "/reload", confirm: "The config is read again, as with SIGHUP. If it has a mistake, the one that is in force stays." })),
      configNote, settings ? refused(settings.refused) : absent(data["/settings"]) ?? note,
      config && [services(config), routes(config), listeners(config)], settings && values(settings, parameters, go));
  },
};
