"""NumPy arrays over requests: what numpy.save writes goes in, what numpy.load reads comes out, with the bits of the JSON
answers and the values of NumPy's formulas."""

import io
import json
import sys
import traceback

import ml_dtypes
import numpy
import requests

NPY = "application/x-npy"
URL = sys.argv[1]
SESSION = requests.Session()
RANDOM = numpy.random.default_rng(1)


# ---- A client, as somebody would write it -------------------------------------------------------------------------

def dump(*arrays, version=None):
    file = io.BytesIO()
    for array in arrays:
        numpy.lib.format.write_array(file, numpy.asarray(array), version=version)
    return file.getvalue()


def load(content):
    file, arrays = io.BytesIO(content), []
    while file.tell() < len(content):
        arrays.append(numpy.load(file, allow_pickle=False))
    return arrays


def post(function, /, *arrays, accept=NPY, headers=None, **parameters):
    return SESSION.post(f"{URL}/v1/{function}", params=parameters, data=dump(*arrays),
                        headers={"Content-Type": NPY, "Accept": accept, **(headers or {})})


def call(function, /, *arrays, **parameters):
    """The results by name."""
    answer = post(function, *arrays, **parameters)
    if answer.status_code != 200:
        raise AssertionError(f"{function}: {answer.status_code} {answer.text}")
    return dict(zip(answer.headers["X-Gumbeld-Results"].split(","), load(answer.content), strict=True))


def call_json(function, body):
    """json.dumps writes -inf as -Infinity, which requests' own json= refuses to."""
    answer = SESSION.post(f"{URL}/v1/{function}", data=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- What the answers should be -----------------------------------------------------------------------------------

def assert_same(results, answer):
    """To the bit; -0 is not 0."""
    assert results, "no results"
    for name, array in results.items():
        expected = numpy.array(answer[name], numpy.float64).astype(array.dtype)
        assert array.shape == expected.shape, (name, array.shape, expected.shape)
        assert array.tobytes() == expected.tobytes(), name


def assert_close(array, expected):
    """To a float64's last digits, and -inf where that is expected."""
    assert array.shape == expected.shape and numpy.allclose(array, expected, rtol=1e-14, atol=0), array


def softmax(logits, axis=-1):
    powers = numpy.exp(logits - logits.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def log_softmax(logits):
    """Over the last axis; -inf stays that."""
    return logits - numpy.log(numpy.exp(logits).sum(-1, keepdims=True))


def logits_of(*shape, dtype=numpy.float32):
    return (4 * RANDOM.standard_normal(shape)).astype(dtype)


# ---- Checks -------------------------------------------------------------------------------------------------------

def check_every_function_has_the_bits_of_json():
    calls = [("softmax", {"temperature": 0.7}), ("log_softmax", {"dim": 0}),
             ("gumbel_softmax", {"seed": 3, "num_samples": 2, "return": ["samples", "indices", "soft", "noise",
                                                                         "log_density"]}),
             ("gumbel_softmax", {"seed": 2**53 - 1, "hard": True, "tau": [0.1, 0.2, 0.3, 0.4, 0.5]}),
             ("categorical", {"seed": 3, "num_samples": 4, "top_k": 3, "top_p": 0.9, "logit_bias": {"0": -1, "2": None},
                              "logprobs": 2, "return": ["indices", "log_probabilities", "scores"]})]
    for dtype in (numpy.float32, numpy.float64):
        for function, members in calls:
            logits = logits_of(5, 7, dtype=dtype)
            logits[1, 2] = -numpy.inf
            query = {name: json.dumps(value) for name, value in members.items()}
            body = {"logits": logits.tolist(), "dtype": numpy.dtype(dtype).name, **members}
            assert_same(call(function, logits, **query), call_json(function, body))


def check_minus_infinity_goes_and_comes():
    logits = numpy.array([[3, 1, -numpy.inf, 2], [-numpy.inf, 0, 4, 5]])
    mask = numpy.array([[True, True, True, False], [True, False, True, True]])
    masked = log_softmax(numpy.where(mask, logits, -numpy.inf))
    filtered = log_softmax(numpy.array([[3, 2, -numpy.inf], [5, 4, -numpy.inf]]))
    filters = {"top_k": 2, "logprobs": 3, "logprobs_of": "filtered", "return": ["log_probabilities"], "seed": 7}
    body = {"logits": logits.tolist(), "dtype": "float64"}
    array = call("log_softmax", logits, mask, arrays="logits,mask")
    assert_close(array["log_probabilities"], masked)
    assert_same(array, call_json("log_softmax", {"mask": mask.tolist(), **body}))
    arrays = call("categorical", logits, **{name: json.dumps(value) for name, value in filters.items()})
    assert_close(arrays["top_log_probabilities"], filtered)
    drawn = arrays["log_probabilities"]
    assert (numpy.isclose(drawn, filtered, rtol=1e-14, atol=0).sum(-1) == 1).all(), drawn
    assert_same(arrays, call_json("categorical", {**filters, **body}))


def check_vjp_has_the_bits_of_json():
    logits, cotangent, mask = logits_of(3, 4), logits_of(2, 3, 4), RANDOM.random((3, 4)) < 0.8
    mask[:, 0] = True
    members = {"function": "gumbel_softmax", "seed": 5, "num_samples": 2, "tau": 0.5}
    body = {"logits": logits.tolist(), "cotangent": cotangent.tolist(), "mask": mask.tolist(), **members}
    results = call("vjp", mask, logits, cotangent, arrays="mask,logits,cotangent", **members)
    assert_same(results, call_json("vjp", body))
    assert set(results) == {"grad_logits", "grad_tau"}


def check_softmax_is_numpys():
    for dtype, tolerance in ((numpy.float16, 2e-6), (numpy.float32, 2e-6), (numpy.float64, 5e-15)):
        for shape, axis in (((7,), -1), ((64, 1000), -1), ((2, 3, 4, 5), 1), ((1,) * 8, 0)):
            logits = logits_of(*shape, dtype=dtype)
            probabilities = call("softmax", logits, dim=axis)["probabilities"]
            assert probabilities.dtype == (numpy.float64 if dtype == numpy.float64 else numpy.float32)
            wide = softmax(logits.astype(numpy.float64), axis)
            assert numpy.abs(probabilities - wide).max() <= tolerance


def check_samples_are_numpys_of_the_noise():
    logits, tau = logits_of(32, 100, dtype=numpy.float64), RANDOM.random(32) + 0.1
    results = call("gumbel_softmax", logits, tau, arrays="logits,tau", **{"return": "samples,noise,indices"}, seed=9)
    perturbed = logits + results["noise"]
    assert numpy.abs(results["samples"] - softmax(perturbed / tau[:, None])).max() < 1e-13
    assert (results["indices"] == perturbed.argmax(-1)).all()
    assert results["indices"].dtype == numpy.int32


def check_the_gradient_is_numpys():
    logits, cotangent = logits_of(8, 9, dtype=numpy.float64), logits_of(8, 9, dtype=numpy.float64)
    gradient = call("vjp", logits, cotangent, arrays="logits,cotangent", function="softmax")["grad_logits"]
    y = softmax(logits)
    assert numpy.abs(gradient - y * (cotangent - (y * cotangent).sum(-1, keepdims=True))).max() < 1e-13


def check_halves_are_floats_or_wider():
    halves = numpy.arange(1 << 16, dtype=numpy.uint16).view(numpy.float16)
    halves = halves[numpy.isfinite(halves)].reshape(-1, 2)
    for narrow in (halves, halves.view(ml_dtypes.bfloat16)):
        with numpy.errstate(invalid="ignore"):
            narrow = narrow[numpy.isfinite(narrow.astype(numpy.float32)).all(axis=-1)]
        for wide in (numpy.float32, numpy.float64):
            one = call("log_softmax", narrow, dtype=numpy.dtype(wide).name)["log_probabilities"]
            other = call("log_softmax", narrow.astype(wide))["log_probabilities"]
            assert one.dtype == wide and one.tobytes() == other.tobytes()


def check_any_order_of_bytes_and_axes():
    logits = logits_of(3, 4, 5)
    plainly = call("softmax", logits, dim=1)["probabilities"]
    for same in (numpy.asfortranarray(logits), logits.astype(">f4"), numpy.asfortranarray(logits.astype(">f4"))):
        assert call("softmax", same, dim=1)["probabilities"].tobytes() == plainly.tobytes()
    assert call("softmax", logits[:0])["probabilities"].shape == (0, 4, 5)


def check_the_headers_repeat_the_answer():
    logits = logits_of(4, 5)
    first = post("gumbel_softmax", logits, tau=0.3)
    assert first.headers["X-Gumbeld-Rng"] == "v1" and first.headers["X-Gumbeld-Dtype"] == "float32"
    again = post("gumbel_softmax", logits, tau=first.headers["X-Gumbeld-Tau"], seed=first.headers["X-Gumbeld-Seed"])
    assert first.content == again.content
    seeds = numpy.arange(4) + 2**53 - 4
    listed = post("gumbel_softmax", logits, seeds, arrays="logits,seed")
    assert listed.headers["X-Gumbeld-Seed"] == ",".join(map(str, seeds))
    both = post("gumbel_softmax", logits_of(800, 2), numpy.arange(1000, 1800), numpy.full(800, 0.25),
                arrays="logits,seed,tau")
    assert len(both.headers["X-Gumbeld-Seed"]) == len(both.headers["X-Gumbeld-Tau"]) == 3999
    long = post("gumbel_softmax", logits_of(4000, 2), seed=",".join(["7"] * 4000))
    assert long.status_code == 200 and "X-Gumbeld-Seed" not in long.headers


def check_every_version_of_the_format():
    logits = logits_of(3, 5)
    answers = {SESSION.post(f"{URL}/v1/softmax", data=dump(logits, version=version),
                            headers={"Content-Type": NPY, "Accept": NPY}).content
               for version in ((1, 0), (2, 0), (3, 0))}
    assert len(answers) == 1
    header = answers.pop()
    assert header[:8] == b"\x93NUMPY\x01\x00" and header.index(b"\n") + 1 == 128


def check_bodies_of_megabytes_and_gzip():
    """requests accepts gzip always, and is not made to wait for it; unless it takes nothing else."""
    logits = logits_of(512, 4000)
    results = call("softmax", logits)
    assert numpy.abs(results["probabilities"] - softmax(logits.astype(numpy.float64))).max() < 2e-6
    answer = post("softmax", logits)
    assert "gzip" in answer.request.headers["Accept-Encoding"] and "Content-Encoding" not in answer.headers
    answer = post("softmax", logits, headers={"Accept-Encoding": "gzip, identity;q=0"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert load(answer.content)[0].tobytes() == results["probabilities"].tobytes()


def check_negotiation():
    logits = numpy.zeros((2, 2), numpy.float32)
    assert post("softmax", logits, accept="*/*").json()["probabilities"] == [[0.5, 0.5]] * 2
    lines = post("softmax", logits, accept="application/x-ndjson").text.splitlines()
    assert len(lines) == 4 and json.loads(lines[1])["probabilities"] == [0.5, 0.5]
    answer = SESSION.post(f"{URL}/v1/softmax", json={"logits": [0, 0]}, headers={"Accept": NPY})
    assert (load(answer.content)[0] == [0.5, 0.5]).all()
    refused = SESSION.post(f"{URL}/v1/softmax", data=dump(logits), headers={"Content-Type": "application/octet-stream"})
    assert refused.status_code == 415
    assert SESSION.post(f"{URL}/v1/batch", data=dump(logits), headers={"Content-Type": NPY}).status_code == 415
    assert SESSION.post(f"{URL}/v1/batch", json={"requests": []}, headers={"Accept": NPY}).status_code == 406


def check_problems():
    logits = logits_of(3, 4)
    cases = [((logits.astype(numpy.int64),), {}, 400, "/logits"), ((numpy.float32(1),), {}, 400, "/logits"),
             ((numpy.zeros((1,) * 9),), {}, 400, "/logits"),
             ((logits, logits), {}, 400, None), ((logits,), {"tau": [1, 2]}, 400, "/tau"),
             ((logits,), {"tau": -1}, 400, "/tau"), ((logits,), {"temperature": 1}, 400, "/temperature"),
             ((numpy.full((2, 2), -numpy.inf),), {}, 422, "/logits/0"),
             ((numpy.array([[0, 1], [numpy.nan, 0]]),), {}, 422, "/logits/1")]
    for arrays, parameters, status, pointer in cases:
        answer = post("gumbel_softmax", *arrays, **parameters)
        assert answer.status_code == status, (parameters, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json().get("pointer") == pointer, answer.text


def main():
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check()
                print("ok", name)
            except Exception as error:  # any of them is a failure of that check alone
                traceback.print_exc()
                print("not ok", name, repr(error)[:200])


main()
