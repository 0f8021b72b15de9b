#!/usr/bin/env python3
"""compare.py URL: posts the digits logits to URL/v1/softmax and compares the answer with the float64 reference.

Standard library only, so that it runs wherever a container or a bare machine is tested. Exits 1 when a probability
is further than 2e-6 (relative) from the reference.
"""
import json
import pathlib
import sys
import urllib.request

TOLERANCE = 2e-6
HERE = pathlib.Path(__file__).parent


def post(url, document):
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=10) as response:
        return json.load(response)


def main():
    logits = json.loads((HERE / "digits-logits.json").read_text())["logits"]
    reference = json.loads((HERE / "digits-softmax.json").read_text())["softmax_float64"]
    answer = post(sys.argv[1] + "/v1/softmax", {"logits": logits})
    shape = [len(reference), len(reference[0])]
    if answer["shape"] != shape or [len(row) for row in answer["probabilities"]] != [shape[1]] * shape[0]:
        sys.exit(f"shape is {answer['shape']}, not {shape}")
    errors = [
        abs(got - want) / want
        for row, wanted in zip(answer["probabilities"], reference, strict=True)
        for got, want in zip(row, wanted, strict=True)
    ]
    print(f"{shape[0]} rows of {shape[1]}: largest relative error {max(errors):.1e}, allowed {TOLERANCE:.0e}")
    # all() and not the maximum: a NaN would hide in max()
    sys.exit(0 if all(error <= TOLERANCE for error in errors) else 1)


if __name__ == "__main__":
    main()
