// What the page asks of the gateway: its JSON pages, their changes, and actions.

const AT = new URL(".", document.baseURI); // a proxy may serve all of it under a path
const TOKEN = "passerelle-proof";
const SILENT = 40000; // ms: a heartbeat comes each 15 s

let proof = sessionStorage.getItem(TOKEN); // the value of Authorization; it does not outlive the tab

/** Who the operator is: {name, role, by, node, version}; the role is `guest`, `read` or `operate`. */
export const session = { name: "", role: "guest", by: "", node: "", version: "" };

/** Whether the operator has this role, or one that may more. */
export function may(role) {
  const order = ["guest", "read", "operate"];
  return order.indexOf(session.role) >= order.indexOf(role);
}

function options(more = {}) {
  // With a proof of our own the browser is kept from asking for another one.
  return { cache: "no-store", redirect: "error", ...more, credentials: proof ? "omit" : "same-origin",
    headers: { ...more.headers, ...(proof ? { Authorization: proof } : {}) } };
}

function url(path) {
  return new URL(path.replace(/^\//, ""), AT);
}

/** Bytes of UTF-8, one character each: what fetch takes as the value of a field. */
function fieldValue(text) {
  return Array.from(new TextEncoder().encode(text.replace(/\s+/g, " ").trim()), (byte) => String.fromCharCode(byte)).join("");
}

async function bodyOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { detail: text };
  }
}

function failed(status, body) {
  return { failed: { status, detail: body?.detail ?? body?.title ?? "" } };
}

/** A page's JSON, or {failed: {status, detail}}; status 0: there was no answer. */
export async function get(path, signal) {
  try {
    const response = await fetch(url(path), options({ signal }));
    const body = await bodyOf(response);
    return response.ok ? body : failed(response.status, body);
  } catch (error) {
    return failed(0, { detail: error.message });
  }
}

/** An action: {ok, status, body}. `why` goes as Passerelle-Why, `body` as JSON. */
export async function post(path, { parameters = {}, body, why = "" } = {}) {
  const query = new URLSearchParams(parameters).toString();
  const to = url(query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : path);
  try {
    const response = await fetch(to, options({ method: "POST", body: body && JSON.stringify(body),
      headers: { ...(why && { "Passerelle-Why": fieldValue(why) }), ...(body && { "Content-Type": "application/json" }) } }));
    return { ok: response.ok, status: response.status, body: await bodyOf(response) };
  } catch (error) {
    return { ok: false, status: 0, body: { detail: error.message } };
  }
}

/** Asks who we are, with another proof if one is given: {token} or {user, password}, or {} for none. Gives a text if that
 *  was refused: then all is as before. */
export async function signIn(given) {
  const before = proof;
  if (given) proof = proofOf(given);
  const told = await get("/whoami");
  if (told.failed || (given && proof && told.role === "guest")) {
    if (given) proof = before;
    return told.failed?.detail || (told.failed ? `no answer (${told.failed.status})` : "nobody has this proof");
  }
  Object.assign(session, told);
  if (proof) sessionStorage.setItem(TOKEN, proof);
  else sessionStorage.removeItem(TOKEN);
  return null;
}

function proofOf({ token, user, password }) {
  if (token) return `Bearer ${token}`;
  return user ? `Basic ${btoa(fieldValue(`${user}:${password}`))}` : null;
}

/** Whether we have a proof that can be given up. */
export function hasProof() {
  return proof !== null;
}

// ---- live ------------------------------------------------------------------------------------------

/** The data of each event in a stream of text, as an async generator: [event, data]. */
export async function* events(chunks) {
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts) yield eventOf(part);
  }
}

function eventOf(part) {
  let event = "message";
  const data = [];
  for (const line of part.split(/\r?\n/)) {
    const at = line.indexOf(":");
    const [field, value] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return [event, data.join("\n")];
}

async function* textOf(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    heard();
    if (done) return;
    yield value;
  }
}

/** Reads pages, and then their changes, until `signal` is aborted. `on.page(path, content)` for each, the content as of get();
 *  `on.state(state)`: `live`; `asked`, where guests look, who may not follow; `full` (the gateway has no room for another reader);
 *  `refused` (the proof does not count any more); `away`. */
export async function follow(pages, on, signal) {
  for (let tries = 0; !signal.aborted; tries++) {
    const ended = may("read") ? await followOnce(pages, on, signal) : "guest";
    if (signal.aborted) return;
    if (ended === "live") tries = 0;
    else await poll(pages, on, signal, ended);
    await pause(Math.min(1000 * 2 ** tries, 10000), signal);
  }
}

async function followOnce(pages, on, signal) {
  const ours = new AbortController();
  const stop = () => ours.abort();
  let ended = 0;
  let timer = 0;
  const heard = () => { clearTimeout(timer); timer = setTimeout(stop, SILENT); };
  signal.addEventListener("abort", stop);
  try {
    heard();
    const query = new URLSearchParams(pages.map((page) => ["page", page]));
    const response = await fetch(url(`/live?${query}`), options({ signal: ours.signal }));
    if (!response.ok) return response.status;
    ended = "live"; // also if it breaks
    on.state(ended);
    for await (const [event, data] of events(textOf(response.body, heard))) if (event === "page") tell(JSON.parse(data), on);
  } catch {
    // It is away, or was silent for too long.
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
  return ended;
}

function tell({ page, status = 200, body }, on) {
  on.page(page, status < 400 ? body : failed(status, body));
}

// Each page once: what those get whom /live does not serve.
async function poll(pages, on, signal, status) {
  const got = await Promise.all(pages.map(async (page) => [page, await get(page, signal)]));
  if (signal.aborted) return;
  const away = got.every(([, content]) => content.failed?.status === 0);
  on.state(away ? "away" : { guest: "asked", 401: "refused", 403: "refused" }[status] ?? "full");
  if (away) return;
  for (const [page, content] of got) on.page(page, content);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
  });
}
