// Rollouts: how far each has come, what speaks against its candidate, and why it stopped.
import { read, section, table, facts } from "../dom.js";
import { evidence } from "./evidence.js";
import { absent, actionButton, actions, badge, count, figures, h, link, name, names, number, query, quoted, time, times, word } from "./shared.js";

const TONES = { running: "info", waiting: "warn", paused: "warn", "rolled back": "bad", complete: "good", unknown: "muted" };

function nameOf(rollout) {
  return rollout.rollout ?? `${rollout.service} ${rollout.candidate}`;
}

function stateOf(rollout) {
  return badge(rollout.withdrawn ? "withdrawn" : rollout.bad ? `${rollout.state}: bad` : rollout.state,
    rollout.bad || rollout.withdrawn ? "bad" : TONES[rollout.state]);
}

// ---- why it is where it is -------------------------------------------------------------------------

/** "failures: 4 of 21 clients of the candidate failed, and 0 of 299 of the baseline" */
function comparison(judgement) {
  const { metric, clients } = judgement;
  const seen = judgement.metrics?.[metric];
  if (!seen) return "nothing was compared yet";
  return `${metric}: ${number(seen.candidate_failed ?? 0)} of ${count(clients.candidate ?? 0, "client")} of the candidate failed, and ` +
    `${number(seen.baseline_failed ?? 0)} of ${number(clients.baseline ?? 0)} of the baseline`;
}

const NEEDS = {
  clients: ({ clients_missing: missing, seconds_missing: seconds, metric }) =>
    `${missing === undefined ? "more clients than it can have" : count(Math.ceil(missing), "more client")}, to judge ${metric}` +
    (seconds ? `, which takes about ${spelled(seconds)} at this rate` : ""),
  time: ({ seconds_missing: seconds }) => `${spelled(seconds ?? 0)} more of this tier`,
  operator: ({ metric }) => `an operator: earlier tiers have shown more failures (${metric}) than the impact allows`,
};

function spelled(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${number(Math.round(seconds / 360) / 10)} h`;
}

/** What it waits for, as sentences; may be empty. */
export function needs(rollout) {
  const { judgement = {}, instances = {} } = rollout;
  const told = [];
  if (rollout.store_down) told.push("The store is down: clients stay where they are, and nothing advances.");
  if (rollout.gone) told.push("No instance of the candidate can be used: its clients get the baseline until one is back.");
  if (rollout.begins) told.push("Its tier has not begun yet: all gateways begin at the same time.");
  if (["running", "paused"].includes(rollout.state) && NEEDS[judgement.waits_for]) told.push(`It waits for ${NEEDS[judgement.waits_for](judgement)}.`);
  if (judgement.beyond_room && rollout.state === "running") told.push("Its room cannot become that large: an operator has to let it advance.");
  if (instances.short_of) told.push(`The next tier needs ${count(instances.short_of, "instance")} of the candidate.`);
  if (rollout.silent) told.push(`The gateway ${rollout.silent} is silent: it does not advance until that has written again.`);
  return told;
}

/** One sentence: where it stands, and why. */
export function standing(rollout) {
  const { judgement, state } = rollout;
  if (rollout.withdrawn) return "The config has no entry of it any more: all clients get the other builds. Put the entry back, or take the instances away.";
  if (!judgement) return "Nothing is known of it yet.";
  if (rollout.bad)
    return `It was found bad in tier ${rollout.tier}: ${comparison(judgement)}. The evidence is ${number(judgement.wealth)}; from ${number(judgement.limit)} on it is bad.`;
  if (state === "rolled back") return `It was rolled back in tier ${rollout.tier}, and not because of what was judged: ${comparison(judgement)}.`;
  if (state === "waiting") return `Tier ${rollout.tier} has passed, and an operator has to let it advance: ${comparison(judgement)}.`;
  if (state === "paused") return `It is paused in tier ${rollout.tier}: its clients keep the candidate, and nobody joins. ${comparison(judgement)}.`;
  if (state === "complete") return rollout.by_hand ? "The candidate serves everybody. It was advanced by hand, and is not judged good."
    : "The candidate serves everybody.";
  return `Tier ${rollout.tier} is being judged: ${comparison(judgement)}. The evidence is ${number(judgement.wealth)} of ${number(judgement.limit)}.`;
}

/** The latest thing that was done with it in this trial, and by whom. The judge's reason is told already. */
function lastDeed({ history = [], trial, bad }) {
  const act = history.find((one) => one.deed && one.trial === trial);
  const told = act && bad && act.deed.who === "judge";
  return act && h("p", {}, "Last act: ", h("strong", {}, act.deed.act), " by ", name(act.deed.who), " at ", name(act.deed.node), ", ", time(act.at),
    act.deed.why && !told && [": ", quoted(act.deed.why)]);
}

// ---- acts ------------------------------------------------------------------------------------------

const DEEDS = {
  advance: ["Advance", "The next tier begins, also if this one has not shown yet what it is to show."],
  pause: ["Pause", "Its clients keep the candidate. Nobody joins, and nothing advances; it is still judged."],
  resume: ["Resume", "Clients join again. What was found bad is judged anew, at your risk."],
  rollback: ["Roll back", "All clients get the baseline with their next call; streams of the candidate end.", "bad"],
  start: ["Start again", "A new trial, with other clients: what was rolled back is tried again."],
};
const FIT = {
  running: ["advance", "pause", "rollback"], waiting: ["advance", "pause", "rollback"], paused: ["resume", "rollback"],
  "rolled back": ["start"], complete: ["rollback"],
};

function deeds(rollout) {
  return actions((FIT[rollout.withdrawn ? "" : rollout.state] ?? []).map((word) => {
    const [label, confirm, tone] = DEEDS[word];
    return actionButton({ label, confirm, tone, title: `${label}: ${rollout.rollout}`, path: `/rollouts/${word}`, parameters: { name: rollout.rollout } });
  }));
}

// ---- parts -----------------------------------------------------------------------------------------

const TIER_TONES = { passed: "good", "advanced by hand": "warn", "to come": "muted" };

function tiers(rollout) {
  return h("ol", { class: "stages", "aria-label": "Tiers" }, (rollout.tiers ?? []).map(({ tier, state }) =>
    h("li", { class: TIER_TONES[state] ?? TONES[state], "aria-current": !TIER_TONES[state] && "step" },
      h("span", { class: "step" }, tier === "all" ? "all clients" : /%/.test(tier) ? tier : count(Number(tier), "client")), h("span", { class: "state" }, state))));
}

function metrics({ judgement }) {
  const rows = Object.entries(judgement?.metrics ?? {}).map(([metric, values]) => ({ metric, ...values }));
  const { candidate, baseline } = judgement?.clients ?? {};
  return table([
    { label: "Metric", value: "metric" },
    { label: "Candidate failed", value: "candidate_failed", numeric: true, cell: (row) => `${number(row.candidate_failed)} of ${number(candidate)}` },
    { label: "Baseline failed", value: "baseline_failed", numeric: true, cell: (row) => `${number(row.baseline_failed)} of ${number(baseline)}` },
    figures("Expected", "expected", "So many of the candidate's would have failed if they were the baseline's; of all tiers"),
    figures("Evidence", "wealth", "Bad, if the average of all metrics reaches the limit"),
    { label: "Rules out above", value: "rules_out", numeric: true, cell: (row) => share(row.rules_out), hint: "An excess that is larger than this would have been seen" },
    { label: "Must rule out", value: "must_rule_out", numeric: true, cell: (row) => share(row.must_rule_out), hint: "What the tier has to show to pass" },
  ], rows, { caption: "Metrics of this tier", empty: "Nothing was compared yet." });
}

function share(part) {
  return Number.isFinite(part) ? `${number(Math.round(part * 10000) / 100)} %` : "";
}

function members(rollout) {
  const rows = rollout.latest_members ?? [];
  if (!rows.length) return null;
  return section("Clients that have it",
    rollout.members > rows.length && h("p", { class: "muted" }, `The latest ${number(rows.length)} of ${number(rollout.members)}.`),
    table([
      names("Client", "client"),
      { label: "Member since", value: "at", cell: (row) => (row.at ? time(row.at) : "long ago") },
      { label: "Served by", value: "has_it", cell: (row) => (row.has_it ? "candidate" : "baseline, until all gateways know") },
    ], rows, { caption: `Members of ${rollout.rollout}`, key: (row) => row.client }));
}

function history(rollout) {
  return section("History", table([
    times("When", "at"),
    { label: "Act", value: (row) => row.deed?.act, cell: (row) => h("strong", {}, word(row.deed?.act)) },
    { label: "By", value: (row) => row.deed?.who, cell: (row) => [name(row.deed?.who), row.deed?.node && h("span", { class: "muted" }, " at ", name(row.deed.node))] },
    { label: "Why", value: (row) => row.deed?.why, cell: (row) => quoted(row.deed?.why) },
    { label: "Then", value: (row) => row.deed?.state, cell: (row) => word(`${row.deed?.state ?? ""}, tier ${row.deed?.tier ?? ""}`) },
    { label: "Evidence", value: (row) => row.deed?.judgement?.wealth, numeric: true },
    figures("Trial", "trial"),
  ], rollout.history ?? [], { caption: `History of ${rollout.rollout}`, empty: "Nothing was done with it yet.", key: (row) => row.revision }));
}

// ---- the view --------------------------------------------------------------------------------------

function one(rollout) {
  return [
    h("div", { class: "head" }, h("h2", {}, h("bdi", {}, rollout.rollout)), stateOf(rollout)),
    h("p", { class: "lead" }, standing(rollout)), lastDeed(rollout),
    needs(rollout).map((told) => h("p", { class: "notice warn" }, told)),
    deeds(rollout), tiers(rollout), evidence(rollout),
    facts([["Clients that have it", rollout.members !== undefined && `${number(rollout.members)} of ${number(rollout.room)}`],
      ["Instances of the candidate", number(rollout.instances?.candidate)], ["Of the baseline", number(rollout.instances?.baseline)],
      ["In this state since", rollout.since && time(rollout.since)], ["In this tier since", rollout.tier_since && time(rollout.tier_since)],
      ["Judged by", rollout.judges_here ? "this gateway" : rollout.judge], ["Trial", rollout.trial]]),
    section("What was compared", metrics(rollout)), members(rollout), history(rollout),
  ];
}

function list(rollouts) {
  return table([
    { label: "Rollout", value: "rollout", cell: (row) => link("rollouts", { name: nameOf(row) }, word(nameOf(row))) },
    { label: "State", value: "state", cell: stateOf },
    { label: "Tier", value: "tier", cell: (row) => row.tiers && word(`${row.tier} (${row.tiers.findIndex(({ tier }) => tier === row.tier) + 1} of ${row.tiers.length})`) },
    { label: "Clients", value: "members", numeric: true, cell: (row) => (row.members === undefined ? "" : `${number(row.members)} of ${number(row.room)}`) },
    { label: "Evidence", value: (row) => row.judgement?.wealth, numeric: true, cell: (row) => row.judgement && `${number(row.judgement.wealth)} of ${number(row.judgement.limit)}` },
    { label: "Why", cell: (row) => h("span", { class: "prose" }, standing(row), needs(row).map((told) => ` ${told}`)) },
    times("Since", "since"),
  ], rollouts, { caption: "Rollouts", key: nameOf,
    empty: "The config has no rollouts." });
}

export default {
  title: "Rollouts",
  pages: ({ parameters }) => [query("/rollouts", { name: parameters.get("name") })],
  render(data, { parameters }) {
    const chosen = parameters.get("name");
    const page = query("/rollouts", { name: chosen });
    const [told, note] = read(data, page);
    const back = chosen && h("p", {}, link("rollouts", {}, "All rollouts"));
    if (!told) return h("div", {}, back, absent(data[page]) ?? note);
    return h("div", {}, back, chosen ? (told.rollouts ?? []).map(one) : list(told.rollouts ?? []));
  },
};
