// The flow: the services, what each is made of, Kafka between them, and the event on its way at one moment.
import { draw } from "./dom.js";
import { routes } from "./routes.js";
import { SERVICES, owner, tone, topicName } from "./words.js";

const NARROW = 640;
const GAP = 14;
const ROOM = 146;
const RAIL = 38;
const HALF = 13;
const LABELS = { http: "HTTP", journal: "journal", relay: "relay", inbox: "inbox", tasks: "tasks" };
const MOST_FACTS = 3;

// Rooms side by side over Kafka, or, where there is little room, two above it and the others below it, upside down.
function plan(width, services, topics) {
  const narrow = width < NARROW;
  const columns = narrow ? 2 : services.length;
  const roomWidth = (width - GAP * (columns - 1)) / columns;
  const wide = Math.min(92, (roomWidth - 34) / 2);
  const kafka = { y: 18 + ROOM + 22, height: 20 + RAIL * Math.max(1, topics.length) };
  const rooms = new Map();
  let lowest = kafka.y + kafka.height;
  services.forEach((service, n) => {
    const line = Math.floor(n / columns);
    const below = narrow && line > 0;
    const x = (n % columns) * (roomWidth + GAP);
    const y = below ? kafka.y + kafka.height + 22 + (line - 1) * (ROOM + GAP) : 18;
    const level = (step) => y + (below ? ROOM - 26 - step * 44 : 30 + step * 44);
    const left = x + 12 + wide / 2;
    const right = x + roomWidth - 12 - wide / 2;
    rooms.set(service, {
      x, y, width: roomWidth, below, wide,
      name: { x: right - wide / 2 + 2, y: level(0) + 4 },
      http: { x: left, y: level(0) }, journal: { x: left, y: level(1) }, relay: { x: left, y: level(2) },
      inbox: { x: right, y: level(2) }, tasks: { x: right, y: level(1) },
    });
    lowest = Math.max(lowest, below ? y + ROOM + 14 : 0);
  });
  const rails = new Map(topics.map((topic, n) => [topic, kafka.y + 28 + n * RAIL]));
  return { width, narrow, height: lowest + 2, kafka, rooms, rails };
}

function points(way, layout) {
  const room = layout.rooms.get(way.service);
  const out = room.below ? -1 : 1;
  const rail = layout.rails.get(way.topic) ?? layout.kafka.y + (room.below ? layout.kafka.height : 0);
  const { http, journal, relay, inbox, tasks } = room;
  switch (way.kind) {
    case "ask": return [[http.x, http.y - out * 40], [http.x, http.y - out * HALF]];
    case "decide": return [[http.x, http.y + out * HALF], [journal.x, journal.y - out * HALF]];
    case "relay": return [[journal.x, journal.y + out * HALF], [relay.x, relay.y - out * HALF]];
    case "publish": return [[relay.x, relay.y + out * HALF], [relay.x, rail]];
    case "plan": return [[inbox.x, inbox.y - out * HALF], [tasks.x, tasks.y + out * HALF]];
    case "do": return [[tasks.x - room.wide / 2, tasks.y], [journal.x + room.wide / 2, journal.y]];
    default: {
      const from = layout.rooms.get(way.publisher);
      const start = from ? [[from.relay.x, rail]] : [];
      return [...start, [inbox.x, rail], [inbox.x, inbox.y + out * HALF]];
    }
  }
}

function along(line, share) {
  const lengths = line.slice(1).map(([x, y], n) => Math.hypot(x - line[n][0], y - line[n][1]));
  let left = share * lengths.reduce((sum, each) => sum + each, 0);
  for (const [n, length] of lengths.entries()) {
    if (left <= length) {
      const part = length ? left / length : 0;
      return line[n].map((from, axis) => from + (line[n + 1][axis] - from) * part);
    }
    left -= length;
  }
  return line[line.length - 1];
}

const path = (line) => line.map(([x, y], n) => `${n ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

export class Flow {
  constructor(trace, scale) {
    this.scale = scale;
    this.routes = routes(trace, scale);
    const heard = this.routes.works.map((work) => work.service);
    this.touched = new Set(trace.services);
    this.services = [...SERVICES, ...new Set([...trace.services, ...heard].filter((each) => !SERVICES.includes(each)))];
    this.svg = draw("svg", { role: "img", "aria-label": `The way of this event through ${[...this.touched].join(", ")}` });
    this.node = document.createElement("div");
    this.node.className = "flow";
    this.node.append(this.svg);
    this.width = 0;
    this.at = 2;
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.node);
  }

  close() { this.observer.disconnect(); }

  fit() {
    const style = getComputedStyle(this.node);
    const width = Math.max(300, Math.floor(this.node.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)));
    if (width === this.width) return;
    this.width = width;
    this.build();
    this.show(this.at);
  }

  build() {
    const layout = plan(this.width, this.services, this.routes.topics);
    this.svg.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
    this.stations = new Map();
    const rooms = [...layout.rooms].map(([service, room]) => this.room(service, room));
    this.trails = new Map();
    this.moving = this.routes.ways.map((way) => ({ ...way, line: points(way, layout) }));
    for (const way of this.moving) {
      const d = path(way.line);
      const trail = this.trails.get(d) || { node: draw("path", { d, class: "trail", "data-tone": tone(way.publisher || way.service), visibility: "hidden" }), ends: [] };
      trail.ends.push(way.to);
      this.trails.set(d, trail);
    }
    this.tokens = draw("g");
    this.facts = this.routes.said.filter((said) => layout.rails.has(said.topic)).map((said) => this.fact(said, layout));
    const [first] = layout.rooms.values();
    this.svg.replaceChildren(
      draw("text", { class: "people", x: first.http.x + 8, y: 10 }, "people and systems ask"),
      draw("rect", { class: "kafka", x: 0.5, y: layout.kafka.y, width: layout.width - 1, height: layout.kafka.height, rx: 10 }),
      draw("text", { class: "kafka-name", x: 12, y: layout.kafka.y + 16 }, layout.narrow ? "" : "Kafka"),
      this.routes.topics.length ? "" : draw("text", { class: "silent", x: layout.width / 2, y: layout.kafka.y + layout.kafka.height / 2 + 4 }, "nothing was said on Kafka"),
      ...[...layout.rails].flatMap(([topic, y]) => this.rail(topic, y, layout)), ...rooms,
      ...[...this.trails.values()].map((trail) => trail.node),
      ...[...this.stations.values()].map((station) => station.node), ...this.facts.map((fact) => fact.node), this.tokens);
  }

  rail(topic, y, layout) {
    return [
      draw("line", { class: "rail", x1: 12, x2: layout.width - 12, y1: y, y2: y, "data-tone": tone(owner(topic)) }),
      draw("text", { class: "rail-name", x: 12, y: y + 15 }, `${layout.narrow ? "Kafka: " : ""}${topicName(topic)}`),
    ];
  }

  room(service, room) {
    const touched = this.touched.has(service);
    const out = room.below ? -1 : 1;
    const pipes = [["http", "journal"], ["journal", "relay"], ["inbox", "tasks"]].map(([a, b]) => path([[room[a].x, room[a].y], [room[b].x, room[b].y]]));
    pipes.push(path([[room.tasks.x, room.tasks.y], [room.journal.x, room.journal.y]]));
    for (const name of ["relay", "inbox"]) pipes.push(path([[room[name].x, room[name].y], [room[name].x, room[name].y + out * 40]]));
    pipes.push(path([[room.http.x, room.http.y], [room.http.x, room.http.y - out * 40]]));
    for (const [name, label] of Object.entries(LABELS)) {
      const times = draw("tspan", { class: "times" });
      const { x, y } = room[name];
      const node = draw("g", { class: "station", "data-tone": tone(service) },
        draw("rect", { x: x - room.wide / 2, y: y - HALF, width: room.wide, height: HALF * 2, rx: 7 }),
        draw("text", { x, y: y + 4 }, label, times));
      this.stations.set(`${service}|${name}`, { node, times, works: this.routes.works.filter((w) => w.service === service && w.station === name) });
    }
    return draw("g", { "data-tone": tone(service) },
      draw("rect", { class: touched ? "room" : "room untouched", x: room.x + 0.5, y: room.y, width: room.width - 1, height: ROOM, rx: 12 }),
      ...pipes.map((d) => draw("path", { class: "pipe", d })),
      draw("text", { class: `name${touched ? "" : " untouched-name"}${room.width < 190 ? " small" : ""}`, x: room.name.x, y: room.name.y }, service));
  }

  fact(said, layout) {
    const relay = layout.rooms.get(said.service).relay;
    const toLeft = relay.x > layout.width * 0.6;
    const node = draw("text", {
      class: "fact", "data-tone": tone(said.service), y: layout.rails.get(said.topic) - 7, x: relay.x + (toLeft ? -9 : 9), "text-anchor": toLeft ? "end" : "start",
    });
    return { node, facts: said.facts };
  }

  // Draw one moment: a place on the trace's scale, a little below 0 before it begins, above 1 when all is over.
  show(at) {
    this.at = at;
    if (!this.width) return;
    for (const trail of this.trails.values()) {
      const passed = trail.ends.filter((end) => end <= at).length;
      trail.node.setAttribute("visibility", passed ? "visible" : "hidden");
      if (passed) trail.node.setAttribute("stroke-width", Math.min(5, 1.5 + Math.log2(passed) * 0.5).toFixed(2));
    }
    for (const station of this.stations.values()) {
      const begun = station.works.filter((work) => work.from <= at);
      const kind = ["station"];
      if (begun.length) kind.push("been");
      if (begun.some((work) => work.to >= at)) kind.push("now");
      if (begun.some((work) => work.row.status === "error")) kind.push("failed");
      if (station.pointed) kind.push("pointed");
      station.node.setAttribute("class", kind.join(" "));
      station.times.textContent = begun.length > 1 ? ` ×${begun.length}` : "";
    }
    for (const { node, facts } of this.facts) {
      const names = [...facts].map(([fact, records]) => [fact, [...records.values()].filter((place) => place <= at).length]).filter(([, n]) => n);
      const shown = names.slice(0, MOST_FACTS).map(([fact, n]) => (n > 1 ? `${fact} ×${n}` : fact));
      node.textContent = shown.join(", ") + (names.length > MOST_FACTS ? ` +${names.length - MOST_FACTS}` : "");
    }
    this.tokens.replaceChildren(...this.moving.filter((way) => way.from <= at && at < way.to).flatMap((way) => {
      const share = (at - way.from) / (way.to - way.from);
      const [cx, cy] = along(way.line, share * share * (3 - 2 * share));
      const color = tone(way.publisher || way.service);
      return [draw("circle", { class: "halo", "data-tone": color, cx, cy, r: 10 }), draw("circle", { class: "token", "data-tone": color, cx, cy, r: 5.5 })];
    }));
  }

  // Mark the station at which a span happened.
  point(row) {
    const marked = row && this.routes.works.find((work) => work.row.id === row.id);
    for (const [key, station] of this.stations || []) station.pointed = Boolean(marked) && key === `${marked.service}|${marked.station}`;
    this.show(this.at);
  }
}
