"""The calls of tests/gates/spec/calls.py as application/x-npy: a Schemathesis hooks module."""

import json
import re
import struct
import zlib

import calls
import checks  # noqa: F401 (registers its hooks)
import schemathesis
from hypothesis import strategies as st

NPY = "application/x-npy"
WIDTHS = {"<f4": 4, "<f8": 8, "<i4": 4}


def flatten(nested):
    return [one for part in nested for one in flatten(part)] if isinstance(nested, list) else [nested]


def array(nested, descr, form):
    """As numpy.save writes it."""
    shape = "".join(f"{length}, " for length in calls.shape_of(nested))
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}"
    header = header.ljust(-(10 + len(header) + 1) % 64 + len(header)) + "\n"
    values = [float("-inf") if one in (None, "-Infinity") else one for one in flatten(nested)]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(
        f"<{len(values)}{form}", *values)


def encode(call):
    """The body and the query."""
    query, body, names = {}, b"", []
    for name, value in call.items():
        if name in ("logits", "cotangent"):
            body += array(value, *("<f8", "d") if call.get("dtype") == "float64" else ("<f4", "f"))
            names.append(name)
        elif name == "mask":
            body += array(value, "|b1", "?")
            names.append(name)
        else:
            query[name] = value if isinstance(value, str) else json.dumps(value)
    if "return" in call:
        query["return"] = ",".join(call["return"])
    if names != ["logits"]:
        query["arrays"] = ",".join(names)
    return body, query


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """What takes .npy alone, and that alone: the query is made with the body."""
    for path, operations in list(raw_schema["paths"].items()):
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        if NPY not in content:
            del raw_schema["paths"][path]
            continue
        operations["post"]["parameters"] = []
        operations["post"]["requestBody"]["content"] = {NPY: {"schema": {"type": "string", "format": "binary"}}}


@schemathesis.hook
def before_generate_case(context, strategy):
    @st.composite
    def cases(draw):
        case = draw(strategy)
        case.body, case.query = encode(draw(calls.BODIES[case.operation.path]))
        return case

    return cases()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Half of the answers are asked for as .npy."""
    if zlib.crc32(case.body) % 2 == 0:
        case.headers["Accept"] = NPY


@schemathesis.serializer(NPY)
def write(ctx, value):
    return value


@schemathesis.deserializer(NPY)
def read(ctx, response):
    """The bytes as text, when they are arrays one after the other, as many as the header names."""
    data, count = response.content, 0
    while data:
        assert data.startswith(b"\x93NUMPY\x01\x00"), "no .npy array"
        end = 10 + struct.unpack("<H", data[8:10])[0]
        header = re.fullmatch(r"\{'descr': '(.*)', 'fortran_order': False, 'shape': \((.*)\), \} *\n",
                              data[10:end].decode())
        assert header, data[10:end]
        size = WIDTHS[header.group(1)]
        for length in re.findall(r"\d+", header.group(2)):
            size *= int(length)
        assert len(data) >= end + size, "an array is cut off"
        data, count = data[end + size:], count + 1
    names = response.headers["x-gumbeld-results"]
    assert count == len(names[0].split(",") if isinstance(names, list) else names.split(",")), names
    return response.content.decode("latin-1")


@schemathesis.check
def right_arrays_are_answered(ctx, response, case):
    assert response.status_code == 200, response.content[:300]
