// The talk service by @connectrpc/connect-node: gRPC, gRPC-Web and Connect on one port for each version of HTTP.
// talk_server.mjs BINPB. Tells what happens as lines of JSON: ready with its ports, call, cancelled.
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2])));
const Talk = registry.getService("talk.v3.Talk");
const ErrorInfo = registry.getMessage("google.rpc.ErrorInfo");
const Secret = registry.getMessage("hidden.Secret");

function tell(event, context, more) {
  const mark = context?.requestHeader.get("x-mark");
  console.log(JSON.stringify({ event, mark, ...more }));
}

function begin(context) {
  tell("call", context, { left: context.timeoutMs() });
  const leave = () => { if (!context.over) tell("cancelled", context); };
  if (context.signal.aborted) leave(); // it had left before it was heard
  else context.signal.addEventListener("abort", leave);
  for (const [name, value] of context.requestHeader) {
    if (name.startsWith("x-echo-")) context.responseHeader.set(name, value);
    if (name.startsWith("x-trailer-")) context.responseTrailer.set(name, value);
  }
}

function code(name) {
  return Object.entries(Code).find(([key]) => key.replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase() === name)[1];
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); });
  });
}

async function suffer(ask, done, context) {
  const trouble = ask.trouble;
  if (!trouble || trouble.after !== done) return;
  if (trouble.waitMs) await pause(trouble.waitMs, context.signal);
  if (!trouble.code) return;
  context.over = true;
  throw new ConnectError("as you wish, 50 % ü", code(trouble.code), undefined, [
    { desc: ErrorInfo, value: { reason: "AS_YOU_WISH", domain: "talk.example", metadata: { text: ask.text } } },
    { desc: Secret, value: { raw: new Uint8Array([0xfb, 0xff, 0]) } },
  ]);
}

const answer = ({ text, number, mood, raw }, index) => ({ text, number, mood, raw, index });

const service = {
  async say(ask, context) {
    begin(context);
    await suffer(ask, 0, context);
    context.over = true;
    return answer(ask, 0);
  },
  async *count(ask, context) {
    begin(context);
    for (let i = 0; i < Math.max(ask.times, 1); i++) {
      await suffer(ask, i, context);
      yield answer(ask, i);
    }
    context.over = true;
  },
  async gather(asks, context) {
    begin(context);
    const all = { text: "", number: 0n, index: 0 };
    for await (const ask of asks) {
      await suffer(ask, all.index, context);
      all.text += ask.text;
      all.number += ask.number;
      all.index++;
    }
    context.over = true;
    return all;
  },
  async *chat(asks, context) {
    begin(context);
    let i = 0;
    for await (const ask of asks) {
      await suffer(ask, i, context);
      yield answer(ask, i++);
    }
    context.over = true;
  },
};

const handler = connectNodeAdapter({ routes: (router) => router.service(Talk, service) });
const ports = {};
for (const [version, server] of [[1, http.createServer(handler)], [2, http2.createServer(handler)]]) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  ports[version] = server.address().port;
}
tell("ready", undefined, { ports });
process.on("SIGTERM", () => process.exit(0));
