// The fleet: the gateways that share the store, where they differ, and what operators have changed on any of them.
import { read, section, table } from "../dom.js";
import { absent, actionButton, actions, badge, count, figures, filters, h, heads, name, names, quoted, time, times } from "./shared.js";

const DRIFT = {
  silent: ["silent", "bad", "it was not seen for 20 s"],
  config: ["another config", "warn", "most gateways have another config, or as many"],
  build: ["another build", "warn", "most gateways run another version of the program, or as many"],
  name: ["name taken", "bad", "two gateways have this name: give one of them another"],
};

function drift({ drift: found }) {
  if (!found.length) return badge("as the others", "good");
  return h("span", { class: "counts" }, found.map((one) => {
    const [text, tone, title] = DRIFT[one] ?? [one, "warn", ""];
    return h("span", { title }, badge(text, tone));
  }));
}

function lead({ gateways }) {
  const odd = gateways.filter((gateway) => gateway.drift.length);
  if (!odd.length) return h("p", { class: "lead" }, `${count(gateways.length, "gateway")}, all with the same config and build.`);
  const told = odd.map((gateway, at) => [at > 0 && ", ", name(gateway.node), ` (${gateway.drift.map((one) => DRIFT[one]?.[0] ?? one).join(", ")})`]);
  const all = odd.length === gateways.length;
  return h("p", { class: "lead" }, all ? "The gateways are not the same: " : `${count(odd.length, "gateway")} of ${gateways.length} ${odd.length === 1 ? "differs" : "differ"} from the others: `, told, ".");
}

function gateways(rows, asOf) {
  return section("Gateways", table([
    names("Gateway", "node"),
    { label: "State", value: (row) => row.drift.join(" "), cell: drift },
    { label: "Version", value: "version" },
    { label: "Config", value: "config", cell: (row) => h("code", {}, row.config) },
    figures("Generation", "generation"),
    times("Started", "started"),
    times("Seen", "last_seen"),
  ], rows, { caption: "Gateways that share the store", empty: "No gateway was seen yet.", key: (row) => row.node }),
  h("p", { class: "muted" }, "As of ", time(asOf), "."));
}

// ---- the audit -------------------------------------------------------------------------------------

/** The config changed by it, if it did. */
function change({ before, after }) {
  if (!before || !after || before.config === after.config) return null;
  return [h("code", {}, before.config), " → ", h("code", {}, after.config)];
}

function entries(rows, parameters) {
  const [who, action, result] = ["who", "action", "result"].map((key) => parameters.get(key));
  return rows.filter((row) => (!who || row.who === who) && (!action || row.action === action) && (!result || (row.result === "done") === (result === "done")));
}

function distinct(rows, member) {
  return [["", "all"], ...[...new Set(rows.map((row) => row[member]))].sort().map((value) => [value, value])];
}

function audit(rows, parameters, go) {
  return section("Audit", filters("fleet", parameters, go, [{ name: "who", label: "Operator", options: distinct(rows, "who") },
    { name: "action", label: "Action", options: distinct(rows, "action") },
    { name: "result", label: "Result", options: [["", "all"], ["done", "done"], ["refused", "refused"]] }]),
  table([
    times("When", "at"),
    { label: "Who", value: "who", cell: (row) => [name(row.who), row.by && h("span", { class: "muted short" }, ` by ${row.by}`)] },
    heads("Action", "action"),
    { label: "Why", value: "why", cell: (row) => (row.why_failure ? h("span", { class: "muted" }, row.why_failure) : quoted(row.why)) },
    { label: "Result", value: "result", cell: (row) => badge(row.result, row.result === "done" ? "good" : "bad") },
    { label: "Config", cell: change },
    names("At", "node"),
  ], entries(rows, parameters), { caption: "What operators have changed", empty: "Nothing was changed.", key: (row) => `${row.at} ${row.node} ${row.action} ${row.why}` }));
}

export default {
  title: "Fleet and audit",
  pages: ["/fleet", "/audit"],
  render(data, { parameters, go }) {
    const [fleet, fleetNote] = read(data, "/fleet");
    const [told, auditNote] = read(data, "/audit");
    return h("div", {},
      actions(actionButton({ label: "Drain this gateway", tone: "bad", path: "/drain",
        confirm: "It takes no calls any more, ends when those that run have ended, and leaves the fleet. This page ends with it." })),
      fleet ? [fleet.failure && h("p", { class: "notice bad" }, `The store does not answer: ${fleet.failure}. The list is as old as `, time(fleet.as_of), "."),
        lead(fleet), gateways(fleet.gateways, fleet.as_of)] : absent(data["/fleet"]) ?? fleetNote,
      told ? audit(told.entries, parameters, go) : absent(data["/audit"]) ?? auditNote);
  },
};
