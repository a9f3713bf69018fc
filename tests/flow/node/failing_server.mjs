// A Connect server of the shop's v3 that refuses every Get with details: failing_server.mjs PORT ORDERS_BINPB.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

const [port, setFile] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(setFile)));
const orderType = registry.getMessage("shop.orders.v3.Order");

function refuse() {
  const error = new ConnectError("sold out", Code.ResourceExhausted);
  const order = create(orderType, {
    id: "7", buyer: { id: "ada" }, currency: "EUR", state: 1, total: { units: 1n, nanos: 990000000 },
    lines: [{ sku: "mug", quantity: 2 }],
  });
  error.details.push({ type: "shop.orders.v3.Order", value: toBinary(orderType, order) });
  error.details.push({ type: "nobody.Knows", value: new Uint8Array([255, 254]) });
  throw error;
}

const handler = connectNodeAdapter({
  routes: (router) => router.service(registry.getService("shop.orders.v3.Orders"), { get: refuse }),
});
createServer(handler).listen(Number(port), "127.0.0.1", () => console.log("ready"));
