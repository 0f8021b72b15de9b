// Node's fetch: JSON, where -inf is text to both, and binary tensors of typed arrays. Number reads all that an answer
// holds in place of a number.
import assert from "node:assert/strict";

const url = process.argv[2];
const logits = [[3, 1, -Infinity, 2], [-Infinity, 0, 4, 5]];
const mask = [[true, true, true, false], [true, false, true, true]];
const filters = { top_k: 2, logprobs: 3, logprobs_of: "filtered", seed: 7 };
const masked = logits.map((row, r) => logSoftmax(row.map((logit, j) => (mask[r][j] ? logit : -Infinity))));
const filtered = [[3, 2, -Infinity], [5, 4, -Infinity]].map(logSoftmax);

function logSoftmax(row) {
  const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
  return row.map((logit) => logit - Math.log(sum));
}

/** JSON.stringify writes null for -Infinity unless it is made text. */
const spelled = (_, value) => (value === -Infinity ? "-Infinity" : value);

async function post(path, body, headers) {
  const answer = await fetch(url + path, { method: "POST", body, headers });
  assert.equal(answer.status, 200, path);
  return answer;
}

async function callJson(name, members, replacer) {
  const body = JSON.stringify({ dtype: "float64", ...members }, replacer);
  return (await post(`/v1/${name}`, body, { "Content-Type": "application/json" })).json();
}

/** The outputs by name, of inputs that are flat lists of doubles or booleans. */
async function inferBinary(model, inputs, parameters) {
  const arrays = inputs.map(({ data }) => (typeof data[0] === "boolean" ? Uint8Array : Float64Array).from(data));
  const head = new TextEncoder().encode(JSON.stringify({
    inputs: inputs.map(({ name, shape, datatype }, i) =>
      ({ name, shape, datatype, parameters: { binary_data_size: arrays[i].byteLength } })),
    parameters: { ...parameters, binary_data_output: true },
  }));
  const answer = await post(`/v2/models/${model}/infer`, new Blob([head, ...arrays]), {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": String(head.length),
  });
  const bytes = await answer.arrayBuffer();
  let at = Number(answer.headers.get("Inference-Header-Content-Length"));
  const { outputs } = JSON.parse(new TextDecoder().decode(bytes.slice(0, at)));
  return Object.fromEntries(outputs.map(({ name, datatype, parameters }) => {
    const part = bytes.slice(at, (at += parameters.binary_data_size));
    return [name, Array.from(new (datatype === "FP64" ? Float64Array : Int32Array)(part))];
  }));
}

const close = (number, wanted) => number === wanted || Math.abs(number - wanted) < 1e-14;

function assertClose(values, expected) {
  const numbers = values.flat().map(Number), wanted = expected.flat();
  assert.equal(numbers.length, wanted.length);
  assert(numbers.every((number, i) => close(number, wanted[i])), `${numbers}, not ${wanted}`);
}

/** The log-probabilities of one draw a row are among the filtered ones. */
function assertDrawn(values) {
  assert(values.flat().every((value, r) => filtered[r].some((wanted) => close(value, wanted))), `${values}`);
}

const checks = {
  async minusInfinityInJson() {
    for (const replacer of [spelled, undefined]) {
      assertClose((await callJson("log_softmax", { logits, mask }, replacer)).log_probabilities, masked);
      const draws = await callJson("categorical", { logits, ...filters, return: ["log_probabilities"] }, replacer);
      assertClose(draws.top_log_probabilities, filtered);
      assertDrawn(draws.log_probabilities);
    }
  },

  async minusInfinityInBinaryTensors() {
    const tensors = [{ name: "logits", shape: [2, 4], datatype: "FP64", data: logits.flat() },
                     { name: "mask", shape: [2, 4], datatype: "BOOL", data: mask.flat() }];
    assertClose((await inferBinary("log_softmax", tensors)).log_probabilities, masked);
    const draws = await inferBinary("categorical", tensors.slice(0, 1), { ...filters, return: '["log_probabilities"]' });
    assertClose(draws.top_log_probabilities, filtered);
    assertDrawn(draws.log_probabilities);
  },
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log("ok", name);
  } catch (error) {
    console.error(error);
    console.log("not ok", name, String(error).slice(0, 200));
  }
}
