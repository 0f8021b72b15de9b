// The requests that tests/lib/record.c wrote into a folder: {name, method, target, headers, body, answer}, each once.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";

// Of the connection, and of how a body is sent: whoever asks again has fields of its own.
const OF_THE_CONNECTION =
  /^(host|connection|keep-alive|content-length|transfer-encoding|expect|upgrade|te|trailer|proxy-.*)$/;

// The chunks that `bytes` begins with, and what follows them; null where they are none.
function readChunks(bytes) {
  const parts = [];
  do {
    const end = Math.max(bytes.indexOf("\r\n"), 0);
    const size = /^([0-9a-f]{1,7})(;.*)?$/i.exec(bytes.subarray(0, end).toString("latin1"));
    const next = end + 4 + parseInt(size?.[1], 16);
    if (!size || bytes.subarray(next - 2, next).toString() !== "\r\n") return null;
    parts.push(bytes.subarray(end + 2, next - 2));
    bytes = bytes.subarray(next);
  } while (parts.at(-1).length);
  return { body: Buffer.concat(parts), rest: bytes };
}

function readBody(fields, bytes) {
  const values = (wanted) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
  const codings = values("transfer-encoding");
  const lengths = values("content-length");
  if (codings.length + lengths.length > 1) return null;
  if (codings.length) return codings[0] === "chunked" ? readChunks(bytes) : null;
  const length = Number(lengths[0] ?? 0);
  return length <= bytes.length ? { body: bytes.subarray(0, length), rest: bytes.subarray(length) } : null;
}

// The request that `bytes` begins with, and what follows it; null where it is none that Node would send.
function readRequest(bytes) {
  const end = bytes.indexOf("\r\n\r\n");
  const [first, ...lines] = bytes.subarray(0, Math.max(end, 0)).toString("latin1").split("\r\n");
  const [, method, target] = /^([A-Z]+) (\/[!-~]*) HTTP\/1\.[01]$/.exec(first) ?? [];
  const fields = lines.map((line) => /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/.exec(line));
  if (!method || fields.includes(null)) return null;
  const named = fields.map(([, name, value]) => [name.toLowerCase(), value]);
  const found = readBody(named, bytes.subarray(end + 4));
  if (!found) return null;
  const headers = named.filter(([name]) => !OF_THE_CONNECTION.test(name));
  const trimmed = lines.some((line) => /[ \t]$/.test(line));
  return { request: { method, target, headers, body: found.body }, rest: found.rest, trimmed };
}

// `others` counts the connections that go on, or begin, with something else than a request: those are tests of the
// server alone.
export function readRecorded(folder) {
  const requests = new Map();
  let others = 0;
  for (const file of readdirSync(folder).filter((one) => one.endsWith(".request")).sort()) {
    const name = path.basename(file, ".request");
    const answered = path.join(folder, `${name}.answer`);
    const answer = existsSync(answered) ? readFileSync(answered) : undefined;
    for (let rest = readFileSync(path.join(folder, file)); rest.length; ) {
      const found = readRequest(rest);
      if (!found) {
        others++;
        break;
      }
      rest = found.rest;
      const { method, target, headers, body } = found.request;
      const key = JSON.stringify([method, target, headers, body.toString("latin1")]);
      // A test without a socket sees a field's last space, which HTTP takes off.
      const same = requests.get(key)?.answer ?? (found.trimmed ? undefined : answer);
      requests.set(key, { name, answer: same, ...found.request });
    }
  }
  return { requests: [...requests.values()], others };
}
