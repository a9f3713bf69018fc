// What is wrong now, out of the pages of the gateway: a list of {key, tone, kind, what, why, when, to}, the worst first.
// `when`: what was when, [word, time].
import { hash, number } from "./dom.js";

const WORST = { bad: 0, warn: 1, info: 2 };
const ACTS = {
  eject: ["warn", "ejected", (e) => `${e.subject} of ${e.service} gets no calls: it fails more often than others`],
  check: ["warn", "unhealthy", (e) => `${e.subject} of ${e.service} gets no calls: it fails its checks`],
  breaker: ["bad", "breaker open", (e) => `Calls of ${e.service} are refused`],
  reconnect: ["warn", "unreachable", (e) => `${e.subject} of ${e.service} cannot be reached`],
  restart: ["bad", "crashed", () => "The gateway has crashed and was started again"],
  schema: ["warn", "stale schema", (e) => `The schema of ${e.service} ${e.subject} is an old one, from its cache`],
  discovery: ["warn", "old list", (e) => `The instances of ${e.service} are those of an old list`],
  all_used: ["bad", "all used", (e) => `Instances of ${e.service} are used although they fail`],
  manual: ["info", "by hand", (e) => `${e.subject || e.service}: an operator has stepped in`],
};

function healing({ now = [] }) {
  return now.map((entry) => {
    const [tone, kind, what] = ACTS[entry.act] ?? ["warn", entry.act, (e) => [e.service, e.subject].filter(Boolean).join(" ")];
    const of = { key: `healing ${entry.act} ${entry.service} ${entry.subject} ${entry.excess}`, when: ["since", entry.since],
      why: [entry.why, entry.cause].filter(Boolean).join("; "), to: hash("instances", { service: entry.service }) };
    return entry.excess ? { ...of, tone: "bad", kind: "too much healing", what: `${entry.act} of ${entry.service || "the gateway"} happens too often` }
      : { ...of, tone, kind, what: what(entry) };
  });
}

const cannotServe = (instance) => !instance.up || instance.barred.length > 0;

function services({ services: all = [] }) {
  return all.filter(({ instances }) => instances.length && instances.every(cannotServe)).map(({ name, instances }) => ({
    key: `service ${name}`, tone: "bad", kind: "no instance", what: `No instance of ${name} can serve`, to: hash("instances", { service: name }),
    why: instances.map(({ address, up, barred }) => `${address}: ${up ? barred.join(", ") : "down"}`).join("; ") }));
}

const ROLLOUTS = {
  "rolled back": (r) => ["bad", `was rolled back in the tier ${r.tier}`],
  paused: (r) => [r.bad ? "bad" : "warn", `is paused in the tier ${r.tier}`],
  waiting: (r) => ["info", `waits for an operator in the tier ${r.tier}`],
};

function whyOf({ judgement, gone, store_down: storeDown }) {
  const { metric, metrics = {}, clients } = judgement ?? {};
  const of = metrics[metric];
  const told = of && `${metric}: ${number(of.candidate_failed)} of ${number(clients.candidate)} clients of the candidate had a bad call, ` +
    `${number(of.baseline_failed)} of ${number(clients.baseline)} of the baseline`;
  return [told, gone && "no instance of the candidate can be used", storeDown && "the store is down"].filter(Boolean).join("; ");
}

function rollouts({ rollouts: all = [] }) {
  return all.flatMap((r) => {
    const [tone, told] = ROLLOUTS[r.state]?.(r) ?? (r.gone || r.store_down ? ["warn", "is held up"] : []);
    return told ? [{ key: `rollout ${r.rollout}`, tone, kind: "rollout", what: `${r.rollout} ${told}`, why: whyOf(r), when: ["since", r.since],
      to: hash("rollouts", { name: r.service }) }] : [];
  });
}

/** What a kind of failures is called in one line. */
export function titleOf({ fault, method, route, cause }) {
  return `${fault}${method || route ? ` in ${(method ?? route).replace(/^.*\.([^.]+\/)/, "$1")}` : ""}${cause ? `: ${cause}` : ""}`;
}

function failures({ failures: all = [] }) {
  return all.filter((row) => row.of === "call" && row.last_hour > 0 && !row.annotation?.muted).slice(0, 5).map((row) => ({
    key: `failure ${row.fingerprint}`, tone: row.criticality >= 1 ? "bad" : "warn", kind: "failures", what: titleOf(row), when: ["last", row.last],
    why: `${number(row.last_hour)} in the last hour, of ${number(row.clients)} ${row.clients === 1 ? "client" : "clients"}; impact ${row.impact}`,
    to: hash("ledger", { fingerprint: row.fingerprint }) }));
}

function jobs({ jobs: all = [] }) {
  const of = (state) => all.filter((job) => job.state === state);
  const trouble = (state, tone, one, many = one) => of(state).length ? [{ key: `jobs ${state}`, tone, kind: "jobs", when: ["last", of(state)[0].since],
    what: `${number(of(state).length)} ${of(state).length === 1 ? "job" : "jobs"} ${of(state).length === 1 ? one : many}`, to: hash("jobs", { state }),
    why: [...new Set(of(state).map(({ method, failure }) => `${method}${failure ? ` at ${failure.step}: ${failure.fault} (${failure.code})` : ""}`))].slice(0, 3).join("; ") }] : [];
  return [...trouble("failed", "bad", "failed and waits for an operator", "failed and wait for an operator"), ...trouble("undone", "info", "failed and was undone", "failed and were undone")];
}

function usage({ retiring = [] }) {
  return retiring.filter(({ state }) => state === "past_sunset" || state === "brownout").map((r) => ({
    key: `retiring ${r.service} ${r.version}`, tone: r.state === "brownout" ? "info" : "warn", kind: "old version", when: ["sunset", r.sunset],
    what: r.state === "brownout" ? `${r.version} of ${r.service} has a brown-out` : `${r.version} of ${r.service} is past its sunset, and still called`,
    why: r.last ? "" : "nobody has called it since it is watched", to: hash("matrix", { service: r.service, client: r.version }) }));
}

function losses({ services: all = [] }) {
  const gone = ({ lost }) => lost.filter(({ kind }) => kind !== "defaulted");
  return all.flatMap(({ service, cells }) => cells.filter((cell) => gone(cell).length > 0).map((cell) => ({
    key: `losses ${service} ${cell.client_version} ${cell.served_version}`, tone: "warn", kind: "lost fields",
    what: `Clients of ${service} ${cell.client_version} lose fields, served in ${cell.served_version}`,
    why: gone(cell).map(({ field }) => field).join(", "),
    to: hash("matrix", { service, client: cell.client_version, served: cell.served_version }) })));
}

function fleet({ gateways = [], failure }) {
  const told = failure ? [{ key: "store", tone: "bad", kind: "store", what: "The store does not answer", why: failure, to: "#/fleet" }] : [];
  return [...told, ...gateways.filter(({ drift }) => drift?.length).map(({ node, drift, last_seen: seen }) => ({
    key: `gateway ${node}`, tone: drift.includes("silent") ? "bad" : "warn", kind: "fleet", when: ["seen", seen], why: "", to: "#/fleet",
    what: `The gateway ${node} differs: ${drift.join(", ")}` }))];
}

/** The latest config that was refused, if the one in force is older: what is on disk is another one. */
export function refusedNow({ refused: [latest], since }) {
  return latest?.at < since ? null : latest;
}

function config(settings) {
  const latest = refusedNow(settings);
  return latest ? [{ key: "config", tone: "bad", kind: "config", what: "The config on disk is not in force: it was refused", why: latest.cause, when: ["last", latest.at], to: "#/config" }] : [];
}

const SOURCES = { "/settings": config, "/healing": healing, "/config": services, "/rollouts": rollouts, "/errors": failures, "/jobs?state=failed,undone": jobs,
  "/usage?limit=1": usage, "/matrix": losses, "/fleet": fleet };

/** The pages of which it is made. */
export const PAGES = Object.keys(SOURCES);

export function troubles(data) {
  const found = PAGES.flatMap((page) => (data[page] && !data[page].failed ? SOURCES[page](data[page]) : []));
  return found.sort((a, b) => WORST[a.tone] - WORST[b.tone]);
}
