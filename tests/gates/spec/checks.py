"""What Schemathesis cannot know of this server: a hooks module."""

import atexit
import json
import os
import zlib

import schemathesis

LINES = "application/x-ndjson"
REQUIRED = {"logits", "function", "cotangent", "requests", "inputs"}


@schemathesis.check
def failing_calls_of_a_batch_are_told(ctx, response, case):
    """A batch takes the place of negative_data_rejection's status: it is a 200 in which each call has its own."""
    if case.meta is None or case.path != "/v1/batch" or response.status_code != 200:
        return
    statuses = [one["status"] for one in response.json()["responses"]]
    negative = case.meta.generation.mode.is_negative
    assert not negative or any(400 <= status < 500 for status in statuses), f"no call is refused: {statuses}"
    assert all(status < 500 for status in statuses), f"calls fail: {statuses}"


@schemathesis.check
def problems_say_their_status(ctx, response, case):
    if response.status_code >= 400:
        problem = response.json()
        assert problem["status"] == response.status_code, f"{problem['status']} in an answer of {response.status_code}"
        assert problem["type"] == f"urn:gumbeld:problem:{problem['code']}"


@schemathesis.deserializer(LINES)
def read_lines(ctx, response):
    """The text, when each line is an object and the last one ends the answer."""
    text = response.content.decode()
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in lines) and text.endswith("\n"), "a line is no object"
    assert lines[-1].get("complete") is True or "code" in lines[-1], "the answer is cut off"
    return text


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Leaves bodies of JSON: the query belongs to arrays of NumPy, and is refused beside these. Nor binary
    tensors: after a length of 0 any body is a row of floats."""
    if os.environ.get("SPEC_RUN") == "npy":
        return
    for operations in raw_schema["paths"].values():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        if content.pop("application/octet-stream", None):
            operations["post"]["parameters"] = operations["post"]["parameters"][:1]
        if "application/x-npy" in content:
            del content["application/x-npy"]
            operations["post"]["parameters"] = []


@schemathesis.hook
def filter_case(context, case):
    """null for a member that may be left out is as if it were: what the specification tells of, and no schema says."""
    broken = case.meta is not None and case.meta.generation.mode.is_negative
    members = case.body.items() if isinstance(case.body, dict) else []
    return not (broken and any(value is None and name not in REQUIRED for name, value in members))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Some answers are asked for as lines; which ones hangs on the body alone."""
    if case.path.startswith("/v1/") and case.path != "/v1/batch" and zlib.crc32(repr(case.body).encode()) % 4 == 0:
        case.headers["Accept"] = f"{LINES}, application/json;q=0.5"


# ---- Counts, for tests/gates/spec/schema ----

COUNTS = {}


@schemathesis.hook
def after_call(context, case, response):
    """How often an operation has answered each status, in each mode; calls of tests/gates/spec/calls.py are right ones."""
    mode = case.meta.generation.mode.value if os.environ.get("SPEC_RUN") == "schema" else "positive"
    statuses = COUNTS.setdefault(f"{case.method} {case.operation.path}", {}).setdefault(mode, {})
    statuses[response.status_code] = statuses.get(response.status_code, 0) + 1


@atexit.register
def write_counts():
    if "SPEC_COUNTS" in os.environ:
        with open(os.environ["SPEC_COUNTS"], "w", encoding="utf-8") as file:
            json.dump(COUNTS, file)
