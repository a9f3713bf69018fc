// Instances: which are ill and why, what the gateway does about it now and has done before, and what operators do by hand.
import { duration, read, section, table } from "../dom.js";
import { actionButton, badge, count, counts, figures, filters, h, heads, link, name, names, number, quoted, rowActions, says, time, times, word, words } from "./shared.js";

const BARRED = { ejected: "bad", unhealthy: "bad", removed: "warn", drained: "warn", pinned: "warn", withdrawn: "warn" };
const ACTS = {
  eject: "ejected: it fails more often than others, or is slower", check: "it fails its health checks", breaker: "calls are refused, since they fail",
  reconnect: "it cannot be reached", restart: "the gateway has crashed, and was started again", retry: "calls are sent again", hedge: "calls are sent twice, since an instance is slow",
  shed: "calls are refused, so that others are answered", older: "another version answers", cell: "calls leave the cell", schema: "a schema comes from its cache",
  discovery: "the last list of instances is used", all_used: "instances that fail are used, since too many do", manual: "by hand",
};

// ---- what is known of an instance ------------------------------------------------------------------

function instancesOf(config) {
  return (config?.services ?? []).flatMap((service) => service.instances.map((instance) => ({ ...instance, service: service.name })));
}

function isIll(instance) {
  return !instance.up || instance.barred.length > 0;
}

function stateOf(instance) {
  const bars = instance.barred.map((bar) => badge(bar === "removed" ? "ejected by hand" : bar, BARRED[bar] ?? "warn"));
  if (!instance.up) bars.unshift(badge("down", "bad"));
  return h("span", { class: "counts" }, bars.length ? bars : instance.called ? badge("in use", "good") : badge("not called yet"));
}

/** What is being healed that is about this instance. */
function aboutIt(instance, healing) {
  return (healing?.now ?? []).filter((entry) => (entry.subject ?? "").split(" ").includes(instance.address) && (!entry.service || entry.service === instance.service));
}

function whyOf(instance, healing) {
  return aboutIt(instance, healing).map((entry) => h("p", {}, quoted(entry.why ?? entry.cause ?? ACTS[entry.act]), h("span", { class: "muted" }, " ", time(entry.since))));
}

// ---- acts ------------------------------------------------------------------------------------------

const FOR = { name: "for", label: "For how long", value: "1h", hint: "10m, 1h, 2d: then it ends by itself." };

function deeds({ address, barred }) {
  const act = (word, label, confirm, more = {}) => actionButton({ label, confirm, title: `${label} ${address}`, path: `/instance/${word}`, parameters: { address }, ...more });
  return rowActions(
    !barred.includes("drained") && act("drain", "Drain", "It gets no calls, so that it can be stopped. Calls that run go on to their end.", { fields: [FOR] }),
    !barred.includes("removed") && act("eject", "Eject", "It gets no calls, since it does harm. Calls that run go on to their end.", { fields: [FOR], tone: "bad" }),
    barred.some((bar) => ["drained", "removed", "ejected"].includes(bar)) &&
      act("return", "Return", "It gets calls again, also if the gateway has ejected it. What fails its health checks stays out."));
}

function pinDeeds(service, pinned) {
  const versions = service.versions.map((version) => version.name).join(", ");
  return rowActions(
    actionButton({ label: "Pin", title: `Pin ${service.name}`, path: "/service/pin", parameters: { service: service.name },
      confirm: "All its calls go to instances that have this version or build; calls in other versions are converted. If none is left, they fail.",
      fields: [{ name: "to", label: "Version or build", required: true, hint: versions }, FOR] }),
    pinned && actionButton({ label: "Unpin", title: `Unpin ${service.name}`, path: "/service/unpin", parameters: { service: service.name },
      confirm: "Its calls go to all of its instances again." }));
}

// ---- tables ----------------------------------------------------------------------------------------

/** "v3, build new, by grpc" */
function serves({ versions, build, protocol, tls, cell }) {
  return [word(versions.join(", ")), build && [" ", word(`build ${build}`)], h("span", { class: "muted short" }, ` by ${protocol}${tls ? ", TLS" : ""}`), cell && [", cell ", word(cell)]];
}

function instances(rows, healing, form) {
  const ill = rows.filter(isIll);
  const sorted = [...ill, ...rows.filter((row) => !isIll(row))];
  return section("Instances", form, h("p", {}, counts([["in use", rows.length - ill.length, "good"], ["in trouble", ill.length, "bad"]])), table([
    names("Instance", "address"),
    words("Service", "service"),
    { label: "State", value: (row) => `${isIll(row) ? 0 : 1} ${row.barred.join(" ")}`, cell: stateOf },
    { label: "Why", cell: (row) => whyOf(row, healing) },
    { label: "Serves", value: (row) => `${row.versions.join(" ")} ${row.build ?? ""}`, cell: serves },
    figures("Runs", "running", "Calls that run there now"),
    ...(rows.some((row) => row.weight !== 1) ? [figures("Weight", "weight")] : []),
    { label: "Act", cell: deeds },
  ], sorted, { caption: "Instances", key: (row) => `${row.service} ${row.address}`, empty: "No instance is like that." }));
}

function pinOf(service, healing) {
  return (healing?.manual ?? []).find((act) => act.act === "pin" && (act.target === service.name || act.target.startsWith(`${service.name} `)));
}

function services(config, healing) {
  return section("Services", table([
    words("Service", "name"),
    { label: "Instances", value: (row) => row.instances.length, numeric: true },
    { label: "In use", value: (row) => row.instances.filter((instance) => !isIll(instance)).length, numeric: true },
    { label: "State", value: (row) => (row.all_used ? 0 : 1), cell: (row) => [row.all_used && badge("all are used: too many fail", "bad"),
      pinOf(row, healing) && badge(`pinned: ${pinOf(row, healing).to ?? pinOf(row, healing).target}`, "warn")] },
    { label: "Listed in", value: "listed_in", cell: (row) => (row.listed_in ? name(row.listed_in) : "the config") },
    { label: "Act", cell: (row) => pinDeeds(row, pinOf(row, healing)) },
  ], config.services, { caption: "Services", key: (row) => row.name, empty: "The config has no services." }));
}

/** What happens now, most of all what happens too often. */
function now(healing) {
  const rows = healing.now.filter((row) => row.act !== "manual");
  return section("What is being healed now", table([
    times("Since", "since"),
    { label: "Act", value: "act", cell: (row) => [badge(row.act, row.excess ? "bad" : "warn"), row.excess && " too often"] },
    words("Service", "service"),
    names("Of", "subject"),
    { label: "Why", value: "why", cell: (row) => [quoted(row.why) ?? ACTS[row.act], row.cause && h("p", { class: "muted" }, row.cause)] },
  ], rows, { caption: "What is being healed now", key: (row) => `${row.act} ${row.service} ${row.subject} ${row.since}`, empty: "Nothing: all is well, as far as the gateway can see." }),
  healing.unlisted > 0 && h("p", { class: "muted" }, `And ${number(healing.unlisted)} more.`));
}

function byHand(healing) {
  if (!healing.manual.length) return null;
  return section("By hand", table([
    heads("Act", "act"),
    names("Of", "target"),
    names("By", "who"),
    says("Why", "why"),
    times("Since", "since"),
    times("Until", "until"),
  ], healing.manual, { caption: "What operators have done", key: (row) => `${row.act} ${row.target}` }));
}

function often(healing) {
  const rows = healing.acts;
  return section("How often", table([
    heads("Act", "act"),
    { label: "Means", cell: (row) => h("span", { class: "muted" }, ACTS[row.act] ?? "") },
    words("Service", "service"),
    figures("Now", "now"),
    { label: "Lately", value: "lately", numeric: true, cell: (row) => (row.seconds ? `${number(row.lately)} in ${duration(row.seconds * 1000)}` : "") },
    figures("At most", "at_most"),
    figures("In all", "total"),
    { label: "State", value: (row) => (row.excess ? 0 : 1), cell: (row) => (row.excess ? badge(row.stopped ? "too often: stopped" : "too often", "bad") : badge("within its limit", "good")) },
  ], rows, { caption: "Acts of healing, and their limits", key: (row) => `${row.act} ${row.service}`, empty: "Nothing was healed since the gateway began." }));
}

function history(healing) {
  return section("History", table([
    times("Ended", "ended"),
    { label: "Lasted", value: "seconds", numeric: true, cell: (row) => duration(row.seconds * 1000) },
    { label: "Act", value: "act", cell: (row) => [h("strong", {}, row.act), row.excess && " too often"] },
    words("Service", "service"),
    names("Of", "subject"),
    { label: "Why", value: "why", cell: (row) => [quoted(row.why), row.cause && h("p", { class: "muted" }, row.cause)] },
    { label: "How it ended", value: "how", cell: (row) => row.how },
  ], healing.history, { caption: "What was healed before", empty: "Nothing has ended yet.",
    key: (row) => `${row.act} ${row.service} ${row.subject} ${row.since}` }));
}

// ---- the view --------------------------------------------------------------------------------------

const KINDS = [["", "all"], ["ill", "in trouble"], ["well", "in use"]];

function chosen(rows, parameters) {
  const [service, kind, text] = ["service", "state", "address"].map((key) => parameters.get(key));
  return rows.filter((row) => (!service || row.service === service) && (!kind || isIll(row) === (kind === "ill")) && (!text || row.address.includes(text)));
}

function lead(rows) {
  const ill = rows.filter(isIll);
  if (!rows.length) return null;
  if (!ill.length) return h("p", { class: "lead" }, `${count(rows.length, "instance")}, all in use.`);
  const shown = ill.slice(0, 5).map((row, at) => [at > 0 && ", ", name(row.address), ` of `, h("bdi", {}, row.service), ` (${row.up ? row.barred.join(", ") : "down"})`]);
  return h("p", { class: "lead" }, `${count(ill.length, "instance")} of ${number(rows.length)} ${ill.length === 1 ? "gets" : "get"} no calls or ${ill.length === 1 ? "is" : "are"} down: `,
    shown, ill.length > 5 && " and others", ".");
}

export default {
  title: "Instances and healing",
  pages: ["/config", "/healing"],
  render(data, { parameters, go }) {
    const [config, configNote] = read(data, "/config");
    const [healing, healingNote] = read(data, "/healing");
    const rows = instancesOf(config);
    const form = config && filters("instances", parameters, go, [
      { name: "service", label: "Service", options: [["", "all"], ...config.services.map((service) => [service.name, service.name])] },
      { name: "state", label: "State", options: KINDS }, { name: "address", label: "Address has" }]);
    return h("div", {}, configNote, lead(rows), healing && now(healing),
      healing && byHand(healing), config && instances(chosen(rows, parameters), healing, form), config && services(config, healing),
      healing ? [often(healing), history(healing)] : healingNote,
      h("p", { class: "muted" }, "Why calls fail is in ", link("ledger", {}, "failures"), "."));
  },
};
