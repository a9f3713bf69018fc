// Clients of @connectrpc for the talk service: talk_client.mjs BINPB. Each line of stdin is a call as JSON,
//   {id, dialect, http, codec, get, address, version, method, asks, fields, timeout}  or  {cancel: id}
// and each line of stdout how one ended: {id, messages, headers, trailers, error}.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2])));
const make = { grpc: createGrpcTransport, "grpc-web": createGrpcWebTransport, connect: createConnectTransport };
const clients = new Map();
const running = new Map();

function clientOf({ dialect, http, codec, get, address, version }) {
  const key = [dialect, http, codec, get, address, version].join();
  if (!clients.has(key)) {
    const transport = make[dialect]({
      baseUrl: `http://${address}`, httpVersion: http === 1 ? "1.1" : "2", useBinaryFormat: codec === "proto",
      useHttpGet: get, nodeOptions: http === 1 ? { agent: false } : undefined,
    });
    clients.set(key, createClient(registry.getService(`talk.${version}.Talk`), transport));
  }
  return clients.get(key);
}

const listed = (headers) => Object.fromEntries([...headers]);

function errorOf(thrown) {
  const error = ConnectError.from(thrown);
  return {
    code: Code[error.code].replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase().replace("CANCELED", "CANCELLED"),
    message: error.rawMessage,
    metadata: listed(error.metadata),
    details: error.details.map(({ type, value }) => ({ type, value: Buffer.from(value).toString("base64") })),
  };
}

async function* inTurn(asks) {
  yield* asks;
}

async function run(call) {
  const told = { id: call.id, messages: [], headers: {}, trailers: {} };
  const abort = new AbortController();
  running.set(call.id, abort);
  const ask = registry.getMessage(`talk.${call.version}.Ask`);
  const answer = registry.getMessage(`talk.${call.version}.Answer`);
  const asks = call.asks.map((one) => fromJson(ask, one));
  const options = {
    headers: call.fields, timeoutMs: call.timeout, signal: abort.signal,
    onHeader: (headers) => { told.headers = listed(headers); },
    onTrailer: (trailers) => { told.trailers = listed(trailers); },
  };
  const input = ["gather", "chat"].includes(call.method) ? inTurn(asks) : asks[0];
  try {
    const output = clientOf(call)[call.method](input, options);
    if (output[Symbol.asyncIterator]) for await (const one of output) told.messages.push(toJson(answer, one));
    else told.messages.push(toJson(answer, await output));
  } catch (error) {
    told.error = errorOf(error);
  }
  running.delete(call.id);
  console.log(JSON.stringify(told));
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  if (call.cancel !== undefined) running.get(call.cancel)?.abort();
  else run(call);
}
process.exit(0);
