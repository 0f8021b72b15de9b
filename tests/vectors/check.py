#!/usr/bin/env python3
"""The published vectors (api/vectors/*.json) against a second implementation, written from their `about` alone in
plain Python: integers exactly, floats to 1e-6. Ends with "N passed, N failed"."""

import json
import math
import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[2] / "api" / "vectors"
TOLERANCE = 1e-6
MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011): four words of a counter of four under a key of two."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = q >> 32 ^ b ^ k0, q & MASK, p >> 32 ^ d ^ k1, p & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return a, b, c, d


def word(seed, row, draw, tag, index):
    return philox((index // 4, row & MASK, draw, tag), (seed & MASK, seed >> 32))[index % 4]


def uniform(u):
    return (min(u, ~u & MASK) + 0.5) / 2**32


def exponential(u):
    t = uniform(u)
    return -math.log1p(-t) if u < 2**31 else -math.log(t)


def noise(u):
    return -math.log(exponential(u))


def perturbed(logits, seed, row, draw):
    return [-math.inf if x is None else x + noise(word(seed, row, draw, 0, j)) for j, x in enumerate(logits)]


def one_hot(z):
    best = z.index(max(z))
    return [float(j == best) for j in range(len(z))]


def softmax(z, tau):
    if tau == 0:
        return one_hot(z)
    top = max(z)
    e = [math.exp((x - top) / tau) for x in z]
    return [x / math.fsum(e) for x in e]


class Checks:
    passed = failed = 0

    def count(self, what, good):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"{what}: not what is published")

    def equal(self, what, ours, published):
        self.count(what, ours == published)

    def near(self, what, ours, published):
        self.count(what, len(ours) == len(published) and
                   all(abs(a - b) <= TOLERANCE * max(1.0, abs(b)) for a, b in zip(ours, published)))


def relatively_near(checks, what, ours, published):
    """E and t are positive and may be tiny: their errors are relative."""
    checks.near(what, [a / b for a, b in zip(ours, published)], [1.0] * len(published))


def check_noise(checks, what, values):
    words = values["words"]
    checks.equal(f"{what}, t", [uniform(u) for u in words], values["t"])
    relatively_near(checks, f"{what}, exponential", [exponential(u) for u in words], values["exponential"])
    checks.near(f"{what}, noise", [noise(u) for u in words], values["noise"])


def check_streams(checks, vectors):
    for index, stream in enumerate(vectors["streams"]):
        what = f"noise, stream {index}"
        seed, row, draw, tag, first = (stream[name] for name in ("seed", "row", "draw", "tag", "first_class"))
        ours = [word(seed, row, draw, tag, first + i) for i in range(len(stream["words"]))]
        checks.equal(f"{what}, words", ours, stream["words"])
        check_noise(checks, what, stream)
    check_noise(checks, "noise, edges", vectors["edges"])


def check_batches(checks, vectors):
    for index, batch in enumerate(vectors["batches"]):
        (rows, classes), seed, soft, hard = batch["shape"], batch["seed"], [], []
        for r in range(rows):
            own = isinstance(seed, list)
            z = perturbed(batch["logits"][r * classes:(r + 1) * classes], seed[r] if own else seed,
                          batch["row_offset"] + (0 if own else r), batch["draw"])
            soft += softmax(z, batch["tau"])
            hard += one_hot(z)
        checks.near(f"gumbel_softmax, batch {index}, samples", soft, batch["samples"])
        checks.equal(f"gumbel_softmax, batch {index}, hard_samples", hard, batch["hard_samples"])


CHECKERS = {"noise.json": check_streams, "gumbel_softmax.json": check_batches}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS
    checks = Checks()
    names = {path.name for path in folder.glob("*.json")}
    for name in sorted(names | CHECKERS.keys()):
        checks.count(f"{name}: a file and a checker", name in names and name in CHECKERS)
        if name in names and name in CHECKERS:
            vectors = json.loads((folder / name).read_text())
            checks.equal(f"{name}, rng", vectors["rng"], "v1")
            CHECKERS[name](checks, vectors)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main())
