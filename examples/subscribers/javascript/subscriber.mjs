// Keeps who is in which pair: `npm ci && node subscriber.mjs 127.0.0.1:9092 my-group`.
import { decompress } from "fzstd";
import kafkajs from "kafkajs";

// Facts come compressed with zstd, which this client leaves to a library.
const zstd = () => ({ decompress: async (bytes) => Buffer.from(decompress(bytes)) });
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = zstd;

const [bootstrap, group, prefix = "counterpoint"] = process.argv.slice(2);
const knows = { PairFormed: 1, PairReleased: 1, ErasureRequested: 1 }; // facts, in the version this was written for
const last = new Map(), pairs = new Map(), erased = new Set(); // kept in memory; keep yours in a database

function take({ headers, value }) {
  const ce = (name) => headers[`ce_${name}`]?.toString();
  if (!ce("id")) return; // no fact
  if (Number(ce("sequence")) <= (last.get(ce("subject")) ?? 0)) return; // a repeat
  last.set(ce("subject"), Number(ce("sequence")));
  const [name, version] = ce("dataschema").split(":").slice(-2);
  if (!(name in knows)) return;
  if (Number(version) > knows[name]) {
    console.error(`${name} has version ${version} now: read contracts/CHANGELOG.md, and never guess`);
    process.exit(1);
  }
  const fact = JSON.parse(value); // take what you need, and pass over what you do not know
  if (name === "PairFormed") pairs.set(fact.pair, [fact.mentor, fact.executive]);
  else if (name === "PairReleased") pairs.delete(fact.pair);
  else erased.add(fact.person); // remembered: order holds within a stream only, so their pair may be heard later
  for (const [pair, two] of pairs) pairs.set(pair, two.map((person) => (erased.has(person) ? null : person)));
  console.log(JSON.stringify(Object.fromEntries(pairs)));
}

const client = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.ERROR });
const consumer = client.consumer({ groupId: group });
await consumer.connect();
const topics = [new RegExp(`^${prefix}[.](enrollment|matching)[.]events([.]g[0-9]+)?$`)]; // those there are by now
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => take(message) });
