// A JavaScript client that is refused: errors.mjs KIND ADDRESS ORDERS_BINPB DETAIL. Prints what the error said.
//
// KIND as in client.mjs. DETAIL: a google.protobuf.Any in base64 that the backend is asked to answer with.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient, ConnectError } from "@connectrpc/connect";
import * as connectNode from "@connectrpc/connect-node";
import * as connectWeb from "@connectrpc/connect-web";
import grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

const [kind, address, setFile, detail] = process.argv.slice(2);
const setBytes = readFileSync(setFile);
const baseUrl = `http://${address}`;
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, setBytes));
const orderType = registry.getMessage("shop.orders.v1.Order");
const infoType = registry.getMessage("google.rpc.ErrorInfo");
const statusType = registry.getMessage("google.rpc.Status");

const transports = {
  "connect-1": () => connectNode.createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "connect-2": () => connectNode.createConnectTransport({ baseUrl, httpVersion: "2" }),
  "grpc-web-node": () => connectNode.createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "connect-web": () => connectWeb.createConnectTransport({ baseUrl }),
  "grpc-web": () => connectWeb.createGrpcWebTransport({ baseUrl }),
};

async function refusedByConnect() {
  const orders = createClient(registry.getService("shop.orders.v1.Orders"), transports[kind]());
  const headers = { "shop-fail": "FAILED_PRECONDITION", "shop-detail-bin": detail };
  try {
    await orders.get({ id: "7" }, { headers });
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return {
      code: error.code,
      message: error.rawMessage,
      order: toJson(orderType, error.findDetails(orderType)[0]),
      reason: error.findDetails(infoType)[0].reason,
    };
  }
}

async function refusedByGrpc() {
  const definition = grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(setBytes, { keepCase: true }));
  const orders = new definition.shop.orders.v1.Orders(address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set("shop-fail", "FAILED_PRECONDITION");
  metadata.set("shop-detail-bin", Buffer.from(detail, "base64"));
  const error = await new Promise((resolve) => orders.Get({ id: "7" }, metadata, resolve));
  const status = fromBinary(statusType, error.metadata.get("grpc-status-details-bin")[0]);
  const found = (type) => fromBinary(type, status.details.find((any) => any.typeUrl.endsWith(type.typeName)).value);
  return {
    code: error.code,
    message: error.details,
    order: toJson(orderType, found(orderType)),
    reason: found(infoType).reason,
  };
}

console.log(JSON.stringify(kind === "grpc-js" ? await refusedByGrpc() : await refusedByConnect()));
process.exit(0);
