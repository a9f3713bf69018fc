// What the page does, bundled for the browser. Each story gets the gateway's URL and gives what it saw.
import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

const transports = {
  connect: (baseUrl) => createConnectTransport({ baseUrl }),
  "connect-binary": (baseUrl) => createConnectTransport({ baseUrl, useBinaryFormat: true }),
  "connect-get": (baseUrl) => createConnectTransport({ baseUrl, useHttpGet: true }),
  "grpc-web": (baseUrl) => createGrpcWebTransport({ baseUrl }),
};

async function registry() {
  const bytes = await (await fetch("/orders.binpb")).arrayBuffer();
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, new Uint8Array(bytes)));
}

const order = { buyer: { id: "ada" }, currency: "EUR", total: { units: 19n, nanos: 990000000 } };

function spellError(thrown) {
  const error = ConnectError.from(thrown);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    details: error.details.map((detail) => detail.type),
    requestId: error.metadata.get("x-request-id"),
  };
}

// fetch alone: REST, with its errors and a stream.
async function rest(gateway) {
  const post = (path, body) =>
    fetch(gateway + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const made = await post("/v1/orders", { customer: "ada", totalCents: "1999" });
  const { id } = await made.json();
  const patched = await fetch(`${gateway}/v3/orders/${id}/state`, {
    method: "PATCH", headers: { "content-type": "application/json", "x-of-the-page": "1" },
    body: JSON.stringify({ state: "DELIVERED" }),
  });
  const missing = await fetch(`${gateway}/v1/orders/nowhere`);
  const watched = await fetch(`${gateway}/v3/orders/${id}/events`);
  const events = await new Promise((resolve, reject) => {
    const source = new EventSource(`${gateway}/v3/orders/${id}/events`);
    const seen = [];
    source.onmessage = (event) => seen.push(JSON.parse(event.data).state);
    source.onerror = () => { source.close(); resolve(seen); };
    setTimeout(() => reject(new Error("the events do not end")), 10000);
  });
  return {
    made: made.status,
    version: made.headers.get("api-version"),
    requestId: made.headers.get("x-request-id"),
    patched: (await patched.json()).state,
    missing: missing.status,
    problem: await missing.json(),
    problemType: missing.headers.get("content-type"),
    watched: (await watched.text()).trim().split("\n").map((line) => JSON.parse(line).state),
    events,
  };
}

// connect-web: all that a page can do with it.
async function rpc(gateway, kind) {
  const types = await registry();
  const transport = transports[kind](gateway);
  const v1 = createClient(types.getService("shop.orders.v1.Orders"), transport);
  const v3 = createClient(types.getService("shop.orders.v3.Orders"), transport);
  const spell = (name, message) => toJson(types.getMessage(name), message);
  const told = {};

  const made = await v3.create({ order }, {
    headers: { "x-echo-word": "hello", "x-trailer-word": "good bye", "x-trailer-raw-bin": "AQI" },
    onHeader: (headers) => { told.header = headers.get("x-echo-word"); },
    onTrailer: (trailers) => { told.trailers = [trailers.get("x-trailer-word"), trailers.get("x-trailer-raw-bin")]; },
  });
  told.made = spell("shop.orders.v3.Order", made);
  told.got = spell("shop.orders.v1.Order", await v1.get({ id: made.id }));

  told.watched = [];
  for await (const seen of v3.watch({ id: made.id })) {
    told.watched.push(seen.state);
    if (seen.state === 1) await v3.setStatus({ id: made.id, state: 4 });
  }
  told.error = await v1.get({ id: "nowhere" }).catch(spellError);
  told.codes = [];
  for (const code of ["INVALID_ARGUMENT", "UNAVAILABLE", "UNAUTHENTICATED", "DATA_LOSS"])
    told.codes.push((await v3.list({}, { headers: { "shop-fail": code } }).catch(spellError)).code);
  told.late = (await v3.list({}, { headers: { "shop-delay": "5" }, timeoutMs: 300 }).catch(spellError)).code;
  const stream = v3.watch({ id: "nowhere" })[Symbol.asyncIterator]();
  told.streamError = await stream.next().catch(spellError);

  const leaving = new AbortController();
  const watching = v3.watch({ id: (await v3.create({ order })).id }, { signal: leaving.signal })[Symbol.asyncIterator]();
  await watching.next();
  leaving.abort();
  told.left = (await watching.next().catch(spellError)).code;
  return told;
}

// Whether a page may read the answer, with and without cookies.
async function may(gateway) {
  const ask = (options) => fetch(`${gateway}/v3/orders`, options).then((answer) => answer.status, (error) => error.name);
  return {
    plain: await ask({}),
    preflighted: await ask({ headers: { "x-of-the-page": "1" } }),
    withCookies: await ask({ credentials: "include" }),
    sent: await fetch(`${gateway}/v3/orders`, { mode: "no-cors" }).then((answer) => answer.type),
  };
}

window.stories = { rest, rpc, may };
