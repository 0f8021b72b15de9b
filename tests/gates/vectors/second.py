"""A second implementation, in plain Python and double precision, written from what the `about` of each file in
api/vectors says. A row is a list."""

import math

MASK = 0xFFFFFFFF


# ---- Noise ----------------------------------------------------------------------------------------------------------

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
    return philox((index // 4, row & MASK, draw & MASK, tag), (seed & MASK, seed >> 32))[index % 4]


BITS = {"float32": 32, "float64": 53}


def integer(dtype, high, low):
    return high if dtype == "float32" else (high << 32 | low) >> 11


def uniform(dtype, u):
    n = BITS[dtype]
    return (min(u, 2**n - 1 - u) + 0.5) / 2**n


def exponential(dtype, u):
    t = uniform(dtype, u)
    return -math.log1p(-t) if u < 2 ** (BITS[dtype] - 1) else -math.log(t)


class Source:
    """Where the noise of a row comes from."""

    def __init__(self, batch, r):
        seed = batch["seed"]
        own = isinstance(seed, list)
        self.seed, self.row = seed[r] if own else seed, batch["row_offset"] + (0 if own else r)
        self.draw, self.dtype = batch["draw"], batch["dtype"]

    def exponential(self, index, draw=None, tag=0):
        draw = self.draw if draw is None else draw
        high, low = (word(self.seed, self.row, draw, t, index) for t in (tag, tag + 2))
        return exponential(self.dtype, integer(self.dtype, high, low))

    def gumbel(self, classes):
        return [-math.log(self.exponential(j)) for j in range(classes)]


# ---- The streams of other libraries ---------------------------------------------------------------------------------

def mersenne_words(seed):
    """MT19937 (Matsumoto and Nishimura 1998), without end."""
    state = [seed & MASK]
    for k in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + k) & MASK)
    while True:
        for k in range(624):
            y = (state[k] & 0x80000000) | (state[(k + 1) % 624] & 0x7FFFFFFF)
            state[k] = state[(k + 397) % 624] ^ y >> 1 ^ (0x9908B0DF if y % 2 else 0)
            y = state[k]
            y ^= y >> 11
            y ^= y << 7 & 0x9D2C5680
            y ^= y << 15 & 0xEFC60000
            yield y ^ y >> 18


def threefry(counter, key):
    """Threefry-2x32-20 (Salmon et al. 2011)."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    a, b = ((x + k) & MASK for x, k in zip(counter, keys))
    for step in range(20):
        rotation = (13, 15, 26, 6, 17, 29, 16, 24)[step % 8]
        a = (a + b) & MASK
        b = ((b << rotation | b >> (32 - rotation)) & MASK) ^ a
        if step % 4 == 3:
            i = step // 4 + 1
            a, b = (a + keys[i % 3]) & MASK, (b + keys[(i + 1) % 3] + i) & MASK
    return a, b


class TorchStream:
    def __init__(self, dtype, seed):
        del dtype
        self.generator, self.made = mersenne_words(seed), []

    def words(self, i):
        while len(self.made) < 2 * i + 2:
            self.made.append(next(self.generator))
        return self.made[2 * i], self.made[2 * i + 1]

    def uniform(self, i):
        high, low = self.words(i)
        return ((high % 2**21) << 32 | low) / 2**53

    def exponential(self, i):
        return -math.log1p(-self.uniform(i)) or 2.0**-54


class JaxStream:
    def __init__(self, dtype, key):
        self.dtype, self.key = dtype, key

    def words(self, i):
        return threefry((i >> 32 & MASK, i & MASK), self.key)

    def uniform(self, i):
        high, low = self.words(i)
        if self.dtype == "float32":
            return max(((high ^ low) >> 9) / 2**23, 2.0**-126)
        return max((high << 32 | low) // 2**12 / 2**52, 2.0**-1022)

    def exponential(self, i):
        return -math.log(self.uniform(i))


def streams(batch):
    """The one stream of all, or that of each row."""
    if batch["rng"] == "torch":
        kind, keys, single = TorchStream, batch["seed"], isinstance(batch["seed"], int)
    else:
        kind, keys, single = JaxStream, batch["key"], isinstance(batch["key"][0], int)
    return kind(batch["dtype"], keys) if single else [kind(batch["dtype"], key) for key in keys]


# ---- Softmax --------------------------------------------------------------------------------------------------------

def first_maximum(z):
    return z.index(max(z))


def one_hot(z):
    best = first_maximum(z)
    return [float(j == best) for j in range(len(z))]


def log_softmax(x, t):
    if t == 0:
        return [0.0 if y == 1 else -math.inf for y in one_hot(x)]
    top = max(x)
    a = [(v - top) / t for v in x]
    log_sum = math.log(math.fsum(map(math.exp, a)))
    return [v - log_sum for v in a]


def softmax(x, t):
    return one_hot(x) if t == 0 else [math.exp(v) for v in log_softmax(x, t)]


def perturbed(x, scale, gumbel):
    return [v + scale * g if v > -math.inf else v for v, g in zip(x, gumbel)]


def log_density(x, tau, scale, gumbel):
    """Of log y itself rather than of y, of which nothing may be left."""
    x = [(v, g) for v, g in zip(x, gumbel) if v > -math.inf]
    k = len(x)
    if k == 1:
        return 0.0
    if tau == 0:
        return -math.inf
    if scale == 0:
        return math.inf
    t, v = tau / scale, [value / scale for value, _ in x]
    log_y = log_softmax([value + g for value, (_, g) in zip(v, x)], t)
    return (math.lgamma(k) + (k - 1) * math.log(t) +
            math.fsum(log_softmax([value - t * y for value, y in zip(v, log_y)], 1)))


# ---- Categorical ----------------------------------------------------------------------------------------------------

def biased(logits, logit_bias):
    v = list(logits)
    for j, bias in zip(logit_bias["classes"], logit_bias["bias"]):
        v[j] += bias
    return v


def keep_first(u, keys, enough):
    """The shortest beginning, in ascending order of keys, that is enough; at least one class."""
    order = sorted((j for j in range(len(u)) if u[j] > -math.inf), key=lambda j: (keys[j], j))
    for count in range(1, len(order) + 1):
        if enough(order[:count]):
            order = order[:count]
            break
    return [u[j] if j in set(order) else -math.inf for j in range(len(u))]


def keep_mass(u, keys, mass):
    p = softmax(u, 1)
    return keep_first(u, keys, lambda kept: math.fsum(p[j] for j in kept) >= mass)


def keep_top_k(u, batch):
    k = batch["top_k"]
    return u if k == 0 else keep_first(u, [-v for v in u], lambda kept: len(kept) == k)


def entropy(log_p):
    return -math.fsum(math.exp(v) * v for v in log_p if v > -math.inf)


def rank(x, j):
    """The place of class j in falling order of x, from 1; of equals the lower class first."""
    return 1 + sum(y > x[j] or (y == x[j] and i < j) for i, y in enumerate(x))


def keep_typical(u, batch):
    log_p = log_softmax(u, 1)
    expected = entropy(log_p)
    surprise = [abs(-v - expected) for v in log_p]
    return u if batch["typical_p"] == 1 else keep_mass(u, surprise, batch["typical_p"])


def keep_top_p(u, batch):
    return u if batch["top_p"] == 1 else keep_mass(u, [-v for v in u], batch["top_p"])


def keep_min_p(u, batch):
    if batch["min_p"] == 0:
        return u
    least = max(u) + math.log(batch["min_p"])
    return [v if v >= least else -math.inf for v in u]


FILTERS = {"temperature_first": (keep_min_p, keep_top_k, keep_typical, keep_top_p),
           "temperature_last": (keep_top_k, keep_typical, keep_top_p, keep_min_p)}


def filtered(v, batch):
    """d: the distribution drawn from is softmax(d). For T = 0 the greatest d counts alone."""
    m, t, first = max(v), batch["temperature"], batch["order"] == "temperature_first"
    u = [(x - m) / (t if first and t > 0 else 1) for x in v]
    if t > 0 or not first:
        for keep in FILTERS[batch["order"]]:
            u = keep(u, batch)
    return u if first or t == 0 else [(x - max(u)) / t for x in u]


def drawn(v, d, batch, source):
    """[(class, score)] of the n draws."""
    n, t = batch["n"], batch["temperature"]

    def ranked(draw):
        if t == 0:
            return sorted(enumerate(d), key=lambda pair: (-pair[1], pair[0]))
        g = [-math.log(source.exponential(j, draw)) for j in range(len(d))]
        order = sorted((j for j, x in enumerate(d) if x > -math.inf), key=lambda j: (-(d[j] + g[j]), j))
        return [(j, v[j] / t + g[j]) for j in order]
    if batch["replacement"]:
        return [ranked(source.draw + i)[0] for i in range(n)]
    return ranked(source.draw)[:n]


# ---- Schedules ------------------------------------------------------------------------------------------------------

def scheduled(schedule, step):
    start, least = schedule["start"], schedule["min"]
    if schedule["schedule"] == "exponential":
        return max(start * math.exp(-schedule["rate"] * step), least)
    p = min(step / schedule["steps"], 1)
    if schedule["schedule"] == "linear":
        return start + (least - start) * p
    return least + (start - least) * (1 + math.cos(math.pi * p)) / 2


# ---- Gradients ------------------------------------------------------------------------------------------------------

def vjp(name, x, cotangent, t):
    """(gradient to x, gradient to t)"""
    if t == 0:
        return [0.0] * len(x), 0.0
    y, m = softmax(x, t), max(x)
    if name == "softmax":
        mean = math.fsum(a * b for a, b in zip(cotangent, y))
        g = [p * (c - mean) / t for p, c in zip(y, cotangent)]
    else:
        total = math.fsum(cotangent)
        g = [(c - p * total) / t for p, c in zip(y, cotangent)]
    return g, -math.fsum(a * (v - m) for a, v in zip(g, x) if v > -math.inf) / t


def conditional(x, scale, winner, source, draw):
    """z given that `winner` is the first maximum."""
    log_p = log_softmax(x, scale)
    e = [source.exponential(j, draw, 1) for j in range(len(x))]
    z = [scale * lp - scale * math.log(ej + math.exp(lp) * e[winner]) for lp, ej in zip(log_p, e)]
    z[winner] = -scale * math.log(e[winner])
    return z


def gumbel_rao(x, cotangent, tau, batch, source):
    scale, k = batch["noise_scale"], batch["conditional_samples"]
    winner = first_maximum(perturbed(x, scale, source.gumbel(len(x))))
    parts = [vjp("softmax", conditional(x, scale, winner, source, k * source.draw + i), cotangent, tau)
             for i in range(k)]
    return ([math.fsum(grad[j] for grad, _ in parts) / k for j in range(len(x))],
            math.fsum(grad_tau for _, grad_tau in parts) / k)
