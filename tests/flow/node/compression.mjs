// A JavaScript client that compresses what it sends: compression.mjs KIND ADDRESS ORDERS_BINPB. Prints how many
// orders each version's list has, and the id of one that it made.
//
// KIND: connect-1, connect-2, grpc-web-node, grpc-node (@connectrpc/connect-node), grpc-js.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import * as connectNode from "@connectrpc/connect-node";
import grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

const [kind, address, setFile] = process.argv.slice(2);
const setBytes = readFileSync(setFile);
const common = {
  baseUrl: `http://${address}`,
  sendCompression: connectNode.compressionGzip,
  acceptCompression: [connectNode.compressionBrotli, connectNode.compressionGzip],
  compressMinBytes: 100,
};
const transports = {
  "connect-1": () => connectNode.createConnectTransport({ ...common, httpVersion: "1.1" }),
  "connect-2": () => connectNode.createConnectTransport({ ...common, httpVersion: "2" }),
  "grpc-web-node": () => connectNode.createGrpcWebTransport({ ...common, httpVersion: "1.1" }),
  "grpc-node": () => connectNode.createGrpcTransport(common),
};
const wanted = { id: "x".repeat(3000), buyer: { id: "other" }, currency: "EUR" };

async function byConnect() {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, setBytes));
  const transport = transports[kind]();
  const v1 = createClient(registry.getService("shop.orders.v1.Orders"), transport);
  const v3 = createClient(registry.getService("shop.orders.v3.Orders"), transport);
  return {
    v1: (await v1.list({ customer: "ada" })).orders.length,
    v3: (await v3.list({ buyer: { id: "ada" } })).orders.length,
    made: (await v3.create({ order: wanted })).id,
  };
}

async function byGrpc() {
  const definition = grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(setBytes, { keepCase: true }));
  const options = { "grpc.default_compression_algorithm": 2 };
  const credentials = grpc.credentials.createInsecure();
  const call = (version, name, request) => new Promise((resolve, reject) =>
    new definition.shop.orders[version].Orders(address, credentials, options)[name](request,
      (error, reply) => (error ? reject(error) : resolve(reply))));
  return {
    v1: (await call("v1", "List", { customer: "ada" })).orders.length,
    v3: (await call("v3", "List", { buyer: { id: "ada" } })).orders.length,
    made: (await call("v3", "Create", { order: wanted })).id,
  };
}

console.log(JSON.stringify(kind === "grpc-js" ? await byGrpc() : await byConnect()));
process.exit(0);
