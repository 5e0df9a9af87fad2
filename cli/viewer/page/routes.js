// What moves where and when: the spans of a trace as stations that work and as ways between them.
const LEAD = 0.045;
const SHORTEST_WAY = 0.016;
const SHORTEST_WORK = 0.012;

const STATION = { request: "http", publish: "relay", hear: "inbox", batch: "inbox", task: "tasks", database: "journal" };

// A topic's rail carries what its publishers say; a record of which nobody knows the topic comes from Kafka as such.
export function routes(trace, scale) {
  const byId = new Map(trace.rows.map((row) => [row.id, row]));
  const works = [];
  const ways = [];
  const said = new Map();
  const published = new Map();
  for (const row of trace.rows) if (row.step === "publish") published.set(row.parent, [...(published.get(row.parent) || []), row]);

  const begin = (row) => scale.at(row.start);
  const end = (row) => scale.at(row.start + row.took);
  const way = (key, service, from, to, row) => ways.push({
    ...key, service, row, from: Math.min(from, to - SHORTEST_WAY), to,
  });

  for (const row of trace.rows) {
    const station = STATION[row.step];
    if (station) works.push({ service: row.service, station, row, from: begin(row), to: Math.max(end(row), begin(row) + SHORTEST_WORK) });
    if (row.step === "request") way({ kind: "ask" }, row.service, begin(row) - LEAD, begin(row), row);
    if (row.step === "task") {
      const cause = byId.get(row.parent);
      if (cause?.service === row.service && cause.step === "hear") way({ kind: "plan" }, row.service, end(cause), begin(row), row);
    }
    const commits = (published.get(row.id) || []).filter((each) => each.service === row.service);
    if (commits.length && (row.step === "request" || row.step === "task")) {
      const kept = Math.min(end(row), ...commits.map(begin));
      way({ kind: row.step === "request" ? "decide" : "do" }, row.service, begin(row), kept, row);
      works.push({ service: row.service, station: "journal", row: { ...row, step: "commit" }, from: kept - SHORTEST_WORK, to: kept + SHORTEST_WORK });
      for (const each of commits) way({ kind: "relay" }, row.service, Math.max(kept, begin(each) - 0.06), begin(each), each);
    }
    if (row.step === "publish") way({ kind: "publish", topic: row.topic }, row.service, begin(row), end(row), row);
    if (row.step === "hear") {
      const carrier = byId.get(row.carrier);
      const ready = !carrier ? begin(row) - LEAD : end(carrier) < begin(row) ? end(carrier) : begin(carrier);
      way({ kind: "hear", topic: row.topic, publisher: carrier?.service }, row.service, ready, begin(row), row);
      const fact = row.attributes["counterpoint.fact"];
      if (carrier && fact) {
        const key = `${carrier.topic}|${carrier.service}`;
        const facts = said.get(key) || { topic: carrier.topic, service: carrier.service, facts: new Map() };
        const records = facts.facts.get(fact) || new Map();
        records.set(carrier.id, begin(carrier));
        said.set(key, { ...facts, facts: facts.facts.set(fact, records) });
      }
    }
  }
  const topics = [...new Set(trace.rows.map((row) => row.topic).filter(Boolean))];
  return { works, ways, topics, said: [...said.values()] };
}
