// How times, names and counts are written, and what the steps of an event are called.
export const SERVICES = ["enrollment", "matching", "scheduling", "insights"];

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });

export const ms = (value) => `${(Math.abs(value) < 100 ? tenths : whole).format(value)} ms`;
export const count = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;
export const clock = (epoch, withMs = false) => {
  const at = new Date(epoch);
  const two = (n) => String(n).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withMs ? `${time}.${String(at.getMilliseconds()).padStart(3, "0")}` : time;
};

// The colour of a service: four have their own, others share one.
export const tone = (service) => (SERVICES.includes(service) ? service : "other");
export const topicName = (topic) => topic.replace(/^counterpoint\./, "");
export const owner = (topic) => topicName(topic).split(".")[0];

// A route without the program that nearly all of them begin with.
export const shortRoute = (route) => route.replace(/\/programs\/\{program\}(?=\/)/, "");

export const STEPS = {
  request: "request over HTTP",
  commit: "kept in the journal",
  publish: "published by the relay",
  hear: "heard by the inbox",
  batch: "batch of records",
  task: "task",
  database: "database",
  call: "call outside",
  work: "work",
};

export const spanName = (row) => {
  const fact = row.attributes["counterpoint.fact"];
  if ((row.step === "publish" || row.step === "hear") && fact) return `${row.step} ${fact}`;
  if (row.step === "publish" && row.topic) return `publish to ${topicName(row.topic)}`;
  return shortRoute(row.name);
};

// What happens at this moment, for the caption of the replay.
export const sentence = (row) => {
  const where = row.topic ? topicName(row.topic) : "Kafka";
  const fact = row.attributes["counterpoint.fact"] || "a fact";
  switch (row.step) {
    case "request": return `${row.service} is asked: ${shortRoute(row.name)}`;
    case "commit": return `${row.service} keeps what it decided in its journal`;
    case "publish": return `${row.service}’s relay publishes ${fact} on ${where}`;
    case "hear": return `${row.service} hears ${fact} from ${where}`;
    case "task": return `${row.service} does its ${row.name}`;
    default: return `${row.service}: ${row.name}`;
  }
};
