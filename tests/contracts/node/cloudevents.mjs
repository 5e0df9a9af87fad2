// Reads records of a topic with a Kafka client and gives them to the official CloudEvents SDK; prints each event as JSON.
import { Kafka } from "cloudevents";
import { decompress } from "fzstd";
import kafkajs from "kafkajs";

// The relay's batches are compressed with zstd, which this client leaves to a library.
const zstd = () => ({ decompress: async (buffer) => Buffer.from(decompress(buffer)) });
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = zstd;

const [bootstrap, topic, count] = process.argv.slice(2);
const client = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.ERROR });
const consumer = client.consumer({ groupId: `sdk-${process.pid}` });
let left = Number(count);

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
    const value = String(message.value);
    const event = Kafka.toEvent({ headers, key: String(message.key), value, body: value });
    event.validate();
    console.log(JSON.stringify(event));
    if (--left === 0) setImmediate(() => consumer.disconnect().then(() => process.exit(0)));
  },
});
