// What the views of operations share: drawings in SVG, small parts, and how states are told.
import { actionButton, badge, h, hash, link, name as nameOf, number, time } from "../dom.js";

// Their styles, once.
document.head.append(h("link", { rel: "stylesheet", href: new URL("views.css", import.meta.url).href }));

const SVG = "http://www.w3.org/2000/svg";

/** h() for a drawing: what is text becomes text nodes here, too. */
export function svg(tag, properties, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [attribute, value] of Object.entries(properties ?? {}))
    if (value !== null && value !== undefined && value !== false) node.setAttribute(attribute, String(value));
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHORT = 40; // characters of a word that is not broken into lines

/** A name that others have chosen. A short one stays in one line. */
export function name(text) {
  const told = String(text ?? "");
  return nameOf(told, { class: told.length <= SHORT ? "name short" : "name" });
}

/** A word of the config or the gateway, in one line if it is short. */
export function word(text) {
  const told = String(text ?? "");
  return h("bdi", { class: told.length <= SHORT && "short" }, told);
}

const column = (show) => (label, value, more) => ({ label, value, cell: (row) => row[value] && show(row[value]), ...more });

/** Columns of tables, by the name of a member: words, names that others have chosen, times, what somebody has said, what is to be seen first; and figures. */
export const words = column(word), names = column(name), times = column(time), says = column(quoted), heads = column((text) => h("strong", {}, word(text)));
export const figures = (label, value, hint) => ({ label, value, numeric: true, hint });

/** Buttons beside each other; nothing, where the role allows none. */
export function actions(...buttons) {
  const shown = buttons.flat().filter(Boolean);
  return shown.length ? h("div", { class: "actions" }, shown) : null;
}

/** An action that is not for a whole view but for a row of a table. */
export function rowActions(...buttons) {
  const shown = buttons.flat().filter(Boolean);
  return shown.length ? h("div", { class: "row-actions" }, shown) : null;
}

/** The state of many things: badges with numbers, those with 0 left out. */
export function counts(pairs) {
  return h("span", { class: "counts" }, pairs.filter(([, n]) => n > 0).map(([text, n, tone]) => badge(`${number(n)} ${text}`, tone)));
}

/** What somebody has said, or what a service has: as it is, and marked as theirs. */
export function quoted(text) {
  return text ? h("q", { class: "said" }, h("bdi", {}, text)) : null;
}

/** JSON of a message, to be opened. */
export function message(title, content, { open = false } = {}) {
  if (content === undefined) return null;
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
  return h("details", { class: "message", open, "data-key": `message ${title}` }, h("summary", {}, title), h("pre", { tabindex: "0" }, text));
}

/** A row of links that choose one of several: choice("jobs", "state", parameters, [["", "All"], ["failed", "Failed"]]). */
export function choice(view, parameter, parameters, choices, label) {
  const chosen = parameters.get(parameter) ?? "";
  const others = Object.fromEntries([...parameters].filter(([key]) => key !== parameter && key !== "after"));
  return h("nav", { "aria-label": label }, h("ul", { class: "tabs" }, choices.map(([value, text]) =>
    h("li", {}, h("a", { href: hash(view, { ...others, [parameter]: value }), "aria-current": value === chosen && "true" }, text)))));
}

/** A form whose fields are parameters of the view: [{name, label, placeholder, options: [[value, text]]}]. */
export function filters(view, parameters, go, fields) {
  const submit = (event) => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.currentTarget)].map(([key, value]) => [key, value.trim()]));
    const others = Object.fromEntries([...parameters].filter(([key]) => key !== "after" && !(key in given)));
    go(hash(view, { ...others, ...given }));
  };
  const some = fields.some((field) => parameters.get(field.name));
  const without = Object.fromEntries([...parameters].filter(([key]) => key !== "after" && !fields.some((field) => field.name === key)));
  return h("form", { class: "bar", role: "search", "aria-label": "Filters", on: { submit } },
    fields.map((field) => h("label", {}, field.label, input(field, parameters.get(field.name) ?? ""))),
    h("button", { type: "submit" }, "Filter"),
    some && h("a", { class: "clear", href: hash(view, without) }, "Show all"));
}

function input({ name: field, placeholder, options }, value) {
  if (!options) return h("input", { name: field, value, placeholder, autocomplete: "off", spellcheck: "false" });
  const known = options.some(([given]) => given === value) ? options : [...options, [value, value]];
  return h("select", { name: field, on: { change: (event) => event.currentTarget.form.requestSubmit() } },
    known.map(([given, text]) => h("option", { value: given, selected: given === value }, text)));
}

/** The query of a JSON page, without what is empty; asked for in this order. */
export function query(page, pairs) {
  const given = Object.entries(pairs).filter(([, value]) => value);
  return given.length ? `${page}?${given.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&")}` : page;
}

/** A time that may be missing, and the words before it. */
export function since(words, iso) {
  return iso ? [words, " ", time(iso)] : null;
}

/** A page that this gateway does not have, for it has no store or the like, is no failure to be shown in red. */
export function absent(content) {
  return content?.failed?.status === 404 ? h("p", { class: "empty" }, content.failed.detail) : null;
}

/** "1 client", "12 clients". */
export function count(n, one, many = `${one}s`) {
  return `${number(n)} ${Number(n) === 1 ? one : many}`;
}

export { actionButton, badge, h, hash, link, number, time };
