// What build/openapi.json shows of each operation, and whether an answer is that.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

export const ROOT = path.resolve(import.meta.dirname, "../../../..");
export const MODULES = path.join(ROOT, "build/node-generated/node_modules");
export const installed = createRequire(path.join(MODULES, "x.js"));
export const text = fs.readFileSync(path.join(ROOT, "build/openapi.json"), "utf8");

// Each with the answer that its first example has; undefined where there is none.
export const operations = Object.entries(JSON.parse(text).paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, tags, requestBody, responses }]) => {
    const [example] = Object.keys(requestBody?.content["application/json"].examples ?? {});
    const answer = responses[200].content["application/json"]?.examples?.[example]?.value;
    return { path, method, operationId, tag: tags[0], answer };
  }));

// Numbers but for the last digits that YAML keeps, and the offset in a body as each client writes it.
function same(one, other) {
  if (typeof one === "number" && typeof other === "number") return Math.abs(one - other) <= 1e-14 * Math.abs(one);
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && Array.isArray(one) === Array.isArray(other) &&
    names.every((name) => name === "offset" || same(one[name], other[name]));
}

export function check({ operationId, answer }, status, body) {
  assert.equal(status, 200, `${operationId}: ${body}`);
  if (answer !== undefined) assert(same(JSON.parse(body), answer), `${operationId}: ${body}`);
}

// What a {model} is: that of the first example.
export const target = ({ path }) => path.replace("{model}", "softmax");
