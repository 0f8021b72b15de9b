// replay.mjs FOLDER: asks the server at SERVER_URL what the test suites asked (tests/lib/record.c), and asks it again
// through Prism. `prism proxy --errors` must let through, without a violation, what the server answers, and the answer
// must be the server's own; what it refuses, the server refuses. The answer to that is then looked at through a Prism
// without --errors, which reports violations and goes on.
import http from "node:http";
import zlib from "node:zlib";

import { ask, askThrough, AT_ONCE, isJson, parsed, startCarrier, startPrism, valuesOf } from "./ask.mjs";
import { readRecorded } from "./recorded.mjs";

const LEAST_REQUESTS = 3000, MOST_COMPLAINTS = 20;
const direct = process.env.SERVER_URL;
const typeOf = (request) => valuesOf(request, "content-type")[0];
const codeOf = ({ bytes }) => parsed(bytes)?.code;

// ---- What Prism cannot do ----

const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+( *; *[\w.+-]+=([\w.+-]+|"[^"\\]*"))* *$/;

const hasDeadline = (request) =>
  valuesOf(request, "x-gumbeld-timeout-ms").length > 0 || request.body.includes('"timeout"');

// Why a request is not sent through it.
const LEFT_OUT = {
  "HEAD, which comes with a GET (RFC 9110, 9.3.2) and is not in the specification": ({ method }) => method === "HEAD",
  "OPTIONS, which is not in the specification": ({ method }) => method === "OPTIONS",
  "what only a web page sends, which Prism answers by rules of its own": (request) =>
    valuesOf(request, "origin").length > 0,
  "a deadline, which may pass or not": (request) => hasDeadline(request),
  "an empty part of a path, which it drops": ({ target }) => /^[^?]*\/\//.test(target),
  "a method of no RFC, which Node does not read": ({ method }) => !http.METHODS.includes(method),
  "a Content-Type that is no media type, with which Prism ends": (request) =>
    valuesOf(request, "content-type").some((value, i) => i > 0 || !MEDIA_TYPE.test(value)),
};

// What it refuses though the server answers it, and may.
const REFUSED = {
  "a body that is not looked at": ({ method, target }) => method === "GET" || target === "/v2/repository/index",
  "a batch with a call that is refused": (request, own) =>
    parsed(own.bytes)?.responses?.some(({ status }) => status >= 400),
  "null for a member that may be left out, which the specification only tells of": ({ body }) =>
    /:\s*null/.test(body.toString()),
  "a string in quotes, a list in brackets, null or a word of Python's in the query, which the specification has otherwise":
    ({ target }) => /[?&](return|filter(_|%5F)order)=(%22|%5B)|=(null|True|False)\b/.test(target),
};

// What the server takes beyond JSON and the specification's paths is sent as these have it.
function plain(request) {
  const target = request.target.replace(/^([^?]*[^?/])\/(?=$|\?)/, "$1");
  if (!isJson(typeOf(request))) return { ...request, target };
  const text = request.body.toString("latin1").replace(/^\xef\xbb\xbf/, "");
  const body = Buffer.from(text.replace(/([:,[]\s*)-Infinity(?=\s*[\],}])/g, '$1"-Infinity"'), "latin1");
  return { ...request, target, body };
}

// It does not undo a Content-Encoding: what can be unpacked is sent unpacked.
function unpacked(request) {
  const codings = valuesOf(request, "content-encoding").join().toLowerCase().split(/[ ,]+/);
  const [coding, ...others] = codings.filter((one) => one !== "identity");
  if (others.length || !/^(x-)?gzip$|^deflate$/.test(coding)) return request;
  const headers = request.headers.filter(([name]) => name !== "content-encoding");
  for (const unpack of coding === "deflate" ? [zlib.inflateSync, zlib.inflateRawSync] : [zlib.gunzipSync])
    try {
      return { ...request, headers, body: unpack(request.body) };
    } catch {}
  return request;
}

// It reads JSON and the query and writes them anew: 1.0 becomes 1, 1e400 null, a duplicated member occurs once,
// a string loses its quotes, null and false all. What the server then gets, or null where there is no JSON.
function rewritten(request) {
  const { searchParams, pathname } = new URL(request.target, "http://t");
  const query = new URLSearchParams();
  for (const name of new Set(searchParams.keys()))
    for (const value of searchParams.getAll(name)) query.append(name, value);
  const target = pathname + (query.size ? `?${query}` : "");
  if (!request.body.length || !isJson(typeOf(request))) return { ...request, target };
  const value = parsed(request.body);
  const text = typeof value === "string" ? value : value ? JSON.stringify(value) : "";
  return value === undefined ? null : { ...request, target, body: Buffer.from(text) };
}

// A body without Content-Type is JSON to the server, or binary tensors, and under /v2 also what `curl -d` sends; Prism
// needs to be told.
function typed(request) {
  const binary = valuesOf(request, "inference-header-content-length").length > 0;
  const form = typeOf(request) === "application/x-www-form-urlencoded" && request.target.startsWith("/v2/");
  const type = ["content-type", binary ? "application/octet-stream" : "application/json"];
  const headers = request.headers.filter(([name]) => !form || name !== "content-type");
  return request.body.length && (form || !typeOf(request)) ? { ...request, headers: [...headers, type] } : request;
}

// ---- Comparing ----

// All of an answer that counts; JSON as its value, for Prism writes it anew as well.
function content({ status, fields, bytes }) {
  const type = fields["content-type"];
  const others = Object.entries(fields).filter(([name]) => /^(allow|retry-after|inference-|x-gumbeld-)/.test(name));
  return JSON.stringify([status, type, others.sort(), isJson(type) ? parsed(bytes) : bytes.toString("latin1")]);
}

// Prism's own refusals: by the specification, and of what it cannot read.
const isPrisms = ({ bytes }) => {
  const document = parsed(bytes);
  const unread = /^(invalid_json|request_entity_too_large)$/.test(document?.error?.code);
  return unread || /stoplight/.test(document?.type) || bytes.toString() === "Invalid JSON";
};

const violations = ({ fields }) => fields["sl-violations"] ?? "";

const counts = {};
const count = (what) => (counts[what] = (counts[what] ?? 0) + 1);
const which = (table, ...given) => Object.keys(table).find((reason) => table[reason](...given));
const complaints = [];

function wrong(request, what, ...answers) {
  const text = (bytes) => JSON.stringify(bytes.toString("latin1").slice(0, 600));
  const lines = [`${request.name}: ${request.method} ${request.target} ${JSON.stringify(request.headers)}`];
  lines.push(`  ${text(request.body)}: ${what}`);
  for (const answer of answers) lines.push(`  ${answer.status} ${violations(answer)} ${text(answer.bytes)}`);
  complaints.push(lines.join("\n"));
}

function checkRecorded(request, own) {
  if (!request.answer || own.fields["content-type"] === "application/x-ndjson") return;
  if (request.target.startsWith("/v2/repository/index")) return; // a server that is about to end was asked too
  count("answers as the test had them");
  if (!request.answer.equals(Buffer.concat([Buffer.from(`${own.status}\n`), own.bytes])))
    wrong(request, "not the test's answer", own, { status: "test's", fields: {}, bytes: request.answer });
}

// The answer is looked at all the same; but Prism ends where it would tell of a member whose name is not in latin1.
async function checkRefused(request, own, varies, refusal, lenient) {
  const reason = own.status < 400 ? which(REFUSED, request, own) : "refused by both";
  if (!reason) return wrong(request, "Prism refuses what the server answers", refusal);
  count(reason);
  if (/[^\0-\xff]/.test(request.body.toString() + JSON.stringify(parsed(request.body)))) return;
  const answer = await askThrough(lenient, request);
  if (isPrisms(answer)) return;
  const passed = rewritten(request);
  const expected = await ask(direct, passed);
  varies ||= await isVarying(passed, expected);
  if (violations(answer).includes('["response"')) wrong(request, "a violation in the answer", answer);
  else if (!varies && content(answer) !== content(expected))
    wrong(request, "not the server's answer", answer, expected);
}

// Whether the server answers each time otherwise.
const isVarying = async (request, answer) =>
  hasDeadline(request) || /\/(metrics|stats)$/.test(request.target) || content(answer) !== content(await ask(direct, request));

// `own` is what the server itself says; `answer` came through Prism, and is what the server says to what it then gets.
async function checkPassed(request, own, answer) {
  const passed = rewritten(request);
  if (!passed) return wrong(request, "Prism passes on what is no JSON", answer);
  const expected = await ask(direct, passed);
  const varies = await isVarying(passed, expected);
  if (violations(answer)) wrong(request, "a violation", answer);
  else if (varies ? answer.status !== expected.status : content(answer) !== content(expected))
    wrong(request, "not the server's answer", answer, expected);
  if (own.status < 400) {
    count(varies ? "answered, each time otherwise: counters, drawn seeds" : "answered");
    if (answer.status >= 400) wrong(request, "refused as Prism rewrites it", answer);
  } else {
    const what = answer.status < 400 ? "answered as Prism rewrites it, else" : "refused by the server alone,";
    count(`${what} ${codeOf(own)}`);
  }
}

async function check(recorded, strict, lenient) {
  const own = await ask(direct, recorded);
  const varies = await isVarying(recorded, own);
  if (!varies) checkRecorded(recorded, own);
  const left = which(LEFT_OUT, recorded);
  if (left) return count(left);
  const request = plain(unpacked(typed(recorded)));
  const answer = await askThrough(strict, request);
  count("requests through Prism");
  if (isPrisms(answer)) await checkRefused(request, own, varies, answer, lenient);
  else await checkPassed(request, own, answer);
}

async function main(folder) {
  const begun = Date.now();
  const { requests, others } = readRecorded(folder);
  const carrier = await startCarrier(direct);
  const proxies = await Promise.all([startPrism("strict", carrier, "--errors"), startPrism("lenient", carrier)]);
  const waiting = [...requests];
  const work = async () => {
    for (let request; (request = waiting.pop()); )
      await check(request, ...proxies.map(({ url }) => url)).catch((error) => wrong(request, error.message));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  proxies.forEach(({ stop }) => stop());
  for (const [what, number] of Object.entries(counts).sort()) console.log(`  ${number} ${what}`);
  const seconds = Math.round((Date.now() - begun) / 1000);
  console.log(`  ${others} connections of the test suites with what is no request`);
  console.log(`test-prism: ${requests.length} requests of the test suites, ${complaints.length} failed, in ${seconds} s`);
  for (const complaint of complaints.slice(0, MOST_COMPLAINTS)) console.error(complaint);
  if (requests.length < LEAST_REQUESTS) console.error(`test-prism: there should be ${LEAST_REQUESTS} at least`);
  process.exit(complaints.length || requests.length < LEAST_REQUESTS ? 1 : 0);
}

// Of a connection that an answer has outlived, and that nobody listens to any longer. Whoever still waits for an answer
// on one is told by its request.
process.on("uncaughtException", (error) => {
  if (!/^(EPIPE|ECONNRESET)$/.test(error.code)) throw error;
  console.error(`passed over: ${error.message}`);
});

main(process.argv[2]);
