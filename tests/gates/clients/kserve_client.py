"""KServe's REST client, unmodified: health, tensors as JSON and as bytes, errors."""

import asyncio
import json
import sys
import traceback
import urllib.request

import httpx
import numpy
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL = sys.argv[1]
LOGITS = (4 * numpy.random.default_rng(3).standard_normal((4, 6))).astype(numpy.float32)


def native(function, body):
    request = urllib.request.Request(f"{URL}/v1/{function}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def client():
    return InferenceRESTClient(RESTConfig(protocol="v2", retries=0))


def tensor(name, array, binary, datatype="FP32"):
    made = InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


async def infer(model, inputs, outputs=None, headers=None, **parameters):
    request = InferRequest(model, inputs, request_id="7", parameters=parameters, request_outputs=outputs)
    return await client().infer(URL, request, model_name=model, response_headers=headers)


def assert_same(output, values):
    array = output.as_numpy()
    expected = numpy.array(values, numpy.float64).astype(array.dtype)
    assert array.shape == expected.shape and array.tobytes() == expected.tobytes(), output.name


def log_softmax(logits):
    """Over the last axis; -inf stays that."""
    return logits - numpy.log(numpy.exp(logits).sum(-1, keepdims=True))


def assert_close(output, expected):
    """To a float64's last digits, and -inf where that is expected."""
    array = output.as_numpy()
    assert array.shape == expected.shape and numpy.allclose(array, expected, rtol=1e-14, atol=0), array


# ---- Checks -------------------------------------------------------------------------------------------------------

async def check_health():
    assert await client().is_server_live(URL) is True
    assert await client().is_server_ready(URL) is True
    assert await client().is_model_ready(URL, "gumbel_softmax")
    assert not await client().is_model_ready(URL, "nope")


async def check_json_and_binary_inputs_have_the_bits_of_json():
    answer = native("softmax", {"logits": LOGITS.tolist(), "temperature": 0.7})
    for binary in (False, True):
        got = await infer("softmax", [tensor("logits", LOGITS, binary)], temperature=0.7)
        assert (got.model_name, got.id) == ("softmax", "7")
        assert_same(got.outputs[0], answer["probabilities"])


async def check_outputs_asked_for():
    answer = native("gumbel_softmax", {"logits": LOGITS.tolist(), "seed": 5, "tau": 0.5, "return": ["soft", "indices"]})
    for binary in (False, True):
        outputs = [RequestedOutput("indices", {"binary_data": binary}), RequestedOutput("soft", {"binary_data": binary})]
        headers = {}
        got = await infer("gumbel_softmax", [tensor("logits", LOGITS, True)], outputs, headers, seed=5, tau=0.5)
        assert [output.name for output in got.outputs] == ["indices", "soft"]
        assert_same(got.outputs[0], answer["indices"])
        assert_same(got.outputs[1], answer["soft"])
        assert got.parameters["seed"] == 5 and got.parameters["tau"] == 0.5
        assert ("inference-header-content-length" in {name.lower() for name in headers}) == binary


async def check_all_outputs_binary():
    got = await infer("softmax", [tensor("logits", LOGITS, True)], binary_data_output=True)
    assert_same(got.outputs[0], native("softmax", {"logits": LOGITS.tolist()})["probabilities"])


async def check_values_for_each_row():
    tau, mask = numpy.array([0.5, 1, 2, 4], numpy.float32), LOGITS > -4
    body = {"logits": LOGITS.tolist(), "tau": tau.tolist(), "mask": mask.tolist(), "seed": 5}
    for binary in (False, True):
        inputs = [tensor("logits", LOGITS, binary), tensor("tau", tau, binary), tensor("mask", mask, binary, "BOOL")]
        got = await infer("gumbel_softmax", inputs, seed=5)
        assert_same(got.outputs[0], native("gumbel_softmax", body)["samples"])


async def check_minus_infinity_goes_and_comes():
    logits = numpy.array([[3, 1, -numpy.inf, 2], [-numpy.inf, 0, 4, 5]])
    mask = numpy.array([[True, True, True, False], [True, False, True, True]])
    filters = {"top_k": 2, "logprobs": 3, "logprobs_of": "filtered", "seed": 7}
    masked = log_softmax(numpy.where(mask, logits, -numpy.inf))
    filtered = log_softmax(numpy.array([[3, 2, -numpy.inf], [5, 4, -numpy.inf]]))
    for binary in (False, True):
        inputs = [tensor("logits", logits, binary, "FP64"), tensor("mask", mask, binary, "BOOL")]
        got = await infer("log_softmax", inputs, binary_data_output=binary)
        assert_close(got.outputs[0], masked)
        wanted = [RequestedOutput(name, {"binary_data": binary}) for name in ("top_log_probabilities", "log_probabilities")]
        got = await infer("categorical", inputs[:1], wanted, **filters)
        assert_close(got.outputs[0], filtered)
        drawn = got.outputs[1].as_numpy()
        assert (numpy.isclose(drawn, filtered, rtol=1e-14, atol=0).sum(-1) == 1).all(), drawn


async def check_a_request_without_content_type():
    body = {"inputs": [{"name": "logits", "datatype": "FP32", "shape": [2], "data": [0, 0]}]}
    async with httpx.AsyncClient() as bare:
        answer = await bare.post(f"{URL}/v2/models/softmax/infer", content=json.dumps(body))
    assert "content-type" not in answer.request.headers and answer.json()["outputs"][0]["data"] == [0.5, 0.5]


async def check_errors_are_told():
    cases = [("softmax", {"temperature": -1}, 400, "/parameters/temperature: must be from 0"),
             ("gumbel_softmax", {"temperature": 1}, 400, "/parameters/temperature"), ("nope", {}, 404, "no such route")]
    for model, parameters, status, words in cases:
        try:
            await infer(model, [tensor("logits", LOGITS, False)], **parameters)
            raise AssertionError(f"{model}: nothing was refused")
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == status and words in str(error), error


def main():
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                asyncio.run(check())
                print("ok", name)
            except Exception as error:  # any of them is a failure of that check alone
                traceback.print_exc()
                print("not ok", name, repr(error)[:200])


main()
