// Nodes of the page. All text becomes text nodes, whatever it is: nothing here reads markup.

// ---- making nodes ----------------------------------------------------------------------------------

const HANDLERS = Symbol("handlers");

function dispatch(event) {
  event.currentTarget[HANDLERS][event.type]?.(event);
}

function listen(node, handlers) {
  node[HANDLERS] ??= {};
  for (const [type, handler] of Object.entries(handlers)) {
    if (!(type in node[HANDLERS])) node.addEventListener(type, dispatch);
    node[HANDLERS][type] = handler;
  }
}

/** h("p", {class: "x", dataset: {id: 1}, style: {width: "1%"}, on: {click}}, "text", node, [more]): an element.
 *  A property that is null, undefined or false is left out, `true` is an attribute without value; so are children. */
export function h(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") listen(node, value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "style") Object.assign(node.style, value); // not as an attribute, which the policy forbids
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  put(node, children);
  return node;
}

function put(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : visible(String(child)));
  }
}

const LONGEST = 2000; // characters: what comes from outside may be longer than a page should be
const UNSEEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

// What comes from outside cannot be endless, turn the text around it, or look like another text.
function visible(text) {
  return cut(text, LONGEST).replace(UNSEEN, (char) => `⟨U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function cut(text, longest) {
  return text.length > longest ? `${text.slice(0, longest)}… (${number(text.length)} characters)` : text;
}

// ---- replacing them --------------------------------------------------------------------------------

/** Makes `old` the same as `made`, and keeps what is the same: focus, scroll, selection, open details.
 *  A node with a method `become(made)` does so by itself, as charts do. */
export function morph(old, made) {
  if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName || keyOf(old) !== keyOf(made)) {
    old.replaceWith(made);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== made.nodeValue) old.nodeValue = made.nodeValue;
    return;
  }
  if (old.become && made.become) {
    old.become(made);
    return;
  }
  morphAttributes(old, made);
  if (made[HANDLERS]) listen(old, made[HANDLERS]);
  morphChildren(old, made);
}

function keyOf(node) {
  return node.dataset?.key ?? node.id ?? undefined;
}

function morphAttributes(old, made) {
  const kept = (name) => name === "open" && (old.nodeName === "DETAILS" || old.nodeName === "DIALOG");
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) {
    if (kept(name) || old.getAttribute(name) === value) continue;
    if (name === "style") old.style.cssText = made.style.cssText;
    else old.setAttribute(name, value);
    if (name === "value" && old !== document.activeElement) old.value = value;
  }
}

// Children with a `data-key` are moved to their new place, all others are compared one by one.
function morphChildren(old, made) {
  const keyed = new Map([...old.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  let next = old.firstChild;
  for (const child of [...made.childNodes]) {
    const same = child.dataset?.key && keyed.get(child.dataset.key);
    if (same && same !== next) old.insertBefore(same, next);
    const at = same || (next?.dataset?.key ? null : next);
    if (!at) {
      old.insertBefore(child, next);
      continue;
    }
    next = at.nextSibling;
    morph(at, child);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

/** Tells those who hear the page of something that matters now. */
export function say(text) {
  document.getElementById("said").textContent = visible(text);
}

/** Asks app.js to draw the view again, when something has changed that is kept here: how a table is sorted. */
export function redraw() {
  document.dispatchEvent(new Event("redraw"));
}

// ---- figures ---------------------------------------------------------------------------------------

const figures = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** 12,345.68; nothing for what is no number. */
export function number(n) {
  return Number.isFinite(n) ? figures.format(n) : "";
}

/** A share from 0 to 1 as "12.3 %". */
export function percent(share) {
  if (!Number.isFinite(share)) return "";
  const value = share * 100;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  return `${figures.format(value < 10 ? Math.round(value * 100) / 100 : Math.round(value * 10) / 10)} %`;
}

const UNITS = [["d", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000]];

/** Milliseconds as "3.2 ms", "1.5 s", "4 min 10 s", "2 d 3 h". */
export function duration(ms) {
  if (!Number.isFinite(ms)) return "";
  if (ms < 1000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  if (ms < 60000) return `${Math.round(ms / 100) / 10} s`;
  const at = UNITS.findIndex(([, size]) => ms >= size);
  const [[big, size], [small, part]] = [UNITS[at], UNITS[at + 1]];
  const rest = Math.floor((ms % size) / part);
  return `${Math.floor(ms / size)} ${big}${rest ? ` ${rest} ${small}` : ""}`;
}

function ago(when) {
  const past = Date.now() - when;
  if (Math.abs(past) > 60 * 86400000) return new Date(when).toISOString().slice(0, 10);
  const text = Math.abs(past) < 1000 ? "now" : short(Math.abs(past));
  if (text === "now") return text;
  return past < 0 ? `in ${text}` : `${text} ago`;
}

function short(ms) {
  const [unit, size] = UNITS.find(([, size]) => ms >= size);
  return `${Math.floor(ms / size)} ${unit}`;
}

/** A time of day, told as "12 s ago"; its title has it in full. */
export function time(iso) {
  const when = Date.parse(iso);
  if (!iso || Number.isNaN(when)) return h("span", { class: "muted" }, iso || "never");
  return h("time", { datetime: new Date(when).toISOString(), title: iso, "data-ago": when }, ago(when));
}

/** Tells all times anew. */
export function tick(root = document) {
  for (const node of root.querySelectorAll("time[data-ago]")) {
    const text = ago(Number(node.dataset.ago));
    if (node.textContent !== text) node.firstChild.nodeValue = text;
  }
}

const SIGNS = { good: "✓", bad: "✕", warn: "!", info: "i", muted: "–" };

/** A word with a tone: good, bad, warn, info, muted. It has a sign, too, for those who do not see the colour. */
export function badge(text, tone = "muted") {
  return h("span", { class: `badge ${tone}` }, h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[tone] ?? SIGNS.muted),
    h("bdi", {}, cut(String(text), 60)));
}

/** A name that others have chosen: of a client, a header, an error. It cannot turn the text around it, and breaks anywhere. */
export function name(text, properties = {}) {
  return h("bdi", { class: "name", title: String(text).length > 60 && visible(String(text)), ...properties }, text);
}

/** A link to a view: link("request", {id}, "text"). */
export function link(view, parameters, ...children) {
  return h("a", { href: hash(view, parameters) }, ...children);
}

/** The hash of a view: "#/request?id=7". Parameters that are null, undefined or empty are left out. */
export function hash(view, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

// ---- tables ----------------------------------------------------------------------------------------

const sorted = new Map(); // of each table, by its caption: {column, down}
const whole = new Set(); // those of which all rows are shown
const FIRST_ROWS = 100;

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a ?? "").localeCompare(String(b ?? ""), "en", { numeric: true });
}

function sortedBy(columns, rows, order) {
  const column = order && columns[order.column];
  if (!column) return rows;
  const value = valueOf(column);
  return [...rows].sort((a, b) => (order.down ? -1 : 1) * compare(value(a), value(b)));
}

function valueOf(column) {
  return typeof column.value === "function" ? column.value : (row) => row[column.value];
}

function heading(column, at, id, order) {
  const here = order?.column === at;
  const label = column.hint ? h("span", { title: column.hint }, column.label) : column.label;
  const turn = () => {
    sorted.set(id, { column: at, down: here ? !order.down : Boolean(column.numeric) });
    redraw();
  };
  return h("th", { scope: "col", class: column.numeric && "figure", "aria-sort": here && (order.down ? "descending" : "ascending") },
    column.value === undefined ? label
      : h("button", { type: "button", class: "sort", on: { click: turn } }, label,
        h("span", { "aria-hidden": "true" }, here ? (order.down ? " ↓" : " ↑") : "")));
}

function rowOf(columns, row, key) {
  return h("tr", { "data-key": key }, columns.map((column, at) => {
    const shown = column.cell ? column.cell(row) : valueOf(column)(row);
    const text = typeof shown === "number" ? number(shown) : shown;
    return h(at === 0 ? "th" : "td", { scope: at === 0 && "row", class: column.numeric && "figure" }, text);
  }));
}

/** A table that can be sorted. Columns: {label, value, cell, numeric, hint}. `value` is the name of a member or a
 *  function of the row, by which it is sorted; without it, it is not. `cell` is what is shown, if that is another thing.
 *  The first column names the row. `key(row)` is what makes a row the same in the next drawing. */
export function table(columns, rows, { caption, empty = "There is nothing.", key, showCaption = false, id = caption } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const order = sorted.get(id);
  const all = whole.has(id);
  const shown = sortedBy(columns, rows, order).slice(0, all ? Infinity : FIRST_ROWS);
  const more = rows.length - shown.length;
  const showAll = () => { whole.add(id); redraw(); };
  return h("div", { class: "table", role: "region", tabindex: "0", "aria-label": caption },
    h("table", {}, h("caption", { class: !showCaption && "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column, at) => heading(column, at, id, order)))),
      h("tbody", {}, shown.map((row) => rowOf(columns, row, key?.(row))))),
    more > 0 && h("p", { class: "more" }, h("button", { type: "button", on: { click: showAll } }, `Show ${number(more)} more`)));
}

// ---- parts of views --------------------------------------------------------------------------------

/** A part of a view, with a heading. */
export function section(title, ...children) {
  return h("section", { "data-key": `section ${title}` }, h("h2", {}, title), ...children);
}

/** Names and what they are: facts([["Version", "v1"], ...]). Those without a value are left out. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
    .map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

/** What is shown in place of a page that could not be read. */
export function failure(page, { status, detail }) {
  return h("p", { class: "notice bad", role: "status" }, h("strong", {}, `${page}: ${status || "no answer"}. `), detail);
}

/** `data[page]`, or null and a note that it could not be read: const [healing, note] = read(data, "/healing"). */
export function read(data, page) {
  const got = data[page];
  if (!got) return [null, h("p", { class: "empty" }, "Loading…")];
  return got.failed ? [null, failure(page, got.failed)] : [got, null];
}

// ---- dialogs and actions ---------------------------------------------------------------------------

/** Opens a dialog with a form. `fields`: [{name, label, value, hint, required, long, type}]; `send(values)` gives a promise of the node to show. */
export function openDialog({ title, lead, fields, submit, tone, send }) {
  const values = new Map();
  const result = h("output", { class: "result" });
  const close = () => dialog.close();
  const button = h("button", { type: "submit", class: tone === "bad" ? "primary danger" : "primary" }, submit);
  const form = h("form", { method: "dialog", on: { submit: (event) => { event.preventDefault(); act(); } } },
    h("h2", { id: "dialog-title" }, title), lead && h("p", {}, lead),
    fields.map((field) => fieldOf(field, values)), result,
    h("div", { class: "buttons" }, h("button", { type: "button", on: { click: close } }, "Close"), button));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", on: { close: () => dialog.remove() } }, form);

  async function act() {
    button.disabled = true;
    const given = Object.fromEntries([...values].map(([field, input]) => [field, input.value.trim()]));
    const { done, shown } = await send(given);
    result.replaceChildren(shown);
    button.disabled = false;
    if (done) button.remove();
  }

  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

let fieldsMade = 0;

function fieldOf({ name: field, label, value = "", hint, required, long, type = "text" }, values) {
  const id = `field-${++fieldsMade}`;
  const input = h(long ? "textarea" : "input", { id, name: field, required, rows: long && 3, type: !long && type,
    autocomplete: type === "password" ? "off" : null, "aria-describedby": hint && `${id}-hint` });
  input.value = value;
  values.set(field, input);
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { id: `${id}-hint`, class: "hint" }, hint));
}

let actor = null;

/** app.js says here who acts: {may(role), post(path, {parameters, body, why})}. */
export function setActor(given) {
  actor = given;
}

/** A button that does something: it opens a dialog, asks for the reason, POSTs to `path`, and shows what came back.
 *  `confirm`: what will happen, in a sentence. `fields`: more that is asked for, as of openDialog(); each becomes a parameter, if
 *  it is not empty. With `body`, an object, JSON is sent, and the fields are members of it.
 *  An operator without the role `operate` does not see it. */
export function actionButton({ label, path, parameters = {}, confirm, fields = [], body, tone, title = label }) {
  if (!actor?.may("operate")) return null;
  const send = async ({ why, ...given }) => {
    const filled = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
    const asked = body ? { parameters, body: { ...body, ...given }, why } : { parameters: { ...parameters, ...filled }, why };
    const answer = await actor.post(path, asked);
    return { done: answer.ok, shown: answerOf(answer) };
  };
  const open = () => openDialog({ title, lead: confirm, tone, submit: label, send, fields: [...fields,
    { name: "why", label: "Reason", required: true, long: true, hint: "Others see it in the audit." }] });
  return h("button", { type: "button", class: tone === "bad" ? "danger" : null, on: { click: open } }, label);
}

function answerOf({ ok, status, body }) {
  const detail = ok ? null : body?.detail ?? body?.title;
  return h("div", { class: ok ? "notice good" : "notice bad", role: "status" },
    h("strong", {}, ok ? "Done." : `Refused (${status || "no answer"}).`), detail && ` ${detail}`,
    ok && body && Object.keys(body).length > 0 && h("pre", {}, JSON.stringify(body, null, 2)));
}
