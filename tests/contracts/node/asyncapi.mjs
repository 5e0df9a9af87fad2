// Reads AsyncAPI documents with the official parser; prints for each, as a line of JSON, what it is and what is wrong.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(await readFile(path, "utf8"));
  const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, at: path.join("/"), severity }));
  const messages = document?.components().messages().all() ?? [];
  const summary = document && {
    version: document.version(),
    servers: document.servers().all().length,
    channels: document.channels().all().length,
    operations: document.operations().all().length,
    messages: messages.length,
    examples: messages.flatMap((message) => message.examples().all()).length,
  };
  console.log(JSON.stringify({ summary: summary ?? null, found }));
}
