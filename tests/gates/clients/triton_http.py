"""Triton's HTTP client, unmodified: tensors as JSON and as bytes, compressed or not, statistics and descriptions. What
it gets has the bits of the JSON front."""

import json
import sys
import traceback
import urllib.request

import ml_dtypes
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

URL = sys.argv[1]
CLIENT = triton.InferenceServerClient(URL.removeprefix("http://").rstrip("/"), connection_timeout=60, network_timeout=60)
RANDOM = numpy.random.default_rng(2)


def native(function, body):
    request = urllib.request.Request(f"{URL}/v1/{function}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def log_softmax(logits):
    """Over the last axis; -inf stays that."""
    return logits - numpy.log(numpy.exp(logits).sum(-1, keepdims=True))


def logits_of(*shape, dtype=numpy.float32):
    return (4 * RANDOM.standard_normal(shape)).astype(dtype)


DATATYPES = {"float32": "FP32", "float64": "FP64", "float16": "FP16", "uint64": "UINT64", "int64": "INT64",
             "int32": "INT32", "bool": "BOOL", "bfloat16": "BF16"}


def tensor(name, array, binary=True):
    made = triton.InferInput(name, list(array.shape), DATATYPES[array.dtype.name])
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def outputs(*names, binary=True, classes=0):
    return [triton.InferRequestedOutput(name, binary_data=binary, class_count=classes) for name in names]


def infer(model, *inputs, names=None, binary=True, **options):
    wanted = outputs(*names, binary=binary) if names else None
    return CLIENT.infer(model, list(inputs), outputs=wanted, **options)


def assert_same(result, answer, names):
    """To the bit; -0 is not 0."""
    for name in names:
        array = result.as_numpy(name)
        expected = numpy.array(answer[name], numpy.float64).astype(array.dtype)
        assert array.shape == expected.shape, (name, array.shape, expected.shape)
        assert array.tobytes() == expected.tobytes(), name


def assert_close(array, expected):
    """To a float64's last digits, and -inf where that is expected."""
    assert array.shape == expected.shape and numpy.allclose(array, expected, rtol=1e-14, atol=0), array


# ---- Checks -------------------------------------------------------------------------------------------------------

def check_the_server_is_healthy():
    assert CLIENT.is_server_live() and CLIENT.is_server_ready()
    assert CLIENT.is_model_ready("softmax") and CLIENT.is_model_ready("vjp", "1")
    assert not CLIENT.is_model_ready("nope") and not CLIENT.is_model_ready("softmax", "2")


def check_the_server_is_described():
    server = CLIENT.get_server_metadata()
    assert server["name"] == "gumbeld" and "binary_tensor_data" in server["extensions"]
    index = CLIENT.get_model_repository_index()
    assert {model["name"] for model in index} == {"softmax", "log_softmax", "gumbel_softmax", "categorical", "vjp"}
    assert all(model["state"] == "READY" for model in index)


def check_models_are_described():
    metadata = CLIENT.get_model_metadata("gumbel_softmax")
    assert metadata == CLIENT.get_model_metadata("gumbel_softmax", "1")
    assert metadata["inputs"][0] == {"name": "logits", "datatype": "FP32", "shape": [-1, -1]}
    assert [output["name"] for output in metadata["outputs"]] == ["samples"]  # what comes when none is named
    config = CLIENT.get_model_config("gumbel_softmax")
    assert "outputs.noise" in config["parameters"]
    assert config["max_batch_size"] == 0 and config["input"][0]["data_type"] == "TYPE_FP32"


def check_every_function_has_the_bits_of_json():
    calls = [("softmax", {"temperature": 0.7}, ["probabilities"]), ("log_softmax", {"dim": 0}, ["log_probabilities"]),
             ("gumbel_softmax", {"seed": 3, "num_samples": 2, "tau": 0.3},
              ["samples", "indices", "soft", "noise", "log_density"]),
             ("gumbel_softmax", {"seed": 2**53 - 1, "hard": True}, ["samples"]),
             ("categorical", {"seed": 3, "num_samples": 4, "top_k": 3, "top_p": 0.9},
              ["indices", "log_probabilities", "scores"])]
    for dtype in (numpy.float32, numpy.float64):
        for model, parameters, names in calls:
            logits = logits_of(5, 7, dtype=dtype)
            logits[1, 2] = -numpy.inf
            body = {"logits": logits.tolist(), "dtype": numpy.dtype(dtype).name, **parameters}
            if len(names) > 1:
                body["return"] = names
            answer = native(model, body)
            for options in ({}, {"binary": False}):
                result = infer(model, tensor("logits", logits), names=names, parameters=parameters, **options)
                assert_same(result, answer, names)


def check_minus_infinity_goes_and_comes():
    logits = numpy.array([[3, 1, -numpy.inf, 2], [-numpy.inf, 0, 4, 5]])
    mask = numpy.array([[True, True, True, False], [True, False, True, True]])
    filters = {"top_k": 2, "logprobs": 3, "logprobs_of": "filtered", "seed": 7}
    masked = log_softmax(numpy.where(mask, logits, -numpy.inf))
    filtered = log_softmax(numpy.array([[3, 2, -numpy.inf], [5, 4, -numpy.inf]]))
    for binary in (True, False):
        result = infer("log_softmax", tensor("logits", logits, binary), tensor("mask", mask, binary),
                       names=["log_probabilities"], binary=binary)
        assert_close(result.as_numpy("log_probabilities"), masked)
        result = infer("categorical", tensor("logits", logits, binary), binary=binary, parameters=filters,
                       names=["log_probabilities", "top_log_probabilities"])
        assert_close(result.as_numpy("top_log_probabilities"), filtered)
        drawn = result.as_numpy("log_probabilities")
        assert (numpy.isclose(drawn, filtered, rtol=1e-14, atol=0).sum(-1) == 1).all(), drawn


def check_gradients_have_the_bits_of_json():
    logits, cotangent, mask = logits_of(3, 4), logits_of(3, 4), RANDOM.random((3, 4)) < 0.8
    mask[:, 0] = True
    parameters = {"function": "gumbel_softmax", "seed": 5, "tau": 0.5}
    result = infer("vjp", tensor("mask", mask), tensor("cotangent", cotangent), tensor("logits", logits),
                   parameters=parameters)
    assert_same(result, native("vjp", {"logits": logits.tolist(), "cotangent": cotangent.tolist(),
                                       "mask": mask.tolist(), **parameters}), ["grad_logits", "grad_tau"])


def check_json_inputs():
    logits = logits_of(5, 7)
    result = infer("softmax", tensor("logits", logits, binary=False), names=["probabilities"], binary=False)
    assert_same(result, native("softmax", {"logits": logits.tolist()}), ["probabilities"])


def check_values_for_each_row():
    logits, tau, seed = logits_of(4, 6), RANDOM.random(4) + 0.1, numpy.arange(4, dtype=numpy.uint64) + 2**53 - 4
    body = {"logits": logits.tolist(), "tau": tau.tolist(), "seed": [int(one) for one in seed]}
    for seeds in (seed, seed.astype(numpy.int64)):
        result = infer("gumbel_softmax", tensor("logits", logits), tensor("tau", tau), tensor("seed", seeds))
        assert_same(result, native("gumbel_softmax", body), ["samples"])
        assert json.loads(result.get_response()["parameters"]["seed"]) == body["seed"]


def check_wrapped_parameters():
    logits = logits_of(3, 5)
    schedule = {"schedule": "exponential", "start": 1, "rate": 0.1, "min": 0.5, "step": 3}
    result = infer("gumbel_softmax", tensor("logits", logits), request_id="one",
                   parameters={"seed": 1, "tau": json.dumps(schedule), "return": json.dumps(["soft", "indices"])})
    answer = native("gumbel_softmax", {"logits": logits.tolist(), "seed": 1, "tau": schedule,
                                       "return": ["soft", "indices"]})
    assert_same(result, answer, ["soft", "indices"])
    assert result.get_response()["id"] == "one" and result.get_response()["parameters"]["tau"] == answer["tau"]


def check_halves_and_wider_precisions():
    for narrow in (numpy.float16, ml_dtypes.bfloat16):
        for wide in (numpy.float32, numpy.float64):
            halves, temperature = logits_of(4, 100, dtype=narrow), numpy.array([[0.5], [1], [2], [4]], narrow)
            parameters = {"dtype": numpy.dtype(wide).name}
            one = infer("softmax", tensor("logits", halves), tensor("temperature", temperature), parameters=parameters)
            other = infer("softmax", tensor("logits", halves.astype(wide)),
                          tensor("temperature", temperature[:, 0].astype(numpy.float32)))
            assert one.as_numpy("probabilities").dtype == wide
            assert one.as_numpy("probabilities").tobytes() == other.as_numpy("probabilities").tobytes()


def check_compression():
    logits = logits_of(64, 500)
    plainly = infer("softmax", tensor("logits", logits)).as_numpy("probabilities")
    for request in (None, "gzip", "deflate"):
        for response in (None, "gzip", "deflate"):
            for binary in (True, False):
                result = infer("softmax", tensor("logits", logits, binary), names=["probabilities"], binary=binary,
                               request_compression_algorithm=request, response_compression_algorithm=response)
                assert result.as_numpy("probabilities").tobytes() == plainly.tobytes(), (request, response, binary)


def check_megabytes():
    logits = logits_of(512, 4000)
    result = infer("softmax", tensor("logits", logits)).as_numpy("probabilities")
    powers = numpy.exp(logits.astype(numpy.float64) - logits.max(-1, keepdims=True))
    assert numpy.abs(result - powers / powers.sum(-1, keepdims=True)).max() < 5e-6


def check_classification():
    logits = numpy.array([[1, 3, 2], [0, 0, 5]], numpy.float32)
    for binary in (True, False):
        wanted = outputs("probabilities", binary=binary, classes=2)
        told = CLIENT.infer("softmax", [tensor("logits", logits)], outputs=wanted).as_numpy("probabilities")
        assert told.shape == (2, 2), told
        texts = [one.decode() if isinstance(one, bytes) else one for one in told.flatten()]
        assert texts[0] == "0.66524094:1" and texts[1] == "0.24472848:2" and texts[2].endswith(":2"), texts


def check_calls_at_once():
    logits = [logits_of(4, 50) for _ in range(16)]
    client = triton.InferenceServerClient(URL.removeprefix("http://").rstrip("/"), concurrency=4)
    pending = [client.async_infer("softmax", [tensor("logits", one)]) for one in logits]
    for one, waiting in zip(logits, pending):
        same = infer("softmax", tensor("logits", one)).as_numpy("probabilities")
        assert waiting.get_result().as_numpy("probabilities").tobytes() == same.tobytes()


def check_statistics():
    def count(kind):
        (model,) = CLIENT.get_inference_statistics("log_softmax")["model_stats"]
        return model["inference_stats"][kind]["count"], model["inference_stats"][kind]["ns"]

    (before, before_ns), (failed, _) = count("success"), count("fail")
    for _ in range(3):
        infer("log_softmax", tensor("logits", logits_of(2, 3)))
    try:
        infer("log_softmax", tensor("logits", numpy.full((1, 2), -numpy.inf, numpy.float32)))
    except InferenceServerException:
        pass
    # A request is counted when its answer has been sent, which may be after it was read.
    for _ in range(100):
        if count("success")[0] == before + 3 and count("fail")[0] == failed + 1:
            break
    assert count("success")[0] == before + 3 and count("fail")[0] == failed + 1
    assert count("success")[1] > before_ns
    assert len(CLIENT.get_inference_statistics()["model_stats"]) == 5


def check_errors():
    logits = numpy.zeros((2, 3), numpy.float32)
    cases = [("nope", [tensor("logits", logits)], {}, "404", "no such route"),
             ("softmax", [tensor("logits", logits)], {"temperature": -1}, "400", "/parameters/temperature"),
             ("softmax", [tensor("logits", logits)], {"tau": 1}, "400", "/parameters/tau"),
             ("softmax", [tensor("mask", logits > 0)], {}, "400", "logits is required"),
             ("softmax", [tensor("logits", logits - numpy.inf)], {}, "422", "row 0"),
             ("softmax", [tensor("logits", logits.astype(numpy.int32))], {}, "400", "FP32")]
    for model, inputs, parameters, status, words in cases:
        try:
            infer(model, *inputs, parameters=parameters)
            raise AssertionError(f"{model} {parameters}: nothing was refused")
        except InferenceServerException as error:
            assert status in error.status() and words in error.message(), error


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
