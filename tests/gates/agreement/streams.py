"""The streams rng=torch and rng=jax against the libraries themselves, under fresh seeds.

    streams.py LIBRARY torch|jax [SEED]

Each case is an array of a shape, dim, dtype, number of samples and row_offset of its own, its logits and seeds drawn
anew in each run; what is printed first as `seeds of` repeats a run. Compared are

  E         torch: with exponential_, bit by bit, and with -log1p(-u) of the words that torch.rand(float64) shows. jax:
            with -log u of the words of jax.random.bits, within 1.3 ulp: those of neighbouring words differ by more
            than 2.7.
  noise     -log E, with the library's own Gumbel noise.
  samples   with the softmax of the same noise in double, within 1 unit (units.py): ulp, times what the roundings of
            x + g and of the division by tau come to in the exponent. In ulp of the sample alone the difference is
            shown beside that of the library's own softmax of the same noise.
  indices   with torch.multinomial, jax.random.categorical and the first maximum of the library's perturbed logits;
            but for ties: where the two classes' perturbed logits are within 2 ulp of the greatest term in them.

Ends with "N passed, N failed"."""

import ctypes
import secrets
import sys
from ctypes import POINTER, Structure, byref, c_double, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

from units import Units

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
RNGS = {"torch": 1, "jax": 2}
UNIT_BOUND, TIE_ULPS, LOG_ULPS = 1, 2, 1.3

# (shape, dim, dtype, samples, a seed for each row, row_offset): small and large K, dim first, in the middle and last.
CASES = (
    ((12000, 10), -1, 0, 1, False, 0), ((1200, 10), -1, 0, 3, False, 7), ((400, 100), -1, 1, 2, False, 0),
    ((100, 500), 0, 0, 2, False, 0), ((40, 30, 50), 1, 0, 1, False, 11), ((7, 5, 6, 11), 2, 1, 4, False, 3),
    ((4, 32000), -1, 0, 1, False, 0), ((1, 128256), -1, 0, 2, False, 0), ((64, 1000), -1, 1, 1, False, 100),
    ((300, 3, 40), 0, 1, 2, False, 1), ((60, 300), -1, 0, 2, True, 0), ((25, 64, 9), 1, 0, 1, True, 5),
    ((90, 63), -1, 1, 3, True, 2), ((2, 65, 1000), 1, 0, 2, False, 0), ((1000, 1), -1, 0, 1, False, 0),
)
TAUS = (1.0, 0.5, 2.0)


class Stream(Structure):
    _fields_ = [("rng", c_int), ("seed", POINTER(c_uint64)), ("stride", c_size_t), ("row_offset", c_uint32),
                ("draw", c_uint32)]


class Case:
    """Logits as an array of `shape` and as rows; its elements numbered as in the whole array."""

    def __init__(self, index, rng, random):
        self.shape, dim, dtype, self.samples, self.each, self.row_offset = CASES[index]
        self.dim, self.dtype, self.rng = dim % len(self.shape), DTYPES[dtype], rng
        self.classes = self.shape[self.dim]
        self.inner = int(np.prod(self.shape[self.dim + 1:]))
        self.rows = int(np.prod(self.shape)) // self.classes
        self.tau = TAUS[index % len(TAUS)]
        self.x = random.normal(0, 2, self.shape).astype(self.dtype)
        limit = 2 ** 32 if rng == "torch" else 2 ** 53
        self.seeds = random.integers(0, limit, self.rows if self.each else 1, np.uint64)
        self.elements = self.x.size

    def __str__(self):
        seeds = f"{self.rows} seeds" if self.each else f"seed {self.seeds[0]}"
        return (f"{list(self.shape)} dim {self.dim} {self.dtype.name} samples {self.samples} "
                f"row_offset {self.row_offset} {seeds}")

    def of_rows(self, values):
        """[..., rows, classes] as [..., shape]."""
        outer = self.rows // self.inner
        split = values.reshape(values.shape[:-2] + (outer, self.inner, self.classes))
        return np.moveaxis(split, -1, -2).reshape(values.shape[:-2] + self.shape)

    def all_rows(self, array):
        """[..., shape] as [..., rows, classes]."""
        before = array.ndim - len(self.shape)
        moved = np.moveaxis(array, before + self.dim, -1)
        return moved.reshape(array.shape[:before] + (self.rows, self.classes))

    def units(self, gumbel, y):
        """Of samples, [samples, rows, classes]."""
        x, g = self.all_rows(self.x), self.all_rows(gumbel)
        return np.stack([Units(x, part, np.full(self.rows, self.tau), of).softmax() for part, of in zip(g, y)])

    def elements_of(self, draw_elements):
        """Of draw_elements(seed, first, count), E or words: [samples, *shape]."""
        skipped = self.row_offset * self.classes
        if not self.each:
            return draw_elements(int(self.seeds[0]), skipped, self.samples * self.elements).reshape(
                (self.samples,) + self.shape)
        rows = [draw_elements(int(seed), skipped, self.samples * self.classes).reshape(self.samples, self.classes)
                for seed in self.seeds]
        return self.of_rows(np.stack(rows, 1))


class Core:
    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))

    @staticmethod
    def _stream(case, draw):
        return Stream(RNGS[case.rng], case.seeds.ctypes.data_as(POINTER(c_uint64)), case.each, case.row_offset, draw)

    @staticmethod
    def _array(case):
        return (DTYPES.index(case.dtype), c_void_p(case.x.ctypes.data), c_size_t(case.rows), c_size_t(case.classes),
                c_size_t(case.inner))

    def exponentials(self, case, seed, first, count):
        e = np.empty(count, case.dtype)
        self.library.agreement_exponentials(DTYPES.index(case.dtype), RNGS[case.rng], c_uint64(seed), c_uint64(first),
                                            c_void_p(e.ctypes.data), c_size_t(count))
        return e

    def gumbel_softmax(self, case):
        """(samples, gumbel, indices), the first axis the samples'."""
        samples, gumbel = (np.empty((case.samples,) + case.shape, case.dtype) for _ in range(2))
        indices = np.empty((case.samples, case.rows), np.int32)
        for draw in range(case.samples):
            status = self.library.agreement_gumbel_softmax(
                *self._array(case), c_double(case.tau), byref(self._stream(case, draw)),
                *(c_void_p(a[draw].ctypes.data) for a in (samples, gumbel, indices)))
            assert status == 0, status
        return samples, gumbel, indices

    def categorical(self, case, draws, replacement):
        """[rows, draws]"""
        indices = np.empty((case.rows, draws), np.int32)
        status = self.library.agreement_categorical(*self._array(case), c_size_t(draws), replacement,
                                                    byref(self._stream(case, 0)), c_void_p(indices.ctypes.data))
        assert status == 0, status
        return indices


# ---- The libraries --------------------------------------------------------------------------------------------------

class Torch:
    """exact: whether this torch draws exponential_ from the words of its generator. With MKL on some Intel processors
    it does not; then E is made of the words that torch.rand shows."""

    def __init__(self):
        import torch
        torch.set_num_threads(1)
        self.torch, self.title = torch, f"torch {torch.__version__}"
        torch.manual_seed(1)
        own = torch.empty(100000, dtype=torch.float64).exponential_().numpy()
        self.exact = bool(np.allclose(own, self.of_words(1, 0, 100000), rtol=1e-14, atol=0))
        if not self.exact:
            print(f"{self.title} draws exponential_ otherwise than from its generator's words, as it does with MKL on "
                  f"Intel processors: compared is -log1p(-u) of the words that torch.rand(float64) shows, and not "
                  f"exponential_, gumbel_softmax and multinomial")

    def _draw(self, seed, first, count, dtype, draw):
        self.torch.manual_seed(seed)
        if first > 0:
            self.torch.rand(first, dtype=self.torch.float64)
        return draw(self.torch.empty(count, dtype=getattr(self.torch, dtype))).numpy()

    def of_words(self, seed, first, count):
        u = self._draw(seed, first, count, "float64", lambda a: a.uniform_())
        return -np.log1p(-u)

    def compare_exponentials(self, report, core, case):
        ours = case.elements_of(lambda *at: core.exponentials(case, *at))
        of_words = case.elements_of(self.of_words)
        report.ulps("E of torch.rand", case, ours, of_words, 2)
        if not self.exact:
            return of_words.astype(case.dtype)
        theirs = case.elements_of(lambda *at: self._draw(*at, case.dtype.name, lambda a: a.exponential_()))
        report.add("E of exponential_", case, np.array_equal(ours, theirs), ours.size, "other bits")
        return theirs

    def gumbel(self, e):
        return -self.torch.from_numpy(e).log().numpy()

    def softmax(self, z, axis):
        return self.torch.softmax(self.torch.from_numpy(z), axis).numpy()

    def _as_drawn(self, case):
        """The generator at the beginning of the case's draws."""
        self.torch.manual_seed(int(case.seeds[0]))
        if case.row_offset > 0:
            self.torch.rand(case.row_offset * case.classes, dtype=self.torch.float64)

    def compare_functions(self, report, core, case, e):
        samples, _, _ = core.gumbel_softmax(case)
        if not self.exact or case.each:
            return
        x = self.torch.from_numpy(case.x)
        self._as_drawn(case)
        theirs = [self.torch.nn.functional.gumbel_softmax(x, case.tau, dim=case.dim).numpy()
                  for _ in range(case.samples)]
        report.near("gumbel_softmax", case, samples, np.stack(theirs))
        z = case.x + self.gumbel(e[0])
        if case.inner > 1:
            return
        p = self.torch.softmax(x.reshape(case.rows, case.classes), -1)
        for draws in {1, min(5, case.classes), case.classes if case.elements < 50000 else 1}:
            self._as_drawn(case)
            theirs = self.torch.multinomial(p, draws).numpy()
            report.indices(f"multinomial, {'1 draw' if draws == 1 else 'without replacement'}", case,
                           core.categorical(case, draws, False), theirs, case.all_rows(z))


class Jax:
    def __init__(self):
        import jax
        jax.config.update("jax_enable_x64", True)
        self.jax, self.title = jax, f"jax {jax.__version__}"

    def key(self, seed):
        pair = np.array([seed >> 32, seed & 0xffffffff], np.uint32)
        key = self.jax.random.wrap_key_data(pair)
        assert np.array_equal(self.jax.random.key_data(self.jax.random.key(seed)), pair)
        return key

    def _bits(self, case, seed, first, count):
        dtype = np.uint32 if case.dtype == DTYPES[0] else np.uint64
        return np.asarray(self.jax.random.bits(self.key(seed), (first + count,), dtype))[first:]

    def _gumbel(self, case, seed, first, count):
        return np.asarray(self.jax.random.gumbel(self.key(seed), (first + count,), case.dtype))[first:]

    def compare_exponentials(self, report, core, case):
        ours = case.elements_of(lambda *at: core.exponentials(case, *at))
        bits = case.elements_of(lambda *at: self._bits(case, *at))
        dropped, mantissa = (9, 23) if case.dtype == DTYPES[0] else (12, 52)
        wide = (bits >> dropped).astype(np.longdouble) * np.longdouble(2) ** -mantissa
        u = np.maximum(wide + np.finfo(case.dtype).tiny, np.finfo(case.dtype).tiny)
        report.ulps("E of jax.random.bits", case, ours, -np.log(u), LOG_ULPS)
        return ours

    def gumbel(self, e):
        return -np.log(e)

    def softmax(self, z, axis):
        return np.asarray(self.jax.nn.softmax(z, axis))

    def compare_functions(self, report, core, case, e):
        del e
        noise = case.elements_of(lambda *at: self._gumbel(case, *at))
        samples, gumbel, _ = core.gumbel_softmax(case)
        report.near("jax.random.gumbel", case, gumbel, noise)
        if case.each or case.row_offset > 0:
            return
        random, key = self.jax.random, self.key(int(case.seeds[0]))
        whole = np.asarray(random.gumbel(key, (case.samples,) + case.shape, case.dtype))
        y = self.jax.nn.softmax((case.x + whole) / case.dtype.type(case.tau), case.dim + 1)
        report.near("softmax of x + gumbel", case, samples, np.asarray(y))
        batch = tuple(np.delete(case.shape, case.dim))
        theirs = random.categorical(key, case.x, case.dim, (case.samples,) + batch)
        report.indices("categorical, with replacement", case, core.categorical(case, case.samples, True),
                       np.asarray(theirs).reshape(case.samples, case.rows).T, case.all_rows(case.x + whole))
        z = case.x + np.asarray(random.gumbel(key, case.shape, case.dtype))
        draws = min(5, case.classes)
        theirs = random.categorical(key, case.x, case.dim, (draws,) + batch, replace=False)
        report.indices("categorical, without replacement", case, core.categorical(case, draws, False),
                       np.asarray(theirs).reshape(draws, case.rows).T, case.all_rows(z))


# ---- What is reported -----------------------------------------------------------------------------------------------

class Tally:
    cases = failed = values = ties = 0
    largest = 0.0


class Report:
    def __init__(self):
        self.passed = self.failed = 0
        self.tallies = {}

    def add(self, what, case, good, values, detail, largest=0.0, ties=0):
        tally = self.tallies.setdefault(what, Tally())
        tally.cases += 1
        tally.values += values
        tally.ties += ties
        tally.largest = max(tally.largest, largest)
        if good:
            self.passed += 1
            return
        self.failed += 1
        tally.failed += 1
        print(f"FAILED {what}, {case}: {detail}")

    def ulps(self, what, case, ours, wide, bound):
        """In units of the last place of `wide`, which is more precise."""
        unit = np.spacing(np.abs(wide).astype(case.dtype))
        difference = float(np.max(np.abs(ours.astype(wide.dtype) - wide) / unit))
        self.add(what, case, difference <= bound, ours.size, f"{difference:.3g} ulp, at most {bound}", difference)

    def units(self, what, case, ours, wide, unit, bound=UNIT_BOUND):
        """In units of the dtype's eps; what is subnormal has none."""
        unit = np.maximum(unit * np.finfo(case.dtype).eps, np.finfo(case.dtype).tiny)
        difference = float(np.max(np.abs(ours - wide) / unit))
        self.add(what, case, difference <= bound, ours.size, f"{difference:.3g} units, at most {bound}", difference)

    def near(self, what, case, ours, theirs):
        """What both sides made of equal E: relative where above 1."""
        bound = 64 * np.finfo(case.dtype).eps
        difference = np.abs(ours.astype(np.float64) - theirs) / np.maximum(1, np.abs(theirs))
        self.add(what, case, bool(difference.max() <= bound), ours.size, f"{difference.max():.3g}, at most {bound:.3g}",
                 float(difference.max() / np.finfo(case.dtype).eps))

    def indices(self, what, case, ours, theirs, z):
        """[rows, draws], or with replacement z[draw]."""
        rows, draws = np.nonzero(ours != theirs)
        of_draw = z[draws, rows] if z.ndim == 3 else z[rows]
        at = np.arange(len(rows))
        pair = np.stack([of_draw[at, ours[rows, draws]], of_draw[at, theirs[rows, draws]]])
        x = case.all_rows(case.x)[rows]
        size = np.maximum(np.abs(x[at, ours[rows, draws]]), np.abs(x[at, theirs[rows, draws]]))
        unit = np.spacing(np.maximum(np.abs(pair).max(0), np.maximum(size, 1)).astype(case.dtype))
        gap = np.abs(pair[0] - pair[1]) / unit
        good = bool((gap <= TIE_ULPS).all())
        self.add(what, case, good, ours.size, f"{len(rows)} others, {gap.max() if len(rows) else 0:.3g} ulp apart",
                 ties=len(rows))

    def show(self, title):
        print(f"{'against ' + title:<40}{'cases':>7}{'values':>10}{'largest':>10}{'ties':>6}")
        for what, t in self.tallies.items():
            print(f"{what:<40}{t.cases:>7}{t.values:>10}{t.largest:>10.3g}{t.ties:>6}  "
                  f"{'ok' if t.failed == 0 else 'FAILED'}", flush=True)


def compare_samples(report, core, case, peer, e):
    """With what double makes of the same E."""
    samples, gumbel, indices = core.gumbel_softmax(case)
    wide = -np.log(e.astype(np.longdouble))
    report.near("noise, -log E", case, gumbel, wide)
    z = case.all_rows(case.x.astype(np.longdouble) + gumbel) / case.tau
    y = np.exp(z - z.max(-1, keepdims=True))
    y /= y.sum(-1, keepdims=True)
    ours = case.all_rows(samples)
    report.units("samples, softmax of the same noise", case, ours, y, case.units(gumbel, y))
    report.units("  in ulp of the sample", case, ours, y, y, bound=np.inf)
    theirs = peer.softmax((case.x + gumbel) / case.dtype.type(case.tau), case.dim + 1)
    report.units("  in ulp, the library's own", case, case.all_rows(theirs), y, y, bound=np.inf)
    z = case.all_rows(case.x + peer.gumbel(e))
    report.indices("indices, first maximum", case, indices.T, z.argmax(-1).T, z)


def main():
    run = int(sys.argv[3]) if len(sys.argv) > 3 else secrets.randbits(48)
    name, core, report = sys.argv[2], Core(sys.argv[1]), Report()
    peer = {"torch": Torch, "jax": Jax}[name]()
    print(f"Python {sys.version.split()[0]}, {peer.title}, seeds of {run}")
    draws = 0
    for index in range(len(CASES)):
        case = Case(index, name, np.random.default_rng([run, index]))
        print(f"  {case}")
        e = peer.compare_exponentials(report, core, case)
        compare_samples(report, core, case, peer, e)
        peer.compare_functions(report, core, case, e)
        draws += case.samples * case.elements
    report.show(peer.title)
    print(f"{draws} draws")
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
