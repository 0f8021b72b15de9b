// Postman's importer: each request of the collection that it makes, without the parameters that are optional, which it fills
// in with random values otherwise, is sent to the server at SERVER_URL.
import assert from "node:assert/strict";
import { promisify } from "node:util";

import { check, installed, operations, text } from "./spec.mjs";

const convert = promisify(installed("openapi-to-postmanv2").convert);
const OPTIONS = { folderStrategy: "Tags", requestParametersResolution: "Example", enableOptionalParameters: false };

const requestsOf = ({ item, request }) => (item ? item.flatMap(requestsOf) : [request]);

const imported = await convert({ type: "string", data: text }, OPTIONS);
assert(imported.result, imported.reason);
const requests = requestsOf(imported.output[0].data);
const pathOf = ({ url }) => `/${url.path.map((part) => part.replace(/^:(\w+)$/, "{$1}")).join("/")}`;

for (const operation of operations) {
  const found = requests.find((one) => pathOf(one) === operation.path && one.method.toLowerCase() === operation.method);
  assert(found, `${operation.operationId} is not imported`);
  const { method, header, body, url } = found;
  const headers = header.filter(({ disabled }) => !disabled).map(({ key, value }) => [key, value]);
  const query = url.query.filter(({ disabled }) => !disabled).map(({ key, value }) => [key, value]);
  const path = url.path.map((part) => (part.startsWith(":") ? url.variable.find(({ key }) => `:${key}` === part).value : part));
  const target = `${process.env.SERVER_URL}/${path.join("/")}${query.length ? `?${new URLSearchParams(query)}` : ""}`;
  const answer = await fetch(target, { method, headers, body: body?.raw });
  check(operation, answer.status, await answer.text());
}
console.log(`test-generated: Postman: ${operations.length} operations are answered as specified`);
