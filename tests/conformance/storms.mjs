// Large bodies, and calls that end by their deadlines, by Node's http2: storms.mjs get|post|deadlines BYTES CALLS URL
import http2 from "node:http2";
import { once } from "node:events";

const [part, bytesText, callsText, url] = process.argv.slice(2);
const bytes = Number(bytesText), calls = Number(callsText);
const DEADLINE = 30, AT_ONCE = 100;

const session = http2.connect(url);
session.on("error", (error) => fail(error));
session.on("goaway", (code) => fail(`GOAWAY ${code}`));

function fail(why) {
  console.log(`${why}`);
  process.exit(1);
}

function status(stream) {
  return once(stream, "response").then(([headers]) => headers[":status"]);
}

async function get() {
  const stream = session.request({ ":path": `/big/${bytes}` });
  let got = 0;
  stream.on("data", (piece) => { got += piece.length; });
  if (await status(stream) !== 200) fail("no answer");
  await once(stream, "end");
  return got;
}

async function post() {
  const stream = session.request({ ":path": "/big/", ":method": "POST", "content-type": "application/octet-stream" });
  const answered = status(stream);
  const piece = Buffer.alloc(65536);
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!stream.write(left < piece.length ? piece.subarray(0, left) : piece)) await once(stream, "drain");
  }
  stream.end();
  if (await answered !== 200) fail("no answer");
  let text = "";
  for await (const piece of stream) text += piece;
  return Number(text);
}

async function deadlines() {
  let begun = 0;
  const worker = async () => {
    while (begun++ < calls) {
      const stream = session.request({ ":path": "/big/-1" });
      stream.on("error", (error) => fail(error));
      setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), DEADLINE);
      await once(stream, "close");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return calls;
}

const begun = Date.now();
const did = await { get, post, deadlines }[part]();
if (did !== (part === "deadlines" ? calls : bytes)) fail(`${did} only`);
console.log(`${did} in ${(Date.now() - begun) / 1000} s`);
process.exit(0);
