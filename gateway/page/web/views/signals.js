// Weak signals: what is unusual and no failure yet, each with its evidence; and what customers say, beside what happened to them.
import { duration, read, section, table } from "../dom.js";
import { absent, actionButton, badge, choice, count, filters, h, hash, link, name, number, query, quoted, rowActions, time, times, word } from "./shared.js";

const KINDS = { first: "A failure of a new kind", mix: "A shift of versions", silent: "A client fell silent", drift: "A slow drift" };
const CHOICES = [["", "All"], ["first", "New kinds"], ["mix", "Versions"], ["silent", "Silent clients"], ["drift", "Drifts"]];

// ---- signals ---------------------------------------------------------------------------------------

const part = (share) => `${number(Math.round(share * 1000) / 10)} %`;

/** What is unusual, as a sentence, where its evidence is as it is known to be. */
const SENTENCES = {
  first: ({ failures, clients }) => `${count(failures, "failure")} of ${count(clients, "client")}, of a kind that was not seen before`,
  mix: ({ service, version, usual, now, calls }) => `${version} of ${service} has ${part(now)} of the calls; usual are ${part(usual)} (${count(calls, "call")})`,
  silent: ({ hours, expected, silent }) => (silent === undefined ? `It has not called for ${duration(hours * 3600000)}`
    : `${count(silent, "client")} do not call, for ${duration(hours * 3600000)}; ${number(expected)} would be usual`),
  drift: ({ method, version, figure, usual, now, hours }) => `${figure} of ${method} in ${version}: ${number(now)}, and ${number(usual)} usually, for ${duration(hours * 3600000)}`,
};

function sentence({ kind, evidence = {} }) {
  return SENTENCES[kind] && Object.keys(evidence).length > 1 ? h("bdi", {}, SENTENCES[kind](evidence)) : null;
}

/** All of it, whatever it is. */
function evidenceOf({ evidence = {} }) {
  return h("span", { class: "muted" }, Object.entries(evidence).map(([fact, value], at) => [at > 0 && ", ", `${fact} `,
    fact === "fingerprint" ? link("ledger", { fingerprint: value }, h("code", {}, value)) : typeof value === "number" ? number(value) : h("bdi", {}, String(value))]));
}

function state({ acknowledged, who, why }) {
  return acknowledged ? [badge("seen", "muted"), " by ", name(who), " ", time(acknowledged), why && [": ", quoted(why)]] : badge("new", "warn");
}

function signals(rows) {
  return table([
    { label: "Found", value: "at", cell: (row) => time(row.at) },
    { label: "Signal", value: "kind", cell: (row) => word(KINDS[row.kind] ?? row.kind) },
    { label: "Of", value: "subject", cell: (row) => name(row.subject) },
    { label: "Evidence", cell: (row) => h("span", { class: "prose" }, sentence(row), h("p", {}, evidenceOf(row))) },
    times("Since", "since"),
    { label: "Times", value: "times", numeric: true },
    { label: "State", value: (row) => (row.acknowledged ? 1 : 0), cell: state },
    { label: "Act", cell: (row) => !row.acknowledged && rowActions(actionButton({ label: "Acknowledge", title: `Acknowledge: ${row.subject}`, path: `/signals/${row.id}`,
      confirm: "Others see that somebody has looked at it. When it is found again, it is new again." })) },
  ], rows, { caption: "Signals", key: (row) => row.id, empty: "Nothing unusual was found." });
}

function lead(rows) {
  const fresh = rows.filter((row) => !row.acknowledged);
  return rows.length > 0 && h("p", { class: "lead" }, fresh.length ? `${count(fresh.length, "signal")} nobody has looked at.` : "Somebody has looked at each of them.");
}

// ---- what customers say ----------------------------------------------------------------------------

/** The calls of the client at that time that went wrong. */
function happened({ then, kinds = [] }) {
  const calls = then?.bad ?? [];
  return h("span", { class: "prose" }, then ? `${count(then.calls ?? 0, "call")}${then.version ? ` in ${then.version}` : ""}${then.arm ? `, ${then.arm} of a rollout` : ""}` :
    h("span", { class: "muted" }, "its calls are not known"),
  calls.map((call) => h("p", {}, call.request_id ? link("request", { id: call.request_id }, word(call.fault ?? call.code ?? "a call")) : word(call.fault ?? call.code),
    call.method && [" ", h("bdi", {}, call.method)], call.losses > 0 && `, ${count(call.losses, "lost field")}`)),
  kinds.length > 0 && h("p", {}, kinds.map((kind, at) => [at > 0 && ", ", link("ledger", { fingerprint: kind }, h("code", {}, kind))])));
}

const ENTRY = [{ name: "words", label: "What was said", long: true, required: true }, { name: "client", label: "Client", hint: "Or the id of the request that it is about." },
  { name: "request", label: "Request" }, { name: "source", label: "Where", hint: "ticket 4711, forum, mail" }];

function feedback(data, page, parameters, go) {
  const [told, note] = read(data, page);
  const enter = actionButton({ label: "Enter what was said", path: "/feedback", body: {}, fields: ENTRY,
    confirm: "It is kept beside what has happened to this client then, and counts for the failures that it is about." });
  return section("What customers say", enter && h("div", { class: "actions" }, enter), filters("signals", parameters, go, [{ name: "client", label: "Client" }]),
    told ? table([
      { label: "When", value: "at", cell: (row) => time(row.at) },
      { label: "Client", value: "client", cell: (row) => row.client && h("a", { href: hash("usage", { client: row.client }) }, name(row.client)) },
      { label: "Words", value: "words", cell: (row) => (row.failure ? h("span", { class: "muted" }, row.failure) : quoted(row.words)) },
      { label: "Where", value: "source", cell: (row) => row.source && word(row.source) },
      { label: "Request", value: "request", cell: (row) => row.request && link("request", { id: row.request }, h("code", {}, row.request)) },
      { label: "What happened then", cell: happened },
    ], told.feedback, { caption: "What customers say", key: (row) => row.id, empty: "Nothing was entered." }) : absent(data[page]) ?? note);
}

// ---- the view --------------------------------------------------------------------------------------

const pageOf = (parameters) => query("/feedback/list", { client: parameters.get("client"), limit: "100" });

export default {
  title: "Signals",
  pages: ({ parameters }) => ["/signals", pageOf(parameters)],
  render(data, { parameters, go }) {
    const [told, note] = read(data, "/signals");
    const kind = parameters.get("kind");
    const rows = (told?.signals ?? []).filter((row) => !kind || row.kind === kind);
    return h("div", {}, choice("signals", "kind", parameters, CHOICES, "Kinds"), told ? [lead(rows), signals(rows)] : absent(data["/signals"]) ?? note,
      feedback(data, pageOf(parameters), parameters, go));
  },
};
