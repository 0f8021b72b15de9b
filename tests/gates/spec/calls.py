"""Strategies for calls that must be answered with 200: what JSON Schema cannot say (one shape, members that go
together) is kept by construction. A Schemathesis hooks module: they take the place of its own bodies."""

import math

import checks  # noqa: F401 (registers its hooks)
import schemathesis
from hypothesis import strategies as st

MAX_FLOAT32 = 3.4028234663852886e38
MAX_NOISE_SCALE = 1e36
MAX_INTEGER = 2**53 - 1
RETURNS = {
    "gumbel_softmax": ["samples", "indices", "soft", "noise", "log_density", "log_samples", "perturbed"],
    "categorical": ["indices", "log_probabilities", "scores", "filtered_log_probabilities", "ranks", "kept", "kept_mass",
                    "entropy", "counts"],
}


def nest(values, shape):
    """The flat list as nested lists of the shape."""
    for length in reversed(shape[1:]):
        values = [values[i:i + length] for i in range(0, len(values), length)]
    return values


def numbers(dtype, limit=MAX_FLOAT32):
    """Finite numbers of a precision: small ones, any, and integers."""
    width = 32 if dtype == "float32" else 64
    return st.one_of(st.floats(-10, 10, width=32), st.integers(-100, 100),
                     st.floats(-limit, limit, width=width) if limit == MAX_FLOAT32 else st.floats(-limit, limit))


def positive(limit=MAX_FLOAT32):
    return st.one_of(st.floats(0, 10, width=32), st.integers(0, 100), st.floats(0, limit))


class Shape:
    """Axes and the class axis: classes, rows, and which class and row an element has."""

    def __init__(self, axes, dim):
        self.axes, self.dim = axes, dim
        self.size, self.classes = math.prod(axes), axes[dim]
        self.rows = self.size // self.classes
        self.inner = math.prod(axes[dim % len(axes) + 1:])

    def class_of(self, element):
        return element // self.inner % self.classes


@st.composite
def shapes(draw):
    axes = draw(st.one_of(st.lists(st.integers(1, 4), min_size=1, max_size=3),
                          st.lists(st.integers(1, 2), min_size=4, max_size=8)))
    return Shape(axes, draw(st.integers(-len(axes), len(axes) - 1)))


def per_row(draw, shape, values):
    return draw(st.one_of(values, st.lists(values, min_size=shape.rows, max_size=shape.rows)))


@st.composite
def schedules(draw):
    kind = draw(st.sampled_from(["exponential", "linear", "cosine"]))
    schedule = {"schedule": kind, "start": draw(positive()), "min": draw(positive()),
                "step": draw(st.integers(0, MAX_INTEGER))}
    if kind == "exponential":
        schedule["rate"] = draw(positive())
    else:
        schedule["steps"] = draw(st.integers(1, MAX_INTEGER))
    return schedule


def common(draw, body, shape):
    """logits, dim, mask, dtype and on_invalid. One class stays possible in all rows; it is returned."""
    dtype = draw(st.sampled_from([None, "float32", "float64"]))
    safe = draw(st.integers(0, shape.classes - 1))
    # A bias is added to the logits: they are kept from overflowing together.
    element = numbers(dtype or "float32", limit=1e38)
    missing = st.one_of(element, st.sampled_from([None, "-Infinity"]))
    logits = [draw(element if shape.class_of(i) == safe else missing) for i in range(shape.size)]
    body["logits"] = nest(logits, shape.axes)
    if dtype:
        body["dtype"] = dtype
    if shape.dim != -1 or draw(st.booleans()):
        body["dim"] = shape.dim
    if draw(st.booleans()):
        body["on_invalid"] = draw(st.sampled_from(["error", "zero", "uniform", "nan"]))
    kind = draw(st.sampled_from(["none", "whole", "row"]))
    if kind == "whole":
        mask = [shape.class_of(i) == safe or draw(st.booleans()) for i in range(shape.size)]
        body["mask"] = nest(mask, shape.axes)
    elif kind == "row":
        body["mask"] = [i == safe or draw(st.booleans()) for i in range(shape.classes)]
    return safe


def keys(draw, body, rows):
    """seed, or key: one, a list of one per row, or none. Whether it is a list."""
    kind = draw(st.sampled_from(["none", "one", "list"]))
    word, name = st.integers(0, MAX_INTEGER), "seed"
    if body.get("rng") == "jax" and draw(st.booleans()):
        half = st.integers(0, 2**32 - 1)
        word, name = st.lists(half, min_size=2, max_size=2), "key"
    if kind == "one":
        body[name] = draw(word)
    elif kind == "list":
        body[name] = draw(st.lists(word, min_size=rows, max_size=rows))
    return kind == "list"


def noise(draw, body, shape):
    """rng, seed or key, row_offset, draw_offset and num_samples. torch's stream is walked over."""
    if draw(st.booleans()):
        body["rng"] = draw(st.sampled_from(["v1", "torch", "jax"]))
    most = 1000 if body.get("rng") == "torch" else 2**32 - 1
    listed = keys(draw, body, shape.rows)
    if draw(st.booleans()):
        body["row_offset"] = 0 if listed else draw(st.integers(0, most - shape.rows))
    if draw(st.booleans()):
        body["draw_offset"] = draw(st.integers(0, most - 3))
    if draw(st.booleans()):
        body["num_samples"] = draw(st.integers(1, 4))


def returns(draw, body, function):
    if draw(st.booleans()):
        body["return"] = draw(st.lists(st.sampled_from(RETURNS[function]), min_size=1, unique=True))


def temperature(draw, body, shape):
    if draw(st.booleans()):
        body["temperature"] = per_row(draw, shape, positive())


def tau(draw, body, shape):
    if draw(st.booleans()):
        body["tau"] = draw(schedules()) if draw(st.booleans()) else per_row(draw, shape, positive())
    if draw(st.booleans()):
        body["hard"] = draw(st.booleans())
    if draw(st.booleans()):
        body["noise_scale"] = per_row(draw, shape, positive(MAX_NOISE_SCALE))


@st.composite
def softmax(draw):
    body, shape = {}, draw(shapes())
    common(draw, body, shape)
    temperature(draw, body, shape)
    return body


@st.composite
def gumbel_softmax(draw):
    body, shape = {}, draw(shapes())
    common(draw, body, shape)
    tau(draw, body, shape)
    noise(draw, body, shape)
    returns(draw, body, "gumbel_softmax")
    return body


@st.composite
def categorical(draw):
    body, shape = {}, draw(shapes())
    safe = common(draw, body, shape)
    temperature(draw, body, shape)
    noise(draw, body, shape)
    returns(draw, body, "categorical")
    probability = st.one_of(st.floats(0, 1), st.sampled_from([0, 1]))
    optional = {
        "top_k": lambda: per_row(draw, shape, st.integers(0, 2**31 - 1)),
        "top_p": lambda: per_row(draw, shape, probability),
        "min_p": lambda: per_row(draw, shape, probability),
        "prompt": lambda: draw(st.lists(st.integers(-1, shape.classes - 1), max_size=5)),
        "output": lambda: draw(st.lists(st.integers(-1, shape.classes - 1), max_size=5)),
        "repetition_penalty": lambda: per_row(draw, shape, st.floats(0.1, 10)),
        "presence_penalty": lambda: per_row(draw, shape, st.floats(-2, 2)),
        "frequency_penalty": lambda: per_row(draw, shape, st.floats(-2, 2)),
        "top_n_sigma": lambda: per_row(draw, shape, st.floats(-1, 10)),
        "epsilon_cutoff": lambda: per_row(draw, shape, probability),
        "eta_cutoff": lambda: per_row(draw, shape, probability),
        "min_keep": lambda: per_row(draw, shape, st.integers(0, 2**31 - 1)),
        "typical_p": lambda: per_row(draw, shape, st.floats(0, 1, exclude_min=True)),
        "filter_order": lambda: draw(st.sampled_from(["temperature_first", "temperature_last", "joint"])),
        "logprobs": lambda: draw(st.integers(0, 5)),
        "logprobs_for": lambda: draw(st.lists(st.integers(0, shape.classes - 1), min_size=1, max_size=4)),
        "logprobs_of": lambda: draw(st.sampled_from(["raw", "scaled", "filtered"])),
        "logit_bias": lambda: {str(i): draw(st.floats(-1e38, 1e38) if i == safe else
                                            st.one_of(st.floats(-1e38, 1e38), st.sampled_from([None, "-Infinity"])))
                               for i in draw(st.sets(st.integers(0, shape.classes - 1)))},
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        body[name] = optional[name]()
    if draw(st.booleans()):
        body["replacement"] = draw(st.booleans())
        # As many draws as there may be classes left: the safe one.
        if not body["replacement"] and "num_samples" in body:
            body["num_samples"] = 1
    if body.get("replacement", True) and body.get("rng", "v1") == "v1" and "scores" not in body.get("return", []):
        if draw(st.booleans()):
            body["method"] = draw(st.sampled_from(["gumbel_max", "inverse_cdf"]))
    return body


@st.composite
def vjp(draw):
    body, shape = {}, draw(shapes())
    body["function"] = draw(st.sampled_from(["softmax", "log_softmax", "gumbel_softmax"]))
    common(draw, body, shape)
    axes = shape.axes
    if body["function"] == "gumbel_softmax":
        tau(draw, body, shape)
        noise(draw, body, shape)
        if "key" not in body:
            body.setdefault("seed", draw(st.integers(0, MAX_INTEGER)))  # that of the call whose gradient it is
        if body.get("hard") and draw(st.booleans()):
            body["estimator"] = draw(st.sampled_from(["straight_through", "gumbel_rao"]))
            if body["estimator"] == "gumbel_rao" and draw(st.booleans()):
                body["conditional_samples"] = draw(st.integers(1, 50))
        if "num_samples" in body:
            axes = [body["num_samples"], *axes]
    else:
        temperature(draw, body, shape)
    element = numbers(body.get("dtype", "float32"))
    size = math.prod(axes)
    body["cotangent"] = nest(draw(st.lists(element, min_size=size, max_size=size)), axes)
    return body


FUNCTIONS = {"softmax": softmax(), "log_softmax": softmax(), "gumbel_softmax": gumbel_softmax(),
             "categorical": categorical(), "vjp": vjp()}


@st.composite
def batch(draw):
    requests = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(FUNCTIONS)))
        request = {"function": name, "body": draw(FUNCTIONS[name])}
        if draw(st.booleans()):
            request["id"] = draw(st.one_of(st.none(), st.text(), st.integers(0, MAX_INTEGER)))
        requests.append(request)
    return {"requests": requests}


def shape_of(nested):
    return [len(nested), *shape_of(nested[0])] if isinstance(nested, list) else []


LISTS = {"return", "prompt", "output", "logprobs_for"}  # that are not of one value per row


def inference(call):
    """The call as the Open Inference Protocol has it: arrays, and lists of one value per row, are inputs."""
    inputs, parameters = [], {}
    floats = "FP64" if call.get("dtype") == "float64" else "FP32"
    for name, value in call.items():
        if name in ("logits", "cotangent"):
            datatype = floats
        elif name == "mask":
            datatype = "BOOL"
        elif name in ("seed", "key", "top_k", "min_keep"):
            datatype = "UINT64"
        else:
            datatype = "FP64"
        if isinstance(value, list) and name not in LISTS:
            inputs.append({"name": name, "datatype": datatype, "shape": shape_of(value), "data": value})
        elif name != "dtype":
            parameters[name] = value
    return {"inputs": inputs, "parameters": parameters}


BODIES = {f"/v1/{name}": strategy for name, strategy in {**FUNCTIONS, "batch": batch()}.items()}
BODIES["/v2/repository/index"] = st.fixed_dictionaries({}, optional={"ready": st.sampled_from([True, False, None])})


@schemathesis.hook
def before_generate_body(context, strategy):
    return BODIES.get(context.operation.path, strategy)


@schemathesis.hook
def before_generate_case(context, strategy):
    """A model's calls are those of its function."""

    @st.composite
    def cases(draw):
        case = draw(strategy)
        name = draw(st.sampled_from(sorted(FUNCTIONS)))
        case.path_parameters = {"model": name}
        case.body = inference(draw(FUNCTIONS[name]))
        return case

    return cases() if context.operation.path.endswith("/infer") else strategy
