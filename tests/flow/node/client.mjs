// A JavaScript client of the shop: client.mjs KIND ADDRESS ORDERS_BINPB. Prints what it got as one JSON object.
//
// KIND: connect-1, connect-2 (@connectrpc/connect-node over HTTP/1.1, HTTP/2), grpc-web-node (the same
// package's gRPC-Web), connect-web (@connectrpc/connect-web over fetch), grpc-web (likewise), grpc-js.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient, ConnectError, Code } from "@connectrpc/connect";
import * as connectNode from "@connectrpc/connect-node";
import * as connectWeb from "@connectrpc/connect-web";
import grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

const [kind, address, setFile] = process.argv.slice(2);
const setBytes = readFileSync(setFile);
const baseUrl = `http://${address}`;

async function* inTurn(items) {
  yield* items;
}

function connectTransport() {
  switch (kind) {
    case "connect-1": return connectNode.createConnectTransport({ baseUrl, httpVersion: "1.1" });
    case "connect-2": return connectNode.createConnectTransport({ baseUrl, httpVersion: "2" });
    case "grpc-web-node": return connectNode.createGrpcWebTransport({ baseUrl, httpVersion: "1.1" });
    case "connect-web": return connectWeb.createConnectTransport({ baseUrl });
    case "grpc-web": return connectWeb.createGrpcWebTransport({ baseUrl });
    default: throw new Error(`no such kind: ${kind}`);
  }
}

async function tellConnect() {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, setBytes));
  const transport = connectTransport();
  const v1 = createClient(registry.getService("shop.orders.v1.Orders"), transport);
  const v3 = createClient(registry.getService("shop.orders.v3.Orders"), transport);
  const spell = (name, message) => toJson(registry.getMessage(name), message);

  const made = await v1.create({ order: { customer: "ada", totalCents: 1999n } });
  const told = { v1: spell("shop.orders.v1.Order", made) };
  told.v3 = spell("shop.orders.v3.Order", await v3.get({ id: made.id }));
  await v3.setStatus({ id: made.id, state: 4 });
  told.watched = [];
  for await (const order of v1.watch({ id: made.id }))
    told.watched.push(spell("shop.orders.v1.Order", order).status);
  try {
    await v1.get({ id: "nowhere" });
  } catch (error) {
    told.error = { code: Code[ConnectError.from(error).code], message: ConnectError.from(error).rawMessage };
  }
  if (kind === "connect-1" || kind === "connect-2") {
    const order = { buyer: { id: "ada" }, currency: "EUR" };
    told.imported = (await v3.import(inTurn([{ order }, { order }]))).ids.length;
  }
  if (kind === "connect-2") {
    told.found = [];
    for await (const order of v3.lookup(inTurn([{ id: made.id }, { id: made.id }])))
      told.found.push(order.id === made.id);
  }
  return told;
}

async function tellGrpc() {
  const definition = grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(setBytes, { keepCase: true }));
  const credentials = grpc.credentials.createInsecure();
  const v1 = new definition.shop.orders.v1.Orders(address, credentials);
  const v3 = new definition.shop.orders.v3.Orders(address, credentials);
  const unary = (client, name, request) => new Promise((resolve, reject) =>
    client[name](request, (error, reply) => (error ? reject(error) : resolve(reply))));

  const made = await unary(v1, "Create", { order: { customer: "ada", total_cents: 1999 } });
  const told = { v1: { customer: made.customer, totalCents: String(made.total_cents), status: made.status } };
  const v3Order = await unary(v3, "Get", { id: made.id });
  told.v3 = { buyer: v3Order.buyer, currency: v3Order.currency, state: v3Order.state };
  await unary(v3, "SetStatus", { id: made.id, state: 4 });
  told.watched = [];
  for await (const order of v1.Watch({ id: made.id })) told.watched.push(order.status);
  await unary(v1, "Get", { id: "nowhere" }).catch((error) => {
    told.error = { code: grpc.status[error.code], message: error.details };
  });
  told.imported = await new Promise((resolve, reject) => {
    const call = v3.Import((error, reply) => (error ? reject(error) : resolve(reply.ids.length)));
    for (let i = 0; i < 2; i++) call.write({ order: { buyer: { id: "ada" }, currency: "EUR" } });
    call.end();
  });
  const lookup = v3.Lookup();
  lookup.write({ id: made.id });
  lookup.write({ id: made.id });
  lookup.end();
  told.found = [];
  for await (const order of lookup) told.found.push(order.id === made.id);
  return told;
}

console.log(JSON.stringify(kind === "grpc-js" ? await tellGrpc() : await tellConnect()));
process.exit(0);
