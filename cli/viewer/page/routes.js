// What moves where and when: the spans of a trace as stations that work and as ways between them.
const LEAD = 0.045;
const SHORTEST_WAY = 0.016;
const LONGEST_WAY = 0.06;
const SHORTEST_WORK = 0.012;

const STATION = { request: "http", commit: "journal", publish: "relay", hear: "inbox", task: "tasks" };

const DECIDES = { request: "decide", task: "do" };

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

  const say = (record, fact) => {
    if (!fact) return;
    const key = `${record.topic}|${record.service}`;
    if (!said.has(key)) said.set(key, { topic: record.topic, service: record.service, facts: new Map() });
    const { facts } = said.get(key);
    if (!facts.has(fact)) facts.set(fact, new Map());
    facts.get(fact).set(record.id, begin(record));
  };

  for (const row of trace.rows) {
    const station = STATION[row.step];
    if (station) works.push({ service: row.service, station, row, from: begin(row), to: Math.max(end(row), begin(row) + SHORTEST_WORK) });
    if (row.step === "request") way({ kind: "ask" }, row.service, begin(row) - LEAD, begin(row), row);
    if (row.step === "task") {
      const cause = byId.get(row.parent);
      if (cause?.service === row.service && cause.step === "hear") way({ kind: "plan" }, row.service, end(cause), begin(row), row);
    }
    if (row.step === "commit" && row.attributes["counterpoint.facts"] !== 0) {
      const cause = byId.get(row.parent);
      if (DECIDES[cause?.step]) way({ kind: DECIDES[cause.step] }, row.service, begin(cause), begin(row), row);
      for (const each of published.get(row.id) || []) way({ kind: "relay" }, row.service, Math.max(Math.min(end(row), begin(each)), begin(each) - LONGEST_WAY), begin(each), each);
    }
    if (row.step === "publish") way({ kind: "publish", topic: row.topic }, row.service, begin(row), end(row), row);
    if (row.step === "hear") {
      const carrier = byId.get(row.carrier);
      const ready = !carrier ? begin(row) - LEAD : end(carrier) < begin(row) ? end(carrier) : begin(carrier);
      way({ kind: "hear", topic: row.topic, publisher: carrier?.service }, row.service, ready, begin(row), row);
    }
    if (row.step === "publish") say(row, row.attributes["counterpoint.fact"]);
  }
  const topics = [...new Set(trace.rows.map((row) => row.topic).filter(Boolean))];
  return { works, ways, topics, said: [...said.values()] };
}
