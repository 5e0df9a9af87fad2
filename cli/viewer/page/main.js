// The page: what is new is asked for every second, and the address says which trace is open.
import { byId, el } from "./dom.js";
import { Flow } from "./flow.js";
import { List, titled } from "./list.js";
import { Replay } from "./replay.js";
import { Scale } from "./scale.js";
import { Waterfall } from "./waterfall.js";
import { SERVICES, clock, count, ms, tone } from "./words.js";

const EVERY_MS = 1000;
const STACK_EVERY = 3;
const WIDE = 860;
const RECENT = 150;
const MOST_LINKS = 60;

const list = new List();
const detail = byId("detail");
const still = matchMedia("(prefers-reduced-motion: reduce)");
let cursor = "";
let open = null;
let round = 0;
let empty = true;

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || String(answer.status));
  return body;
}

function live(state, said) {
  byId("live").dataset.state = state;
  byId("live").lastElementChild.textContent = said;
}

const wanted = () => decodeURIComponent(/^#\/trace\/([^/]+)$/.exec(location.hash)?.[1] || "");

async function poll() {
  try {
    const told = await ask(`api/traces?after=${encodeURIComponent(cursor)}`);
    const again = told.cursor.split("-")[0] !== cursor.split("-")[0];
    const first = cursor === "";
    cursor = told.cursor;
    if (again) list.replace(told.traces);
    else if (told.traces.length) list.add(told.traces);
    live("on", "live");
    await arrived(told.traces, again, first);
    if (round++ % STACK_EVERY === 0) stack(await ask("api/stack"));
  } catch (error) {
    live("off", error instanceof TypeError ? "nobody answers any more" : String(error.message));
  }
}

async function arrived(traces, again, first) {
  if (byId("follow").checked && !first) {
    const [newest] = list.travelled();
    if (newest && newest.id !== wanted()) { location.hash = `#/trace/${newest.id}`; return; }
  }
  if (open && traces.some((trace) => trace.id === open.trace.id)) await load(open.trace.id, true);
  else if (!wanted() && (again || empty)) start();
}

// Where no trace is asked for: the last one that went through most services, or what to do.
function start() {
  list.select(null);
  close();
  document.body.dataset.view = "list";
  empty = !list.all.size;
  if (empty) { detail.replaceChildren(nothing()); return; }
  const best = list.travelled().slice(0, RECENT).sort((a, b) => b.services.length - a.services.length || b.facts.length - a.facts.length || b.start - a.start)[0];
  if (best && innerWidth > WIDE) location.replace(`#/trace/${best.id}`);
  else detail.replaceChildren(el("div", { class: "empty" }, el("h2", {}, "Choose a trace"), el("p", {}, "A trace is all that one command set off, in every service it reached.")));
}

function nothing() {
  return el("div", { class: "empty" }, el("h2", {}, "Nothing has happened yet"),
    el("p", {}, "This page draws what the services of the local stack do, as soon as they do it. Let a whole program live through its story, in another terminal:"),
    el("pre", {}, ".venv/bin/counterpoint demo --keep"),
    el("p", {}, "Or ask one of the services yourself: every answer names its trace in the header trace-id."));
}

function close() {
  if (!open) return;
  open.replay.playing = false;
  open.flow.close();
  open.waterfall.close();
  open = null;
}

async function load(id, again = false) {
  let trace;
  try {
    trace = await ask(`api/traces/${encodeURIComponent(id)}`);
  } catch (error) {
    if (again) return;
    close();
    detail.replaceChildren(el("div", { class: "empty" }, el("h2", {}, "No such trace"), el("p", {}, error.message)));
    return;
  }
  if (wanted() !== id) return;
  const before = again && open ? { at: open.replay.at, playing: open.replay.playing, opened: [...open.waterfall.open], top: detail.scrollTop } : null;
  const focused = document.activeElement?.dataset?.span;
  close();
  show(trace, before);
  if (focused) detail.querySelector(`[data-span="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function show(trace, before) {
  const scale = new Scale(trace.timeline);
  const flow = new Flow(trace, scale);
  const waterfall = new Waterfall(trace, scale, { pointed: (row) => flow.point(row) });
  const replay = new Replay(trace, scale, (at, over) => { flow.show(at); waterfall.needle(over ? null : at); });
  open = { trace, flow, waterfall, replay };
  document.title = `${trace.name} · Counterpoint`;
  detail.replaceChildren(head(trace), el("section", { class: "card", "aria-label": "The flow between services" }, replay.node, flow.node),
    waterfall.node, ...others(trace));
  flow.fit();
  waterfall.place();
  detail.scrollTop = before ? before.top : 0;
  if (before) {
    before.opened.forEach((span) => waterfall.toggle(span, true));
    replay.to(before.at);
    if (before.playing) replay.start();
  } else if (!still.matches && trace.rows.length > 1) replay.start();
}

function head(trace) {
  const elsewhere = trace.rows.some((row) => row.detached && row.step !== "request");
  return el("div", { class: "head", "data-tone": tone(trace.service) },
    el("a", { class: "back", href: "#/" }, "← all traces"),
    el("h2", {}, titled(trace.name)),
    el("p", { class: "meta" },
      el("span", {}, el("b", {}, ms(trace.took)), " from first to last"),
      el("span", {}, el("b", {}, count(trace.services.length, "service"))), el("span", {}, count(trace.spans, "span")),
      trace.errors ? el("span", { class: "failed" }, count(trace.errors, "error")) : null,
      trace.marked ? el("span", {}, `${trace.marked} repeated`) : null,
      elsewhere ? el("span", { title: "A span named as cause is not among these" }, "not all of it is recorded") : null,
      el("span", {}, clock(trace.start, true)), el("span", { class: "mono", title: trace.id }, trace.id.slice(0, 16)),
      trace.program ? el("span", { class: "mono", title: "program" }, trace.program.slice(0, 12)) : null),
    trace.facts.length ? el("p", { class: "facts-line" }, "Facts: ", trace.facts.map((fact) => el("span", { class: "chip" }, fact))) : null);
}

// What else has to do with this trace: where it comes from, what came of it, and the batches it was part of.
function others(trace) {
  const out = trace.rows.flatMap((row) => row.links).map((link) => link.trace);
  const groups = [...new Set([...out, ...trace.linked.map((link) => link.trace)])].filter((id) => id !== trace.id);
  const [batches, traces] = [[], []];
  for (const id of groups) (list.all.get(id)?.behind_the_scenes === false ? traces : batches).push(id);
  const linked = (ids, said) => (ids.length ? el("section", { class: "card others" }, said, el("ul", {}, ids.slice(0, MOST_LINKS).map((id) => {
    const known = list.all.get(id);
    return el("li", {}, el("a", { href: `#/trace/${encodeURIComponent(id)}` }, known ? `${known.service} ${known.name}` : id.slice(0, 8)));
  }))) : null);
  return [linked(traces, "Linked to"), linked(batches, `Its records went with ${count(batches.length, "batch", "batches")}`)].filter(Boolean);
}

function stack(told) {
  const names = Object.keys(told).sort((a, b) => SERVICES.indexOf(a) - SERVICES.indexOf(b));
  byId("stack").hidden = !names.length;
  byId("stack").replaceChildren(...names.map((name) => {
    const state = told[name];
    const said = [];
    if (!state) said.push(el("span", { class: "bad" }, "does not answer"));
    else {
      said.push(state.behind ? `${count(state.behind, "record")} behind` : "level");
      if (state.due) said.push(`, ${count(state.due, "task")} due`);
      if (state.parked) said.push(el("span", { class: "bad" }, ` ${state.parked} parked`));
    }
    return el("li", { "data-tone": tone(name) }, el("i"), el("b", {}, name), el("span", {}, said));
  }));
}

function route() {
  const id = wanted();
  document.body.dataset.view = id ? "trace" : "list";
  if (!id) { start(); return; }
  list.select(id);
  load(id);
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, button, a");
  if (event.key === "/" && !event.target.closest?.("input")) { event.preventDefault(); list.search.focus(); }
  else if (event.key === " " && !typing && open) { event.preventDefault(); open.replay.toggle(); }
  else if (event.key === "Escape" && document.body.dataset.view === "trace" && innerWidth <= WIDE) location.hash = "#/";
});

async function run() {
  const asked = wanted();
  await poll();
  if (asked) route();
  const again = async () => {
    if (!document.hidden) await poll();
    setTimeout(again, EVERY_MS);
  };
  setTimeout(again, EVERY_MS);
}

run();
