// A client made from api/openapi.yaml asks the server at SERVER_URL; what is wrong ends it with a status of 1.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];
type Numbers = components["schemas"]["Numbers"];

const baseUrl = process.env["SERVER_URL"];
assert(baseUrl);
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl });
let checks = 0;

/** The answer of a call that must be answered with 200. */
function answer<T>(call: { data?: T; error?: Problem; response: Response }): T {
  assert.equal(call.response.status, 200, JSON.stringify(call.error));
  assert(call.data !== undefined);
  checks++;
  return call.data;
}

/** The problem of a call that must not be. */
function problem(call: { data?: unknown; error?: Problem; response: Response }, status: number): Problem {
  assert.equal(call.response.status, status);
  assert.equal(call.response.headers.get("Content-Type"), "application/problem+json");
  assert(call.error !== undefined);
  assert.equal(call.error.status, status);
  checks++;
  return call.error;
}

/** Nested numbers one after the other. Number reads the text that is in the place of one. */
function flat(numbers: Numbers): number[] {
  return Array.isArray(numbers) ? numbers.flatMap(flat) : [Number(numbers)];
}

function sum(numbers: Numbers): number {
  return flat(numbers).reduce((total, one) => total + one, 0);
}

function assertClose(numbers: Numbers, expected: number[]): void {
  const close = flat(numbers).map((one, i) => one === expected[i] || Math.abs(one - (expected[i] ?? NaN)) < 1e-14);
  assert(close.length === expected.length && close.every(Boolean), `${flat(numbers)}, not ${expected}`);
}

const softmax = answer(
  await client.POST("/v1/softmax", { body: { logits: [[1, 2, 3], [0, null, 0]], temperature: [1, 0.5] } }),
);
assert.deepEqual(softmax.shape, [2, 3]);
assert(Math.abs(sum(softmax.probabilities) - 2) < 1e-6);

/** log softmax of two classes, the one above the other by 1. */
const more = -Math.log1p(Math.exp(-1)), less = more - 1;
for (const impossible of [null, "-Infinity"] as const) {
  const logits = [[3, 2, impossible, 9], [impossible, 0, 1, 2]], mask = [[true, true, true, false], [true, false, true, true]];
  const log = answer(await client.POST("/v1/log_softmax", { body: { logits, mask, dtype: "float64" } }));
  assertClose(log.log_probabilities, [more, less, -Infinity, -Infinity, -Infinity, -Infinity, less, more]);
  const filters = { top_k: 2, logprobs: 3, logprobs_of: "filtered" } as const;
  const top = answer(
    await client.POST("/v1/categorical", { body: { logits, mask, ...filters, return: ["log_probabilities"], dtype: "float64" } }),
  );
  assert(top.top_log_probabilities !== undefined && top.log_probabilities !== undefined);
  assertClose(top.top_log_probabilities, [more, less, -Infinity, more, less, -Infinity]);
  assert(flat(top.log_probabilities).every((one) => [more, less].some((either) => Math.abs(one - either) < 1e-14)));
}

const body = {
  logits: [[1, 2, 3], [4, 5, 6]],
  tau: { schedule: "exponential", start: 1, rate: 3e-5, min: 0.5, step: 20000 },
  seed: 7,
  return: ["samples", "indices"],
} satisfies components["schemas"]["GumbelSoftmaxRequest"];
const first = answer(await client.POST("/v1/gumbel_softmax", { body }));
const second = answer(await client.POST("/v1/gumbel_softmax", { body }));
assert.equal(first.seed, 7);
assert.equal(first.rng, "v1");
assert(first.samples !== undefined && first.indices !== undefined);
assert.deepEqual(first, second);

const drawn = answer(await client.POST("/v1/gumbel_softmax", { body: { logits: [1, 2, 3] } }));
const repeated = answer(await client.POST("/v1/gumbel_softmax", { body: { logits: [1, 2, 3], seed: drawn.seed } }));
assert.deepEqual(repeated, drawn);

const queried = answer(
  await client.POST("/v1/gumbel_softmax", {
    body: { logits: [[1, 2, 3], [4, 5, 6]] },
    params: { query: { seed: "7,8", return: "indices", dim: -1 } },
  }),
);
assert.deepEqual([queried.seed, queried.indices, queried.samples], [[7, 8], [2, 2], undefined]);

const draws = answer(
  await client.POST("/v1/categorical", {
    body: { logits: [[3, 2, 1]], seed: [7], num_samples: 4, top_p: 0.8, logit_bias: { "2": null }, logprobs: 1 },
  }),
);
assert.deepEqual(draws.shape, [1, 4]);
assert.deepEqual(draws.top_indices, [[0]]);

const gradient = answer(
  await client.POST("/v1/vjp", { body: { function: "softmax", logits: [1, 2, 3], cotangent: [1, 0, 0] } }),
);
assert(Math.abs(sum(gradient.grad_logits)) < 1e-6);
assert.equal(typeof gradient.grad_temperature, "number");

const batch = answer(
  await client.POST("/v1/batch", {
    body: {
      requests: [
        { id: "a", function: "softmax", body: { logits: [0, 0] } },
        { id: 2, function: "gumbel_softmax", body: { logits: [1, 2], tau: -1 } },
      ],
    },
  }),
);
assert.deepEqual(batch.responses.map(({ id, status }) => [id, status]), [["a", 200], [2, 400]]);

const negative = problem(await client.POST("/v1/gumbel_softmax", { body: { logits: [1, 2], tau: [0.5, -1] } }), 400);
assert.equal(negative.pointer, "/tau/1");
const code: Problem["code"] = "out_of_range";
assert.equal(negative.code, code);
const empty = problem(await client.POST("/v1/softmax", { body: { logits: [[null, null]] } }), 422);
assert.equal(empty.code satisfies Problem["code"], "invalid_row");

// What the types refuse, the server refuses too.
// @ts-expect-error logits must be an array
problem(await client.POST("/v1/softmax", { body: { logits: "1, 2, 3" } }), 400);
// @ts-expect-error a number has this place
problem(await client.POST("/v1/gumbel_softmax", { body: { logits: [1, 2], seed: "7" } }), 400);

const version = answer(await client.GET("/version"));
assert.equal(version.name, "gumbeld");

console.log(`test-typescript: ${checks} answers are as typed (gumbeld ${version.version})`);
