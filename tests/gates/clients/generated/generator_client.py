"""The client that openapi-generator makes for Python, in build/generated/generator/python: each function is called."""

import sys

from examples import OUT, URL, check, check_operations, done, examples, request_type

sys.path.insert(0, str(OUT / "generator/python"))

import gumbel_client as made  # noqa: E402 (it has just been made)

client = made.ApiClient(made.Configuration(host=URL))
apis = [made.FunctionsApi(client), made.InferenceApi(client), made.ServiceApi(client)]
known = {name: getattr(api, name) for api in apis for name in dir(api) if not name.startswith("_")}
check_operations(known)


def present(value):
    """Without the members that the answer did not have, which the client gives as None where they may be any value."""
    if isinstance(value, dict):
        return {name: present(one) for name, one in value.items() if one is not None}
    return [present(one) for one in value] if isinstance(value, list) else value


def call(operation, *arguments, **query):
    return present(known[operation](*arguments, **query).to_dict())


for operation, model, body, answer in examples():
    sent = getattr(made, request_type(operation)).from_dict(body)
    check(operation, call(operation, *filter(None, [model]), sent), answer)

# As one writes them.
body = made.SoftmaxRequest(logits=[[1, 2, 3], [0, None, "-Infinity"]], temperature=made.Temperature([1.0, 0.5]))
check("softmax", call("softmax", body)["probabilities"][1], [1.0, 0.0, 0.0])
body = made.LogSoftmaxRequest(logits=[0, "-Infinity"])
check("log_softmax", call("log_softmax", body)["log_probabilities"], [0.0, "-Infinity"])
body = made.GumbelSoftmaxRequest(logits=[1, 2, 3], seed=made.Seed(7), tau=made.Tau(0.5))
check("gumbel_softmax", call("gumbel_softmax", body)["samples"], [2.8126316e-05, 0.0010330917, 0.9989388])
body = made.CategoricalRequest(logits=[[[3, 2, 1]]], seed=made.Seed(2**53 - 1), logit_bias={"1": "-Infinity", "2": None})
check("categorical", call("categorical", body)["indices"], [[[0]]])
body = made.VjpRequest(function=made.Function.SOFTMAX, logits=[1, 2, 3], cotangent=[1, 0, 0])
check("vjp", call("vjp", body)["grad_temperature"], 0.1418171)
body = made.GumbelSoftmaxRequest(logits=[[1, 2, 3], [4, 5, 6]])
answer = call("gumbel_softmax", body, seed="7,8", tau="0.5", hard=True, var_return="indices,soft")
check("query", [answer["seed"], answer["tau"], answer["indices"], "samples" in answer], [[7, 8], 0.5, [2, 2], False])
try:
    known["softmax"](made.SoftmaxRequest(logits=[[None]]))
except made.ApiException as refused:
    check("problem", [refused.status, refused.data.code, refused.data.pointer], [422, "invalid_row", "/logits/0"])

for operation in ("version", "inference_server", "inference_models", "inference_live", "inference_ready", "inference_statistics"):
    check(operation, bool(call(operation)), True)
for operation in ("inference_metadata", "inference_config", "inference_model_ready", "inference_model_statistics"):
    check(operation, bool(call(operation, "softmax")), True)
index = known["inference_index"](made.RepositoryIndexRequest(ready=True))
check("index", sorted(one.name for one in index), sorted(made.ModelName))
done("openapi-generator's Python")
