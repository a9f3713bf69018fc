// Jobs: which there are, which are stuck, and one of them with its steps and messages.
import { duration, facts, read, section, table } from "../dom.js";
import { absent, actionButton, actions, badge, choice, filters, h, link, message, name, names, number, query, quoted, time, word, words } from "./shared.js";

const TONES = { queued: "muted", running: "info", waiting: "info", failed: "bad", undoing: "warn", undone: "muted", done: "good" };
const STATES = [["", "All"], ["failed", "Failed"], ["waiting", "Waiting"], ["running", "Running"], ["queued", "Queued"], ["undoing", "Undoing"],
  ["done", "Done"], ["undone", "Undone"]];
const OLDER = [["", "at any time"], ["1m", "a minute"], ["10m", "10 minutes"], ["1h", "an hour"], ["24h", "a day"], ["168h", "a week"]];
const FILTERS = ["state", "client", "service", "step", "resource", "older", "after"];

function stateOf(job) {
  return [badge(job.state, TONES[job.state]), job.stuck && job.state !== "failed" && [" ", badge("stuck", "bad")], job.parked && [" ", badge("parked", "warn")]];
}

/** What is in its way. */
function why({ failure, parked, tries, order }) {
  return [failure && [failure.step && `${failure.step}: `, failure.fault, failure.code && failure.code !== "UNKNOWN" && ` (${failure.code})`],
    parked && h("p", {}, parked), !failure && tries && `${number(tries)} tries`, order && h("p", { class: "muted" }, `Ordered: ${order.what} by `, name(order.who))];
}

// ---- acts ------------------------------------------------------------------------------------------

const ACTS = {
  retry: ["Retry", "Its step, or its undo, is tried again, with the same key."],
  "skip-step": ["Skip the step", "It goes on behind its step, or behind its undo, as if that were done."],
  cancel: ["Cancel", "What was done is undone, when the call that runs has ended.", "bad"],
  undo: ["Undo", "All that its steps have done is undone.", "bad"],
  replay: ["Replay", "A new job with the same request, of the same client: all its steps have their effects once more.", "bad"],
  migrate: ["Migrate", "It becomes one of the revision that accepts new jobs. What has happened must mean the same in both."],
};

function fitting({ state, behind }) {
  if (state === "failed") return ["retry", "skip-step", "undo", "replay"];
  if (state === "done") return ["undo", "replay"];
  if (state === "undone") return ["replay"];
  return ["cancel", behind && "migrate"].filter(Boolean);
}

function act(job, word) {
  const [label, confirm, tone] = ACTS[word];
  return actionButton({ label, confirm, tone, title: `${label}: ${job.id}`, path: `/jobs/${job.id}/${word}` });
}

/** The event that it waits for. */
function awaited(job) {
  const step = job.state === "waiting" && (job.steps ?? []).find(({ name: of, event }) => event && of === job.step);
  return step && actionButton({ label: `Event: ${step.event}`, title: `The event ${step.event} has happened`, path: `/jobs/${job.id}/event`,
    parameters: { name: step.event }, confirm: `The step ${step.name} is done with it, and the job goes on.` });
}

function deeds(job) {
  return actions(awaited(job), fitting(job).map((word) => act(job, word)),
    job.parked && actionButton({ label: "Unpark", title: `Unpark ${job.method}`, path: "/jobs/unpark", parameters: { method: job.method },
      confirm: `Jobs of ${job.method} begin again.` }));
}

// ---- one job ---------------------------------------------------------------------------------------

const STEP_TONES = { done: "good", begun: "warn", current: "info", undone: "muted", undo_failed: "bad", passed_over: "muted", not_begun: "muted" };
const STEP_WORDS = { begun: "broken off", current: "here", undo_failed: "its undo has failed", passed_over: "passed over", not_begun: "to come" };

function wordOf(job, { state }) {
  return state === "current" && job.state === "failed" ? "failed" : STEP_WORDS[state] ?? state;
}

function toneOf(job, step) {
  return step.state === "current" && job.state === "failed" ? "bad" : STEP_TONES[step.state];
}

function steps(job) {
  return h("ol", { class: "stages down", "aria-label": "Steps" }, job.steps.map((step) =>
    h("li", { class: toneOf(job, step), "aria-current": step.state === "current" && "step" },
      h("span", { class: "step" }, h("bdi", {}, step.name), badge(wordOf(job, step), toneOf(job, step)),
        step.event && h("span", { class: "muted" }, `event ${step.event}`)),
      step.state === "current" && job.failure && h("p", {}, job.failure.fault, job.failure.message && [": ", quoted(job.failure.message)]),
      message(`Response of ${step.name}`, step.response))));
}

function one(job) {
  const { failure } = job;
  return h("div", {}, h("p", {}, link("jobs", {}, "All jobs")),
    h("div", { class: "head" }, h("h2", {}, h("bdi", {}, job.method), " ", h("code", {}, job.id)), stateOf(job)),
    failure && h("p", { class: job.state === "failed" ? "notice bad" : "notice" }, h("strong", {}, failure.step ? `Step ${failure.step}: ` : "", failure.fault),
      ` (${failure.code})`, failure.message && [": ", quoted(failure.message)]),
    job.parked && h("p", { class: "notice warn" }, "Parked: ", job.parked),
    job.order && h("p", { class: "notice warn" }, `Ordered: ${job.order.what} by `, name(job.order.who), job.order.why && [": ", quoted(job.order.why)], ". It is carried out by the gateway that has the job."),
    job.unreadable && h("p", { class: "notice bad" }, job.unreadable),
    deeds(job),
    facts([["Client", job.client && name(job.client)], ["Resource", job.resource && name(job.resource)], ["Created", time(job.created)],
      ["In this state and step", [duration(job.seconds * 1000), ", since ", time(job.since)]], ["Tries", job.tries], ["Due", job.due && time(job.due)], ["Revision", job.revision],
      ["Executed by", job.owner], ["Request", job.request_id && link("request", { id: job.request_id }, h("code", {}, job.request_id))]]),
    job.steps && section("Steps", steps(job)),
    message("Request", job.request, { open: true }));
}

// ---- all of them -----------------------------------------------------------------------------------

function list(told, parameters) {
  const { jobs = [], next } = told;
  const more = next && Object.fromEntries([...parameters, ["after", next]]);
  return [table([
    { label: "Job", value: "id", cell: (job) => link("jobs", { id: job.id }, h("code", { class: "short" }, job.id)) },
    { label: "State", value: "state", cell: stateOf },
    words("Step", "step"),
    { label: "For", value: "seconds", numeric: true, cell: (job) => duration(job.seconds * 1000) },
    words("Method", "method"),
    names("Client", "client"),
    names("Resource", "resource"),
    { label: "Why", value: (job) => job.failure?.fault, cell: why },
  ], jobs, { caption: "Jobs", key: (job) => job.id, empty: [...parameters].length ? "No job is like that." : "There are no jobs." }),
  more && h("p", { class: "more" }, link("jobs", more, "Older ones"))];
}

function pageOf(parameters) {
  const id = parameters.get("id");
  return id ? `/jobs/${encodeURIComponent(id)}` : query("/jobs", Object.fromEntries(FILTERS.map((key) => [key, parameters.get(key)])));
}

export default {
  title: "Jobs",
  pages: ({ parameters }) => [pageOf(parameters)],
  render(data, { parameters, go }) {
    const page = pageOf(parameters);
    const [told, note] = read(data, page);
    const shown = absent(data[page]) ?? note;
    if (parameters.get("id")) return told ? one(told) : h("div", {}, h("p", {}, link("jobs", {}, "All jobs")), shown);
    return h("div", {}, choice("jobs", "state", parameters, STATES, "States"),
      filters("jobs", parameters, go, [{ name: "client", label: "Client" }, { name: "service", label: "Service or method" }, { name: "resource", label: "Resource", placeholder: "site/shop-1" },
        { name: "older", label: "Like this for longer than", options: OLDER }]),
      told ? list(told, parameters) : shown);
  },
};

