// Asking a server, also through Prism.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import http from "node:http";
import path from "node:path";
import zlib from "node:zlib";

const ROOT = path.resolve(import.meta.dirname, "../../..");
export const AT_ONCE = 16;
const START_TIMEOUT_MS = 60000;
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

export const isJson = (type) => /^application\/([^;]*\+)?json\b/.test(type ?? "");

export const valuesOf = ({ headers }, wanted) => headers.filter(([name]) => name === wanted).map(([, value]) => value);

export function parsed(bytes) {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

// Sends a request of recorded.mjs; its answer as {status, fields, bytes}, without Content-Encoding. A connection that
// was closed while it was idle is no answer: the request goes over another.
export function ask(base, request) {
  const { method, target, headers, body } = request;
  const { hostname, port } = new URL(base);
  const length = method !== "GET" || body.length ? ["content-length", String(body.length)] : [];
  const fields = [...headers.flat(), "host", "t", ...length];
  const options = { hostname, port, method, path: target, agent, headers: fields };
  return new Promise((resolve, reject) => {
    const sent = http.request(options, async (answer) => {
      try {
        const bytes = Buffer.concat(await answer.toArray());
        const packed = bytes.length && answer.headers["content-encoding"];
        resolve({ status: answer.statusCode, fields: answer.headers, bytes: packed ? zlib.unzipSync(bytes) : bytes });
      } catch (error) {
        reject(error);
      }
    });
    sent.on("error", (error) => (sent.reusedSocket ? resolve(ask(base, request)) : reject(error)));
    sent.on("close", () => sent.res?.complete || reject(new Error("the connection was closed before the answer")));
    sent.end(body);
  });
}

// ---- Prism ----

// Prism reads every body but JSON as text, in the charset of its Content-Type, and writes it as UTF-8. So bytes go
// through it as the characters of LATIN1 with the same numbers: askThrough and the server of startCarrier, which is
// behind Prism, turn one into the other. Nothing else is changed.
const LATIN1 = "; charset=latin1";
const CARRIED = "x-carried";
const asText = (bytes) => Buffer.from(bytes.toString("latin1"), "utf8");
const asBytes = (bytes) => Buffer.from(bytes.toString("utf8"), "latin1");

export async function askThrough(prism, request) {
  const headers = request.headers.map(([name, value]) =>
    name === "content-type" && !isJson(value) ? [name, value + LATIN1] : [name, value]);
  const answer = await ask(prism, { ...request, headers });
  return answer.fields[CARRIED] ? { ...answer, bytes: asBytes(answer.bytes) } : answer;
}

const OF_THE_MESSAGE = /^(host|connection|date|content-length|content-encoding|transfer-encoding)$/;

async function carry(base, request, response) {
  const headers = [];
  for (const [name, values] of Object.entries(request.headersDistinct))
    if (name === "content-encoding" || !OF_THE_MESSAGE.test(name))
      headers.push(...values.map((value) => [name, value.replace(LATIN1, "")]));
  const sent = Buffer.concat(await request.toArray());
  const body = request.headers["content-type"]?.endsWith(LATIN1) ? asBytes(sent) : sent;
  const answer = await ask(base, { method: request.method, target: request.url, headers, body });
  const fields = Object.entries(answer.fields).filter(([name]) => !OF_THE_MESSAGE.test(name));
  const json = isJson(answer.fields["content-type"]);
  response.writeHead(answer.status, Object.fromEntries(json ? fields : [...fields, [CARRIED, "latin1"]]));
  response.end(json ? answer.bytes : asText(answer.bytes));
}

export async function startCarrier(base) {
  const server = http.createServer((...both) => carry(base, ...both).catch((error) => both[1].destroy(error)));
  server.keepAliveTimeout = 0; // Prism may take a connection up again that has been idle for long
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

// `prism proxy` on a free port, in front of `upstream`; it ends with this process. Its log is build/prism-NAME.log.
export async function startPrism(name, upstream, ...flags) {
  const prism = path.join(ROOT, "build/node-spec/node_modules/.bin/prism");
  const words = [prism, "proxy", path.join(ROOT, "build/openapi.json"), upstream, "--port", "0", ...flags];
  const child = spawn("setpriv", ["--pdeathsig", "TERM", ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const log = createWriteStream(path.join(ROOT, `build/prism-${name}.log`));
  let said = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Prism does not listen: ${said}`)), START_TIMEOUT_MS);
    child.on("exit", (status) => reject(new Error(`Prism has ended with ${status}: ${said}`)));
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => {
        log.write(bytes);
        const found = /is listening on (http:\/\/[0-9.:]+)/.exec((said = (said + bytes).slice(-4000)));
        if (!found) return;
        clearTimeout(timer);
        resolve({ url: found[1], stop: () => child.kill() });
      });
  });
}
