"""The core's results against a library's, case by case: what this Python has of the libraries that it is to have.

    compare.py LIBRARY torch|numpy|jax ...

A case is a batch of rows of one K, dtype and kind of logits, each row with a temperature of its own. One array of
results is one check: the differences may be at most so many units (units.py) of the dtype's eps as BOUNDS says.
Prints the largest difference of each sort and where it was, and ends with "N passed, N failed"."""

import sys
import traceback

import numpy as np

from core import Core
from peers import PEERS, NumpyPeer
from units import VANISHING, Units

CLASSES = (1, 2, 10, 63, 64, 1000, 4097, 32000, 128256)
DTYPES = (np.float32, np.float64)
TEMPERATURES = np.array([1.0, 0.5, 0.1, 0.7, 3.0, 100.0])
NOISE_SCALES = np.array([1.0, 1.0, 0.25, 2.0, 0.0, 1.0])
SEED = 20260214
RAO_SAMPLES = 3

# In units, of float32 and of float64: 1.5 times what was found, or a little more. A library's long sums are its own: in
# rows of 10^5 classes torch's err by hundreds of eps. The core's are seen against NumPy's wider formulas.
BOUNDS = {
    "softmax": {"numpy": (30, 3), "torch": (480, 25), "jax": (30, 4)},
    "log_softmax": {"numpy": (4, 1.5), "torch": (40, 3), "jax": (4, 2.5)},
    "softmax vjp, logits": {"numpy": (25, 3), "torch": (360, 12), "jax": (25, 4)},
    "softmax vjp, temperature": {"numpy": (3, 3), "torch": (3, 3), "jax": (3, 3)},
    "log_softmax vjp, logits": {"numpy": (3, 3), "torch": (3, 3), "jax": (3, 3)},
    "log_softmax vjp, temperature": {"numpy": (10, 10), "torch": (10, 10), "jax": (10, 10)},
    "gumbel_softmax, soft": {"numpy": (20, 3), "torch": (20, 30), "jax": (20, 3)},
    "gumbel_softmax, winner": {"numpy": (4, 4), "torch": (4, 4), "jax": (4, 4)},
    "gumbel_softmax, hard": {"numpy": (0, 0), "torch": (0, 0), "jax": (0, 0)},
    "gumbel_softmax, log_density": {"numpy": (2, 10), "torch": (2, 260)},
    "gumbel_softmax vjp, logits": {"numpy": (15, 3), "torch": (15, 20), "jax": (15, 3)},
    "gumbel_softmax vjp, tau": {"numpy": (2, 2), "torch": (2, 2), "jax": (2, 2)},
    "gumbel_rao vjp, logits": {"numpy": (6, 6), "torch": (35, 16), "jax": (6, 6)},
    "gumbel_rao vjp, tau": {"numpy": (2, 2), "torch": (2, 2), "jax": (2, 2)},
}


def bound_of(quantity, peer_name, dtype):
    return BOUNDS[quantity][peer_name][DTYPES.index(np.dtype(dtype).type)]


def logits_of(kind, rows, classes, random):
    if kind == "normal":
        return random.normal(0, 3, (rows, classes))
    if kind == "wide":
        return random.uniform(-100, 100, (rows, classes))
    if kind == "equal":
        return np.full((rows, classes), 0.75)
    if kind == "shifted":
        return random.normal(1000, 3, (rows, classes))
    if kind == "small":
        return random.normal(0, 1e-6, (rows, classes))
    x = random.normal(0, 3, (rows, classes))
    kept = random.integers(0, classes, rows)
    holes = random.uniform(size=x.shape) < 1 / 3
    holes[np.arange(rows), kept] = False
    return np.where(holes, -np.inf, x)


KINDS = ("normal", "wide", "equal", "shifted", "small", "holes")


class Tally:
    """The largest difference of one sort of comparison."""

    def __init__(self):
        self.cases = self.failed = 0
        self.units = self.difference = -1.0
        self.where = self.largest_where = ""


class Report:
    def __init__(self):
        self.tallies = {}
        self.passed = self.failed = 0

    def add(self, quantity, case, peer, ours, theirs, unit):
        """Holds `ours` against `theirs`; `unit` is what the differences are counted in."""
        wide = np.longdouble
        dtype = np.dtype(case.x.dtype)
        with np.errstate(invalid="ignore"):
            difference = np.abs(ours.astype(wide) - np.asarray(theirs).astype(wide))
        difference = np.where(ours == theirs, 0, difference)  # infinities too
        left = np.maximum(difference - VANISHING[dtype] * max(1.0, case.magnitude), 0)
        units = np.where(left > 0, left / np.maximum(unit * np.finfo(dtype).eps, 1e-300), 0)
        units = np.where(np.isnan(difference), np.inf, units)
        self._count(quantity, case, peer, units, np.where(np.isnan(difference), np.inf, difference))

    def _count(self, quantity, case, peer, units, difference):
        tally = self.tallies.setdefault((quantity, case.x.dtype.name, peer.name), Tally())
        worst, largest = (np.unravel_index(a.argmax(), a.shape) for a in (units, difference))
        good = bool(units[worst] <= bound_of(quantity, peer.name, case.x.dtype))
        tally.cases += 1
        tally.failed += not good
        if units[worst] > tally.units:
            tally.units, tally.where = float(units[worst]), case.where(worst)
        if difference[largest] > tally.difference:
            tally.difference, tally.largest_where = float(difference[largest]), case.where(largest)
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {quantity} {case.x.dtype.name} against {peer.title}: {float(units[worst]):.3g} units at "
                  f"{case.where(worst)}")

    def show(self, peer):
        print(f"{'against ' + peer.title:<30}{'dtype':<9}{'cases':>6}{'largest':>11}  {'at':<34}"
              f"{'units':>8}{'bound':>8}  {'at':<34}")
        for (quantity, dtype, name), t in self.tallies.items():
            if name == peer.name:
                print(f"{quantity:<30}{dtype:<9}{t.cases:>6}{t.difference:>11.3g}  {t.largest_where:<34}"
                      f"{t.units:>8.3g}{bound_of(quantity, name, dtype):>8.3g}  {t.where:<34}"
                      f"{'ok' if t.failed == 0 else 'FAILED'}", flush=True)


class Case:
    """Logits, parameters and cotangents of one batch, and what NumPy makes of them."""

    def __init__(self, kind, classes, dtype):
        rows = len(TEMPERATURES)
        random = np.random.default_rng([classes, KINDS.index(kind)])
        self.kind, self.classes = kind, classes
        self.x = logits_of(kind, rows, classes, random).astype(dtype)
        self.cotangent = random.normal(0, 1, self.x.shape).astype(dtype)
        self.possible = np.isfinite(self.x)
        self.no_shift = np.zeros_like(self.x)
        self.t, self.s = (a.astype(dtype).astype(np.float64) for a in (TEMPERATURES, NOISE_SCALES))
        self.magnitude = float(np.abs(self.cotangent).max()) / TEMPERATURES.min() ** 2 * 1e3

    def where(self, at):
        return f"{self.kind}, K {self.classes}, T {TEMPERATURES[at[0]]:g}" + (f", {at[1]}" if len(at) > 1 else "")


def compare_softmax(report, core, peer, case):
    reference = NumpyPeer()
    units = Units(case.x, 0, case.t, reference.softmax(case.x, case.t))
    report.add("softmax", case, peer, core.softmax(case.x, case.t), peer.softmax(case.x, case.t), units.softmax())
    theirs = peer.log_softmax(case.x, case.t)
    report.add("log_softmax", case, peer, core.log_softmax(case.x, case.t), theirs, units.log_softmax(theirs))


def compare_softmax_vjp(report, core, peer, case):
    units = Units(case.x, 0, case.t, NumpyPeer().softmax(case.x, case.t))
    for name in ("softmax", "log_softmax"):
        c = case.cotangent if name == "softmax" else np.where(case.possible, case.cotangent, case.no_shift)
        ours, theirs = core.softmax_vjp(name, case.x, c, case.t), peer.vjp(name, case.x, case.no_shift, c, case.t)
        for i, to in enumerate(("logits", "temperature")):
            report.add(f"{name} vjp, {to}", case, peer, ours[i], theirs[i], units.vjp(name, c)[i])


def compare_hard(report, case, peer, ours, z, units):
    """The winner: none of their z may be above that at ours by more than roundings. And the result is its one-hot."""
    rows = np.arange(len(z))
    best = z.argmax(-1)
    one_hot = np.zeros_like(ours["hard"])
    one_hot[rows, ours["indices"]] = 1
    gap = z[rows, best] - z[rows, ours["indices"]]
    report.add("gumbel_softmax, winner", case, peer, gap, np.zeros_like(gap), units.z[rows, best])
    report.add("gumbel_softmax, hard", case, peer, ours["hard"], one_hot, np.ones_like(one_hot))


def compare_gumbel_softmax(report, core, peer, case):
    ours = core.gumbel_softmax(case.x, case.t, case.s, SEED)
    g, reference = ours["gumbel"], NumpyPeer()
    shift = (case.s[:, None] * g).astype(case.x.dtype)
    wide = reference.perturbed(case.x, g, case.s)
    y = np.exp((wide - wide.max(-1, keepdims=True)) / case.t[:, None])
    units = Units(case.x, shift, case.t, y / y.sum(-1, keepdims=True))
    z = peer.perturbed(case.x, g, case.s)
    theirs = y / y.sum(-1, keepdims=True) if peer.name == "numpy" else peer.softmax(z, case.t)
    report.add("gumbel_softmax, soft", case, peer, ours["samples"], theirs, units.softmax())
    compare_hard(report, case, peer, ours, z, units)
    ours_vjp = core.gumbel_vjp("gumbel_softmax", case.x, case.cotangent, case.t, case.s, SEED)
    theirs_vjp = peer.vjp("softmax", case.x, shift, case.cotangent, case.t)
    for i, to in enumerate(("logits", "tau")):
        report.add(f"gumbel_softmax vjp, {to}", case, peer, ours_vjp[i], theirs_vjp[i],
                   units.vjp("softmax", case.cotangent)[i])


def compare_log_density(report, core, peer, case):
    if not hasattr(peer, "log_density") or case.kind == "holes":
        return
    s = np.where(case.s == 0, 1.0, case.s)
    ours = core.gumbel_softmax(case.x, case.t, s, SEED)
    theirs = peer.log_density(case.x, ours["gumbel"], case.t, s)
    report.add("gumbel_softmax, log_density", case, peer, ours["log_density"], theirs,
               Units(case.x, 0, case.t, case.no_shift).log_density(case.x, ours["gumbel"], case.t, s))


def conditional(core, case, winner, sample):
    """z of vjp.h's Gumbel-Rao, from the core's E: x given that `winner` is the first maximum, s = 1."""
    wide, rows, tags = NumpyPeer(), np.arange(len(case.x)), 1
    log_p = wide.log_softmax(case.x, np.ones(len(case.x)))
    e = np.stack([core.exponential(case.x.dtype, case.classes, SEED, row, sample, tags) for row in rows])
    e = e.astype(log_p.dtype)
    of_winner = e[rows, winner][:, None]
    z = log_p - np.log(e + np.exp(log_p) * of_winner)
    z[rows, winner] = -np.log(of_winner[:, 0])
    return z.astype(case.x.dtype)


def compare_gumbel_rao(report, core, peer, case):
    one = np.ones(len(case.x))
    ours = core.gumbel_vjp("gumbel_rao", case.x, case.cotangent, case.t, one, SEED, RAO_SAMPLES)
    winner = core.gumbel_softmax(case.x, case.t, one, SEED)["indices"]
    theirs, unit = [0, 0], [0, 0]
    for sample in range(RAO_SAMPLES):
        z = conditional(core, case, winner, sample)
        units = Units(z, np.where(case.possible, case.x, 0), case.t, NumpyPeer().softmax(z, case.t))
        part = peer.vjp("softmax", z, case.no_shift, case.cotangent, case.t)
        for i in range(2):
            theirs[i] = theirs[i] + part[i] / RAO_SAMPLES
            unit[i] = unit[i] + units.vjp("softmax", case.cotangent)[i] / RAO_SAMPLES
    for i, to in enumerate(("logits", "tau")):
        report.add(f"gumbel_rao vjp, {to}", case, peer, ours[i], np.asarray(theirs[i]), unit[i])


COMPARISONS = (compare_softmax, compare_gumbel_softmax, compare_log_density, compare_softmax_vjp, compare_gumbel_rao)


def compare(report, core, peer):
    for classes in CLASSES:
        for dtype in DTYPES:
            for kind in KINDS:
                case = Case(kind, classes, dtype)
                for comparison in COMPARISONS:
                    comparison(report, core, peer, case)


def main():
    report, core = Report(), Core(sys.argv[1])
    print(f"Python {sys.version.split()[0]}, core on {core.isa()}")
    for name in sys.argv[2:]:
        try:
            peer = PEERS[name]()
            compare(report, core, peer)
            report.show(peer)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            print(f"FAILED {name}: no comparison with it")
            report.failed += 1
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
