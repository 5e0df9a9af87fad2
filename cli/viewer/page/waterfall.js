// The waterfall: a table with one row for each span, below what caused it, on the trace's own time.
import { el } from "./dom.js";
import { STEPS, count, ms, spanName, tone } from "./words.js";

const DEEPEST = 14;
const MANY = 6;
const SHOWN = 3;

export class Waterfall {
  constructor(trace, scale, told) {
    this.trace = trace;
    this.scale = scale;
    this.told = told;
    this.byId = new Map(trace.rows.map((row) => [row.id, row]));
    this.open = new Set();
    this.needles = [];
    this.node = this.build();
    this.observer = new ResizeObserver(() => this.place());
    this.observer.observe(this.axis);
  }

  close() { this.observer.disconnect(); }

  build() {
    const zoom = (factor) => () => { this.scale.zoom(factor); this.place(); };
    this.fit = el("button", { type: "button", class: "quiet", onclick: () => { this.scale.reset(); this.place(); } }, "Fit");
    this.axis = el("div", { class: "axis", title: "Drag to zoom in" });
    this.axis.addEventListener("pointerdown", (event) => this.drag(event));
    this.body = el("tbody", {}, this.trace.rows.map((row, place) => this.row(row, place)));
    this.body.addEventListener("keydown", (event) => this.keys(event));
    const head = ["Service", "What", "", "Start", "Took"].map((said, n) => el("th", {
      scope: "col", role: "columnheader", class: ["c-service", "c-name", "c-lane", "c-start", "c-took"][n],
    }, n === 2 ? this.axis : said));
    const section = el("section", { class: "card fall", "aria-label": "Waterfall" },
      el("div", { class: "bar-top" }, el("h3", {}, "Waterfall"),
        this.database(),
        el("button", { type: "button", class: "quiet", "aria-label": "Zoom in", onclick: zoom(0.5) }, "+"),
        el("button", { type: "button", class: "quiet", "aria-label": "Zoom out", onclick: zoom(2) }, "−"), this.fit),
      el("table", { role: "table" }, el("caption", {}, "The spans of this trace in the order of cause and time. Times in milliseconds since its beginning."),
        el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)), this.body));
    this.body.setAttribute("role", "rowgroup");
    this.shorten();
    return section;
  }

  // Of many that are alike below one cause, the first few are shown, and how many more there are.
  shorten() {
    const causes = new Set(this.trace.rows.map((row) => row.parent));
    const alike = new Map();
    for (const row of this.trace.rows) {
      if (row.step === "database" || causes.has(row.id) || row.status === "error" || row.mark) continue;
      const key = [row.parent, row.service, row.step, spanName(row)].join("\n");
      alike.set(key, [...(alike.get(key) || []), row]);
    }
    for (const rows of [...alike.values()].filter((each) => each.length > MANY)) {
      const rest = rows.slice(SHOWN);
      const more = el("tr", { role: "row", class: "rest", "data-tone": tone(rows[0].service) }, el("td", { class: "c-service", role: "cell" }),
        el("td", { class: "c-name", role: "cell", colspan: 4, style: { "--depth": Math.min(rows[0].depth, DEEPEST) } }, el("button", {
          type: "button", onclick: () => { for (const row of rest) row.drawn.node.hidden = false; more.remove(); },
        }, `${rest.length} more like this, ${ms(rest[0].start)} to ${ms(rest[rest.length - 1].start)}`)));
      for (const row of rest) row.drawn.node.hidden = true;
      rows[SHOWN - 1].drawn.node.after(more);
    }
  }

  // Calls of the database are many and seldom what one looks for, so they are shown when asked for.
  database() {
    const calls = this.trace.rows.filter((row) => row.step === "database" && row.status !== "error");
    if (!calls.length || calls.length === this.trace.rows.length) return null;
    const show = (shown) => { for (const row of calls) row.drawn.node.hidden = !shown; };
    const box = el("input", { type: "checkbox", onchange: () => { show(box.checked); this.place(); } });
    show(false);
    return el("label", { class: "calls" }, box, ` ${count(calls.length, "database call")}`);
  }

  row(row, place) {
    const name = spanName(row);
    const notes = [
      row.status === "error" ? el("span", { class: "badge error" }, "failed") : null,
      row.mark ? el("span", { class: "badge" }, row.mark) : null,
      row.attributes["counterpoint.late"] ? el("span", { class: "badge", title: "Waited for its time; a trace of its own, linked to where it comes from" }, "later") : null,
      row.attributes["counterpoint.attempt"] ? el("span", { class: "badge" }, `attempt ${row.attributes["counterpoint.attempt"]}`) : null,
      row.detached && row.step !== "request" ? el("span", { class: "badge", title: "What caused this was not recorded here" }, "cause elsewhere") : null,
      row.links.length && row.step !== "hear" ? el("span", { class: "badge linked", title: "Linked to other traces" }, `↗ ${row.links.length}`) : null,
    ];
    const button = el("button", {
      type: "button", "aria-expanded": "false", tabindex: place ? -1 : 0, "data-span": row.id,
      onclick: () => this.toggle(row.id), onfocus: () => this.pointed(row),
    }, el("span", { class: "twist" }), el("span", { class: "label", title: name }, name), notes);
    const bar = el("div", { class: "bar" });
    const wait = el("div", { class: "wait" });
    const needle = el("div", { class: "needle", hidden: true });
    this.needles.push(needle);
    const node = el("tr", {
      role: "row", class: `row step-${row.step}${row.status === "error" ? " failed" : ""}${row.mark ? " marked" : ""}`, "data-tone": tone(row.service),
      onmouseenter: () => this.pointed(row), onmouseleave: () => this.pointed(null),
    },
    el("td", { role: "cell", class: "c-service" }, row.service),
    el("td", { role: "cell", class: "c-name", style: { "--depth": Math.min(row.depth, DEEPEST) } }, button),
    el("td", { role: "cell", class: "c-lane" }, el("div", { class: "lane" }, wait, bar, needle)),
    el("td", { role: "cell", class: "c-start" }, ms(row.start)),
    el("td", { role: "cell", class: "c-took" }, ms(row.took)));
    row.drawn = { node, bar, wait, button, lane: bar.parentNode };
    return node;
  }

  pointed(row) { this.told.pointed?.(row); }

  // The moment at which what this span waited for was there.
  cause(row) {
    const of = this.byId.get(row.carrier) || this.byId.get(row.parent);
    return of ? Math.min(of.start + of.took, row.start) : row.start;
  }

  place() {
    const { scale } = this;
    for (const row of this.trace.rows) {
      const left = scale.at(row.start);
      const right = scale.at(row.start + row.took);
      row.drawn.bar.style.left = `${Math.min(scale.percent(left), 101)}%`;
      row.drawn.bar.style.width = `${Math.max(0, scale.percent(right) - scale.percent(left))}%`;
      const from = scale.at(this.cause(row));
      row.drawn.wait.style.left = `${scale.percent(from)}%`;
      row.drawn.wait.style.width = `${Math.max(0, scale.percent(left) - scale.percent(from))}%`;
      row.drawn.lane.querySelectorAll(".fold").forEach((node) => node.remove());
      row.drawn.lane.prepend(...scale.folds().map((fold) => this.fold(fold)));
    }
    this.axis.replaceChildren(...scale.ticks(this.axis.clientWidth).map((tick) => el("span", {
      class: tick.place > 92 ? "end" : null, style: { left: `${tick.place}%` },
    }, `${tick.says} ms`)), ...scale.folds().map((fold) => this.fold(fold)));
    this.fit.disabled = !scale.zoomed;
    this.needle(this.at ?? null);
  }

  fold(fold) {
    const left = this.scale.percent(fold.left);
    return el("div", { class: "fold", title: `nothing happens for ${ms(fold.waits)}`,
      style: { left: `${left}%`, width: `${this.scale.percent(fold.right) - left}%` } });
  }

  needle(place) {
    this.at = place;
    const percent = place === null ? -1 : this.scale.percent(place);
    for (const node of this.needles) {
      node.hidden = percent < 0 || percent > 100;
      node.style.left = `${percent}%`;
    }
  }

  toggle(id, only) {
    const row = this.byId.get(id);
    if (!row) return;
    const opened = !this.open.has(id);
    if (only && !opened) return;
    row.drawn.button.setAttribute("aria-expanded", String(opened));
    if (opened) { row.drawn.node.hidden = false; this.open.add(id); row.drawn.node.after(this.about(row)); }
    else { this.open.delete(id); row.drawn.node.nextElementSibling.remove(); }
  }

  about(row) {
    const parent = this.byId.get(row.parent);
    const facts = [
      ["what", STEPS[row.step] || row.step], ["service", row.role ? `${row.service}, role ${row.role}` : row.service],
      ["started after", ms(row.start)], ["took", ms(row.took)], ["waited", ms(row.start - this.cause(row))], ["status", row.status === "error" ? "failed" : "not failed"],
      row.mark ? ["not the first", row.mark] : null,
      ["span", row.id], ["caused by", parent ? `${spanName(parent)} (${parent.service})` : row.parent ? `${row.parent}, ${row.step === "request" ? "of who asked" : "which is not recorded here"}` : "nobody: it begins here"],
      ...Object.entries(row.attributes).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
    ].filter(Boolean).map(([name, said]) => el("div", {}, el("dt", {}, name), el("dd", {}, said)));
    const links = row.links.map((link) => el("div", {}, el("dt", {}, "linked to"),
      el("dd", {}, el("a", { href: `#/trace/${encodeURIComponent(link.trace)}` }, `trace ${link.trace.slice(0, 8)}`))));
    return el("tr", { role: "row", class: "more", "data-tone": tone(row.service) },
      el("td", { role: "cell", colspan: 5 }, el("dl", { class: "about" }, facts, links)));
  }

  keys(event) {
    const buttons = [...this.body.querySelectorAll("tr:not([hidden]) > td > button[data-span]")];
    const here = buttons.indexOf(document.activeElement);
    if (here < 0) return;
    const move = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (move !== undefined) {
      const next = buttons[Math.max(0, Math.min(buttons.length - 1, move))];
      buttons[here].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const row = this.byId.get(buttons[here].dataset.span);
      this.scale.zoom(event.key === "-" ? 2 : 0.5, this.scale.at(row.start + row.took / 2));
      this.place();
    } else if (event.key === "0") { this.scale.reset(); this.place(); }
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      this.scale.pan(event.key === "ArrowRight" ? 0.2 : -0.2);
      this.place();
    } else return;
    event.preventDefault();
  }

  drag(event) {
    const box = this.axis.getBoundingClientRect();
    const share = (at) => Math.max(0, Math.min(1, (at.clientX - box.left) / box.width));
    const from = share(event);
    const range = el("div", { class: "range" });
    this.axis.append(range);
    this.axis.setPointerCapture(event.pointerId);
    const span = (at) => [from, share(at)].sort((a, b) => a - b);
    const move = (at) => {
      const [a, b] = span(at);
      range.style.left = `${a * 100}%`;
      range.style.width = `${(b - a) * 100}%`;
    };
    const done = (at) => {
      this.axis.removeEventListener("pointermove", move);
      this.axis.removeEventListener("pointerup", done);
      this.axis.removeEventListener("pointercancel", done);
      const [a, b] = span(at);
      const width = this.scale.high - this.scale.low;
      if (b - a > 0.01) this.scale.show(this.scale.low + a * width, this.scale.low + b * width);
      this.place();
    };
    this.axis.addEventListener("pointermove", move);
    this.axis.addEventListener("pointerup", done);
    this.axis.addEventListener("pointercancel", done);
  }
}
