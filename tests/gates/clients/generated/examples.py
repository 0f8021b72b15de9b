"""What the specification shows of each function, and what its clients must give: for the programs beside this file."""

import json
import math
import os
import sys
from pathlib import Path

URL = os.environ["SERVER_URL"]
ROOT = Path(__file__).resolve().parents[4]
OUT = ROOT / "build/generated"
SPEC = json.loads((ROOT / "build/openapi.json").read_text())
JSON = "application/json"


def examples():
    """(operationId, model or None, body, answer) of each example of a call."""
    for path, operations in SPEC["paths"].items():
        operation = operations.get("post", {})
        bodies = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("examples", {})
        answers = operation["responses"]["200"]["content"][JSON].get("examples", {}) if operation else {}
        for name in bodies.keys() & answers.keys():
            yield operation["operationId"], name if "{model}" in path else None, bodies[name]["value"], answers[name]["value"]


def same(one, other):
    """Whether two values of JSON are the same; numbers but for the last digits that YAML keeps, and the offset in a body as
    each client writes it."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one if name != "offset")
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-14)
    return one == other


checked = 0


def check(what, given, expected):
    global checked
    checked += 1
    if not same(given, expected):
        sys.exit(f"{what}: {given} in place of {expected}")


def check_operations(known):
    """The client must have all operations."""
    ids = {operation["operationId"] for operations in SPEC["paths"].values() for operation in operations.values()}
    if missing := ids - set(known):
        sys.exit(f"the client lacks {sorted(missing)}")
    check("operations", len(ids) > 20, True)


def request_type(operation):
    """The name of the schema of an operation's body."""
    if operation.startswith("inference_infer"):
        return "InferRequest"
    return "".join(word.capitalize() for word in operation.split("_")) + "Request"


def done(client):
    if checked < 35:
        sys.exit(f"{client}: only {checked} answers were looked at")
    print(f"test-generated: {client}: {checked} answers are as specified")
