// The list of traces: what is searched for, by whom, and which of them travelled.
import { byId, el } from "./dom.js";
import { SERVICES, clock, count, ms, shortRoute, tone } from "./words.js";

const PAGE_SIZE = 200;
const KINDS = {
  travelled: { says: "travelled", fits: (t) => t.services.length > 1 || t.facts.length > 0 },
  asked: { says: "all", fits: (t) => !t.behind_the_scenes },
  failed: { says: "errors", fits: (t) => t.errors > 0 },
  batches: { says: "batches", fits: (t) => t.behind_the_scenes },
};

const VERB = /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|task) +/;

// A route without the program everybody has, and its verb apart.
export function titled(name) {
  const verb = VERB.exec(name);
  return [verb ? el("span", { class: "verb" }, verb[1]) : null, verb ? shortRoute(name.slice(verb[0].length)) : name];
}

export class List {
  constructor() {
    this.all = new Map();
    this.kind = "travelled";
    this.shown = PAGE_SIZE;
    this.current = null;
    this.fresh = new Set();
    this.nodes = new Map();
    this.search = byId("search");
    this.service = byId("service");
    for (const name of SERVICES) this.service.append(el("option", { value: name }, name));
    const again = () => { this.shown = PAGE_SIZE; this.render(); };
    this.search.addEventListener("input", again);
    this.service.addEventListener("change", again);
    byId("more").addEventListener("click", () => { this.shown += PAGE_SIZE; this.render(); });
    byId("list").addEventListener("keydown", (event) => this.keys(event));
    this.choices = new Map(Object.keys(KINDS).map((kind) => [kind, el("button", {
      type: "button", onclick: () => { this.kind = kind; again(); },
    })]));
    byId("which").append(...this.choices.values());
  }

  replace(traces) {
    this.all.clear();
    this.nodes.clear();
    this.add(traces, false);
  }

  add(traces, live = true) {
    for (const trace of traces) {
      if (live && !this.all.has(trace.id)) this.fresh.add(trace.id);
      this.all.set(trace.id, trace);
      this.nodes.delete(trace.id);
    }
    this.render();
  }

  travelled() {
    return this.fitting(KINDS.travelled.fits);
  }

  fitting(fits) {
    return [...this.all.values()].filter(fits).sort((a, b) => b.start - a.start);
  }

  found() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const service = this.service.value;
    return this.fitting((t) => {
      if (service && !t.services.includes(service)) return false;
      const text = [t.name, t.id, t.program, ...t.facts, ...t.services].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  render() {
    const found = this.found();
    for (const [kind, button] of this.choices) {
      const number = found.filter(KINDS[kind].fits).length;
      button.replaceChildren(KINDS[kind].says, el("small", {}, String(number)));
      button.setAttribute("aria-pressed", String(kind === this.kind));
    }
    const fitting = found.filter(KINDS[this.kind].fits);
    const visible = fitting.slice(0, this.shown);
    byId("counted").textContent = `${count(fitting.length, "trace")} of ${this.all.size}`;
    byId("more").hidden = fitting.length <= this.shown;
    const kept = document.activeElement?.closest?.("#list a")?.dataset.id;
    byId("list").replaceChildren(...(visible.length ? visible.map((t) => this.item(t)) : [this.none()]));
    if (kept) this.nodes.get(kept)?.querySelector("a")?.focus({ preventScroll: true });
    this.fresh.clear();
  }

  none() {
    const said = this.all.size ? "No trace fits." : "Nothing has happened yet.";
    const clear = () => { this.search.value = ""; this.service.value = ""; this.kind = "asked"; this.render(); };
    return el("li", { class: "none" }, el("p", {}, said),
      this.all.size ? el("button", { type: "button", class: "quiet", onclick: clear }, "Show all") : null);
  }

  item(trace) {
    const known = this.nodes.get(trace.id);
    if (known) { this.mark(known, trace.id); return known; }
    const dots = el("span", { class: "dots", title: trace.services.join(", "), "aria-label": count(trace.services.length, "service") },
      SERVICES.map((s) => el("i", { class: trace.services.includes(s) ? "dot" : "dot off", "data-tone": trace.services.includes(s) ? s : null })));
    const node = el("li", {}, el("a", {
      href: `#/trace/${trace.id}`, "data-id": trace.id, "data-tone": tone(trace.service), class: this.fresh.has(trace.id) ? "fresh" : null,
    },
    el("span", { class: "what", title: trace.name }, titled(trace.name)),
    el("span", { class: "took" }, ms(trace.took)),
    el("span", { class: "under" }, dots, el("span", { class: "facts" }, trace.facts.join(", ") || trace.service),
      trace.errors ? el("span", { class: "badge error" }, count(trace.errors, "error")) : null,
      trace.marked ? el("span", { class: "badge" }, count(trace.marked, "repeat")) : null,
      trace.spans > 1 ? el("span", {}, count(trace.spans, "span")) : null, el("time", {}, clock(trace.start)))));
    this.nodes.set(trace.id, node);
    this.mark(node, trace.id);
    return node;
  }

  mark(node, id) {
    const link = node.firstChild;
    if (id === this.current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }

  select(id) {
    this.current = id;
    for (const [each, node] of this.nodes) this.mark(node, each);
    const node = this.nodes.get(id);
    if (node?.isConnected) node.scrollIntoView({ block: "nearest" });
  }

  keys(event) {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step) return;
    const links = [...byId("list").querySelectorAll("a")];
    const next = links[links.indexOf(document.activeElement) + step];
    if (next) { event.preventDefault(); next.focus(); }
  }
}
