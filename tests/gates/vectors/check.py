#!/usr/bin/env python3
"""The published vectors (api/vectors/*.json) against a second implementation, second.py: integers exactly, float32 to
1e-6, float64 to 1e-12. Ends with "N passed, N failed"."""

import json
import math
import sys
from pathlib import Path

import second

VECTORS = Path(__file__).resolve().parents[3] / "api" / "vectors"
TOLERANCES = {"float32": 1e-6, "float64": 1e-12}


def with_infinities(value):
    """The strings "Infinity" and "-Infinity" as what they say."""
    if isinstance(value, dict):
        return {name: with_infinities(member) for name, member in value.items()}
    if isinstance(value, list):
        return [with_infinities(element) for element in value]
    return float(value) if value in ("Infinity", "-Infinity") else value


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

    def near(self, what, dtype, ours, published):
        """Absolutely, or relatively where above 1; what is infinite exactly."""
        def is_near(a, b):
            return a == b or math.isfinite(b) and abs(a - b) <= TOLERANCES[dtype] * max(1.0, abs(b))
        self.count(what, len(ours) == len(published) and all(map(is_near, ours, published)))

    def relatively_near(self, what, dtype, ours, published):
        """E is positive and may be tiny."""
        self.near(what, dtype, [a / b for a, b in zip(ours, published)], [1.0] * len(published))


def rows_of(batch, member="logits"):
    """The rows of an array."""
    rows, classes = batch["shape"]
    values = batch[member]
    assert len(values) == rows * classes
    return [values[r * classes:(r + 1) * classes] for r in range(rows)]


def parameter(batch, name, r):
    return batch[name][r] if isinstance(batch[name], list) else batch[name]


# ---- noise.json -----------------------------------------------------------------------------------------------------

def check_noise(checks, what, dtype, values):
    words = values["words"]
    u = [second.integer(dtype, *pair) for pair in zip(words, values.get("low_words", words))]
    checks.equal(f"{what}, u", u, values.get("u", words))
    e = [second.exponential(dtype, x) for x in u]
    checks.equal(f"{what}, t", [second.uniform(dtype, x) for x in u], values["t"])
    checks.relatively_near(f"{what}, exponential", dtype, e, values["exponential"])
    checks.near(f"{what}, noise", dtype, [-math.log(x) for x in e], values["noise"])


def check_streams(checks, dtype, vectors):
    for index, stream in enumerate(vectors["streams"]):
        what = f"noise, {dtype}, stream {index}"
        seed, row, draw, tag, first = (stream[name] for name in ("seed", "row", "draw", "tag", "first_class"))
        for member, own_tag in (("words", tag), ("low_words", tag + 2)):
            if member in stream:
                ours = [second.word(seed, row, draw, own_tag, first + i) for i in range(len(stream["words"]))]
                checks.equal(f"{what}, {member}", ours, stream[member])
        check_noise(checks, what, dtype, stream)
    check_noise(checks, f"noise, {dtype}, edges", dtype, vectors["edges"])


def check_noise_file(checks, vectors):
    check_streams(checks, "float32", vectors)
    check_streams(checks, "float64", vectors["float64"])


# ---- streams.json ---------------------------------------------------------------------------------------------------

def check_elements(checks, what, run):
    stream, places = second.streams(run), range(run["first"], run["first"] + len(run["u"]))
    checks.equal(f"{what}, words", [word for i in places for word in stream.words(i)], run["words"])
    checks.equal(f"{what}, u", [stream.uniform(i) for i in places], run["u"])
    checks.relatively_near(f"{what}, exponential", run["dtype"], [stream.exponential(i) for i in places],
                           run["exponential"])


def stream_row(batch, stream, sample, row):
    """z of a row: its logits and the noise of its elements."""
    outer, classes, inner = batch["shape"]
    o, i = divmod(row, inner)
    places = [(o * classes + j) * inner + i for j in range(classes)]
    skipped = batch["row_offset"] * classes
    if isinstance(stream, list):
        stream, elements = stream[row], [skipped + sample * classes + j for j in range(classes)]
    else:
        elements = [skipped + sample * outer * classes * inner + place for place in places]
    return places, [batch["logits"][p] - math.log(stream.exponential(e)) for p, e in zip(places, elements)]


def check_stream_batch(checks, what, batch):
    outer, classes, inner = batch["shape"]
    stream, samples, indices, drawn = second.streams(batch), [], [], []
    for sample in range(batch["num_samples"]):
        y = [0.0] * (outer * classes * inner)
        for row in range(outer * inner):
            places, z = stream_row(batch, stream, sample, row)
            for place, value in zip(places, second.softmax(z, batch["tau"])):
                y[place] = value
            indices.append(second.first_maximum(z))
            if sample == 0:
                drawn += sorted(range(classes), key=lambda j, z=z: -z[j])[:batch["n"]]
        samples += y
    checks.near(f"{what}, samples", batch["dtype"], samples, batch["samples"])
    checks.equal(f"{what}, indices", indices, batch["indices"])
    checks.equal(f"{what}, drawn", drawn, batch["drawn"])


def check_streams_file(checks, vectors):
    each_of("elements", check_elements)(checks, vectors)
    each_of("batches", check_stream_batch)(checks, vectors)


# ---- The other files ------------------------------------------------------------------------------------------------

def check_softmax(checks, what, batch):
    for name in ("softmax", "log_softmax"):
        ours = [getattr(second, name)(x, parameter(batch, "temperature", r)) for r, x in enumerate(rows_of(batch))]
        checks.near(f"{what}, {name}", batch["dtype"], sum(ours, []), batch[name])


def check_gumbel_softmax(checks, what, batch):
    tau, scale, ours = batch["tau"], batch["noise_scale"], {}
    for r, x in enumerate(rows_of(batch)):
        gumbel = second.Source(batch, r).gumbel(len(x))
        z = second.perturbed(x, scale, gumbel)
        results = {"gumbel": gumbel, "samples": second.softmax(z, tau), "hard_samples": second.one_hot(z),
                   "indices": [second.first_maximum(z)],
                   "log_density": [second.log_density(x, tau, scale, gumbel)]}
        for name, values in results.items():
            ours.setdefault(name, []).extend(values)
    for name in ("gumbel", "samples", "log_density"):
        checks.near(f"{what}, {name}", batch["dtype"], ours[name], batch[name])
    for name in ("hard_samples", "indices"):
        checks.equal(f"{what}, {name}", ours[name], batch[name])


def check_categorical(checks, what, batch):
    laws = ("log_probabilities", "scaled_log_probabilities", "raw_log_probabilities")
    ours = {name: [] for name in ("kept", "indices", "ranks", "scores", "kept_mass", "entropy") + laws}
    for r, x in enumerate(rows_of(batch)):
        v = second.biased(x, batch["logit_bias"])
        d = second.filtered(v, batch)
        draws = second.drawn(v, d, batch, second.Source(batch, r))
        t = batch["temperature"]
        scaled = second.log_softmax(v, t)
        log_p = dict(zip(laws, (second.log_softmax(d, 0 if t == 0 else 1), scaled, second.log_softmax(x, 1))))
        ours["kept"].append([j for j, u in enumerate(d) if u > -math.inf])
        ours["indices"] += [j for j, _ in draws]
        ours["scores"] += [score for _, score in draws]
        ours["ranks"] += [second.rank(x, j) for j, _ in draws]
        ours["kept_mass"].append(math.fsum(math.exp(scaled[j]) for j in ours["kept"][-1]))
        ours["entropy"].append(second.entropy(scaled))
        for name in laws:
            ours[name] += [log_p[name][j] for j, _ in draws]
    for name in ("kept", "indices", "ranks"):
        checks.equal(f"{what}, {name}", ours[name], batch[name])
    for name in ("scores", "kept_mass", "entropy") + laws:
        checks.near(f"{what}, {name}", batch["dtype"], ours[name], batch[name])


def gradients_of(batch, r, x, cotangent):
    name = batch["function"]
    t = parameter(batch, "tau" if name.startswith("gumbel") else "temperature", r)
    if name in ("softmax", "log_softmax"):
        return second.vjp(name, x, cotangent, t)
    source = second.Source(batch, r)
    if name == "gumbel_rao":
        return second.gumbel_rao(x, cotangent, t, batch, source)
    z = second.perturbed(x, batch["noise_scale"], source.gumbel(len(x)))
    return second.vjp("softmax", z, cotangent, t)


def check_vjp(checks, what, batch):
    pairs = zip(rows_of(batch), rows_of(batch, "cotangent"))
    ours = [gradients_of(batch, r, x, c) for r, (x, c) in enumerate(pairs)]
    to = "grad_tau" if batch["function"].startswith("gumbel") else "grad_temperature"
    what = f"{what}, {batch['function']}"
    checks.near(f"{what}, grad_logits", batch["dtype"], sum((grad for grad, _ in ours), []), batch["grad_logits"])
    checks.near(f"{what}, {to}", batch["dtype"], [grad for _, grad in ours], batch[to])


def check_schedule(checks, what, schedule):
    ours = [second.scheduled(schedule, step) for step in schedule["step"]]
    checks.near(f"{what}, {schedule['schedule']}", "float64", ours, schedule["tau"])
    if schedule["schedule"] != "exponential":
        ends = [tau for step, tau in zip(schedule["step"], schedule["tau"]) if step >= schedule["steps"]]
        checks.equal(f"{what}, its end", set(ends), {schedule["min"]})


def each_of(member, check):
    def checker(checks, vectors):
        for index, part in enumerate(vectors[member]):
            check(checks, f"{vectors['file']}, {member} {index}", part)
    return checker


CHECKERS = {"noise.json": check_noise_file, "streams.json": check_streams_file,
            "softmax.json": each_of("batches", check_softmax),
            "gumbel_softmax.json": each_of("batches", check_gumbel_softmax),
            "categorical.json": each_of("batches", check_categorical), "vjp.json": each_of("batches", check_vjp),
            "schedule.json": each_of("schedules", check_schedule)}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS
    checks = Checks()
    names = {path.name for path in folder.glob("*.json")}
    for name in sorted(names | CHECKERS.keys()):
        checks.count(f"{name}: a file and a checker", name in names and name in CHECKERS)
        if name in names and name in CHECKERS:
            vectors = with_infinities(json.loads((folder / name).read_text()))
            if name != "streams.json":
                checks.equal(f"{name}, rng", vectors["rng"], "v1")
            CHECKERS[name](checks, {**vectors, "file": name})
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main())
