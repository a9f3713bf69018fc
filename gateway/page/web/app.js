// The frame around the views: which one is shown, with which pages, who looks at it, light or dark.
import { follow, get, hasProof, may, post, session, signIn } from "./api.js";
import { failure, h, hash, morph, openDialog, setActor, tick } from "./dom.js";

// Name, and title in the navigation; null: it is reached from others. Groups are divided by a line.
const VIEWS = [
  [["overview", "Overview"]],
  [["matrix", "Versions"], ["ledger", "Failures"], ["request", "Requests"], ["signals", "Signals"]],
  [["rollouts", "Rollouts"], ["jobs", "Jobs"], ["instances", "Instances"]],
  [["usage", "Usage"], ["config", "Config"], ["fleet", "Fleet"]],
];
const NAMES = VIEWS.flat().map(([name]) => name);
const OPEN = new Set(["/config", "/fleet", "/whoami"]); // pages that need no role

const $ = (id) => document.getElementById(id);

// ---- the view that is shown ------------------------------------------------------------------------

const PATIENCE = 1500; // ms for which the old drawing stays, where a view gets other pages: what is there does not jump
let shown = null; // {at, name, view, parameters, pages, data, leave, patient}
let waiting = 0;

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const name = path === "errors" ? "ledger" : path || "overview"; // errors: as the API calls it
  return { name, parameters: new URLSearchParams(query) };
}

async function viewOf(name) {
  const none = (status, detail) => ({ title: "Passerelle", render: () => failure(`The view ${name}`, { status, detail }) });
  if (!NAMES.includes(name)) return none("there is none", "All views are in the navigation.");
  try {
    return (await import(`./views/${name}.js`)).default;
  } catch (error) {
    return none("it cannot be loaded", error.message);
  }
}

async function show() {
  const { name, parameters } = place();
  const view = await viewOf(name);
  const here = place();
  if (here.name !== name || String(here.parameters) !== String(parameters)) return; // gone on meanwhile
  const other = shown?.name !== name; // also at the beginning
  const pages = typeof view.pages === "function" ? view.pages({ parameters, role: session.role }) : view.pages ?? [];
  const same = !other && String(shown.pages) === String(pages);
  if (!same) shown?.leave.abort();
  shown = { at: location.hash, name, view, parameters, pages, data: other ? {} : shown.data, leave: same ? shown.leave : new AbortController(),
    patient: other ? 0 : Date.now() + PATIENCE };
  if (other) enter(name, view);
  if (!same) read(pages, shown);
  draw();
}

function enter(name, view) {
  $("title").textContent = view.title;
  document.title = `${view.title} · Passerelle`;
  for (const a of $("views").querySelectorAll("a")) {
    if (a.dataset.view === name) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  menu(false);
  $("view").replaceChildren();
  if (entered) {
    window.scrollTo(0, 0);
    $("main").focus({ preventScroll: true });
  }
  entered = true;
}

let entered = false;

// Guests read what is open, and are told of the rest.
function read(pages, of) {
  const refused = (page) => !may("read") && !OPEN.has(page.split("?")[0]);
  for (const page of pages.filter(refused))
    of.data[page] = { failed: { status: 401, detail: "needs the role read: sign in to see it" } };
  const open = pages.filter((page) => !refused(page));
  const on = {
    page: (page, content) => {
      of.data[page] = content;
      drawSoon();
    },
    state: tellState,
  };
  if (open.length) follow(open, on, of.leave.signal);
  else tellState("live");
}

// Nobody sees a hidden tab: it costs the gateway nothing, and the browser none of its few connections.
function rest() {
  if (!shown?.pages) return;
  shown.leave.abort();
  if (document.hidden) {
    tellState("resting");
    return;
  }
  shown.leave = new AbortController();
  read(shown.pages, shown);
}

function drawSoon() {
  waiting ||= requestAnimationFrame(draw);
}

function draw() {
  cancelAnimationFrame(waiting);
  waiting = 0;
  if (!shown) return;
  const { at, view, parameters, data, pages, patient } = shown;
  const busy = pages.some((page) => !data[page]);
  if (busy && Date.now() < patient) {
    $("view").ariaBusy = "true";
    setTimeout(drawSoon, PATIENCE);
    return;
  }
  const made = h("div", { id: "view", dataset: { at }, "aria-busy": String(busy) });
  try {
    made.append(view.render(data, { parameters, role: session.role, go, get }));
  } catch (error) {
    console.error(error);
    made.append(failure(view.title, { status: "", detail: `It cannot be drawn: ${error.message}` }));
  }
  morph($("view"), made);
  tick($("view"));
}

/** Goes to another hash; with `quietly` it takes the place of the present one in the history. */
function go(to, { quietly = false } = {}) {
  if (!quietly) {
    location.hash = to;
    return;
  }
  history.replaceState(null, "", to);
  show();
}

// ---- what is told about the page itself ------------------------------------------------------------

let last = null;

function tellState(state) {
  const told = { live: ["live", ""], resting: ["paused", ""], asked: ["every 10 s", ""], full: ["every 10 s", "The gateway has no room for another live reader: it is asked every 10 s."],
    away: ["offline", "The gateway does not answer. What is shown may be old."], refused: ["refused", "This proof is not accepted any more. Sign in again."] };
  const [text, notice] = told[state];
  if (state === last) return;
  last = state;
  $("live").textContent = text;
  $("live").className = `live ${state}`;
  $("notice").textContent = notice;
  $("notice").hidden = !notice;
}

function tellWho() {
  const guest = session.role === "guest";
  const button = (label, act) => h("button", { type: "button", class: "quiet", on: { click: act } }, label);
  $("node").replaceChildren(h("bdi", {}, session.node || ""), session.version ? ` ${session.version}` : "");
  $("who").replaceChildren(
    guest ? h("span", { class: "muted" }, "guest") : h("span", { title: session.by ? `by ${session.by}` : null }, h("bdi", {}, session.name || "operator"), ` · ${session.role}`),
    guest ? button("Sign in", askProof) : hasProof() ? button("Sign out", () => enterAs({})) : "");
}

async function enterAs(proof) {
  const refused = await signIn(proof);
  if (!refused) begin();
  return refused;
}

function askProof() {
  openDialog({
    title: "Sign in", submit: "Sign in",
    lead: "With a token, or as a user with a password. It stays in this tab, until it is closed.",
    fields: [{ name: "token", label: "Token", type: "password" }, { name: "user", label: "User" },
      { name: "password", label: "Password", type: "password" }],
    send: async (given) => {
      const refused = await enterAs(given);
      if (!refused) document.querySelector("dialog")?.close();
      return { done: !refused, shown: h("p", { class: "notice bad", role: "status" }, h("strong", {}, "Refused. "), refused) };
    },
  });
}

function begin() {
  tellWho();
  shown?.leave.abort();
  shown = null; // all is read again, as somebody else
  show();
}

// ---- navigation, theme, keys -----------------------------------------------------------------------

function menu(open) {
  $("nav").classList.toggle("open", open);
  $("menu").setAttribute("aria-expanded", String(open));
}

function navigation() {
  $("views").replaceChildren(...VIEWS.flatMap((group) => group.map(([name, title], at) =>
    h("li", { class: at === 0 && "first" }, h("a", { href: `#/${name}`, dataset: { view: name } }, title)))));
  $("menu").addEventListener("click", () => menu($("menu").getAttribute("aria-expanded") !== "true"));
  $("skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    go(hash("request", { id: $("find-id").value.trim() }));
    $("find-id").value = "";
  });
}

const THEMES = ["system", "light", "dark"];

function theme(to) {
  localStorage.setItem("passerelle-theme", to);
  if (to === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = to;
  $("theme").textContent = `Theme: ${to}`;
  document.dispatchEvent(new Event("theme"));
}

function themes() {
  const now = () => localStorage.getItem("passerelle-theme") ?? "system";
  theme(THEMES.includes(now()) ? now() : "system");
  $("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(now()) + 1) % THEMES.length]));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("theme")));
}

setActor({ may, post });
navigation();
themes();
addEventListener("hashchange", show);
document.addEventListener("visibilitychange", rest);
document.addEventListener("redraw", drawSoon);
setInterval(tick, 5000);
const refused = await signIn(null);
if (refused) tellState("away");
begin();
