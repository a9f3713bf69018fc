// Parts that several views have in common.
import { badge, h, link, name, number, table, time } from "./dom.js";

/** The tone of a call's record. */
export function toneOf({ level, losses, code }) {
  if (level === "error") return "bad";
  if (level === "warning" || losses) return "warn";
  return code === "OK" ? "good" : "muted"; // the client's own mistake
}

/** The method without its package: "Orders/Get". */
export function shortMethod(method = "") {
  return method.replace(/^.*\.([^.]+\/)/, "$1");
}

/** A table of calls, as /requests has them. */
export function requestTable(requests, { caption, empty }) {
  const columns = [
    { label: "When", value: "time", cell: (r) => link("request", { id: r.request_id }, time(r.time)) },
    { label: "Client", value: "client", cell: (r) => (r.client ? name(r.client) : h("span", { class: "muted" }, "anonymous")) },
    { label: "Call", value: "method", cell: (r) => h("div", {}, name(shortMethod(r.method) || r.path), r.leg && ` (leg ${r.leg})`,
      r.path && !r.path.endsWith(r.method ?? "\n") && h("div", { class: "why" }, h("bdi", {}, `${r.verb ?? ""} ${r.path}`))) },
    { label: "Versions", value: "client_version", cell: (r) => [r.client_version, r.served_version].filter(Boolean).join(" → ") },
    { label: "Result", value: "code", cell: (r) => h("div", {}, badge(r.code, toneOf(r)), r.degraded && h("div", { class: "why" }, `degraded: ${r.degraded}`),
      r.lost && h("div", { class: "why" }, h("bdi", {}, `lost ${r.lost}`)),
      r.causes?.[0] && h("div", { class: "why" }, h("bdi", {}, `${r.causes.at(-1).fault}: ${r.causes.at(-1).doing}`))) },
    { label: "ms", value: "total_ms", numeric: true, cell: (r) => number(r.total_ms) },
  ];
  return table(columns, requests ?? [], { caption, empty, key: (r) => `${r.request_id} ${r.leg ?? ""} ${r.time}` });
}

let typing = 0;

/** A field of a form that changes a parameter of the view as it is typed. */
export function filter(view, view_name, key, label, options) {
  const value = view.parameters.get(key) ?? "";
  const set = ({ target }) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const parameters = new URLSearchParams(location.hash.split("?")[1]);
      const now = target.type === "checkbox" ? (target.checked ? "true" : "") : target.value;
      if (now) parameters.set(key, now);
      else parameters.delete(key);
      view.go(`#/${view_name}?${parameters}`, { quietly: true });
    }, target.type === "search" ? 300 : 0);
  };
  if (options === "check") return h("label", { class: "check" }, h("input", { type: "checkbox", checked: value === "true", on: { change: set } }), label);
  if (!options) return h("label", {}, label, h("input", { type: "search", value, spellcheck: "false", autocomplete: "off", on: { input: set } }));
  return h("label", {}, label, h("select", { on: { change: set } }, h("option", { value: "" }, "all"),
    options.map((one) => h("option", { value: one, selected: one === value }, one))));
}
