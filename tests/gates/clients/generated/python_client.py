"""The client that openapi-python-client makes, in build/generated/python-client: each function is called."""

import importlib
import pkgutil
import sys

from examples import OUT, URL, check, check_operations, done, examples, request_type

sys.path.insert(0, str(OUT / "python-client"))

from gumbel_client import Client, api, models  # noqa: E402 (it has just been made)

client = Client(base_url=URL)
known = {name: importlib.import_module(f"gumbel_client.api.{tag}.{name}")
         for tag in ("functions", "inference", "service")
         for _, name, _ in pkgutil.iter_modules([f"{api.__path__[0]}/{tag}"])}
check_operations(known)


def call(operation, *path, body=None, **query):
    answer = known[operation].sync(*path, client=client, **({"body": body} if body else {}), **query)
    return answer.to_dict()


for operation, model, body, answer in examples():
    sent = getattr(models, request_type(operation)).from_dict(body)
    check(operation, call(operation, *filter(None, [model]), body=sent), answer)

# As one writes them.
body = models.SoftmaxRequest(logits=[[1, 2, 3], [0, None, "-Infinity"]], temperature=[1.0, 0.5], dtype=models.Dtype.FLOAT64)
check("softmax", call("softmax", body=body)["probabilities"][1], [1.0, 0.0, 0.0])
body = models.LogSoftmaxRequest(logits=[0, "-Infinity"])
check("log_softmax", call("log_softmax", body=body)["log_probabilities"], [0.0, "-Infinity"])
tau = models.ScheduleType0(schedule="exponential", start=1.0, min_=0.5, rate=3e-5, step=20000)
body = models.GumbelSoftmaxRequest(logits=[1, 2, 3], seed=7, tau=tau)
check("schedule", call("gumbel_softmax", body=body)["tau"], 0.5488116360940265)
bias = models.LogitBias.from_dict({"1": "-Infinity", "2": None})
body = models.CategoricalRequest(logits=[[[3, 2, 1]]], seed=2**53 - 1, logit_bias=bias)
answer = known["categorical"].sync(client=client, body=body)
check("categorical", [answer.seed, answer.indices, answer.shape], [2**53 - 1, [[[0]]], [1, 1, 1]])
body = models.VjpRequest(function=models.Function.SOFTMAX, logits=[1, 2, 3], cotangent=[1, 0, 0])
check("vjp", call("vjp", body=body)["grad_temperature"], 0.1418171)
body = models.GumbelSoftmaxRequest(logits=[[1, 2, 3], [4, 5, 6]])
answer = call("gumbel_softmax", body=body, seed="7,8", tau="0.5", hard=True, return_="indices,soft")
check("query", [answer["seed"], answer["tau"], answer["indices"], "samples" in answer], [[7, 8], 0.5, [2, 2], False])
problem = known["softmax"].sync(client=client, body=models.SoftmaxRequest(logits=[1, 2], temperature=-1.0))
check("problem", [problem.status, problem.code, problem.pointer], [400, "out_of_range", "/temperature"])

for operation in ("version", "openapi_json", "inference_server", "inference_models", "inference_live", "inference_ready",
                  "inference_statistics"):
    check(operation, bool(call(operation)), True)
for operation in ("inference_metadata", "inference_config", "inference_model_ready", "inference_model_statistics"):
    check(operation, bool(call(operation, "softmax")), True)
index = known["inference_index"].sync(client=client, body=models.RepositoryIndexRequest(ready=True))
check("index", sorted(one.name for one in index), sorted(models.ModelName))
done("openapi-python-client")
