"""Answers under /v2 against the OpenAPI documents of others, and against ours: published_documents.py URL [DOCUMENT...].

The Open Inference Protocol's is in the wheel of MLServer, as is that of Triton's model repository extension. More of them,
as files of JSON, may be named."""

import copy
import glob
import json
import pathlib
import re
import sys
import traceback
import urllib.error
import urllib.request
import zipfile

import jsonschema
import referencing
import referencing.jsonschema

URL = sys.argv[1]
ROOT = pathlib.Path(__file__).resolve().parents[3]
WHEEL = ROOT / "build/mlserver"
MODELS = ["softmax", "log_softmax", "gumbel_softmax", "categorical", "vjp"]
# "bytes" is a type in MLServer's document, though in no JSON.
TYPES = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("bytes", lambda checker, value: False)
VALIDATOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=TYPES)


class Document:
    def __init__(self, name, content):
        self.name, self.content, self.checked = name, content, 0
        resource = referencing.Resource(content, referencing.jsonschema.DRAFT202012)
        self.registry = referencing.Registry().with_resource("urn:document", resource)
        # Triton's /v2/models/stats is of no model.
        self.paths = [(re.compile(re.sub(r"\$?\{[^/]*\}", "(?!stats)[^/]+", path).rstrip("/") + "/?"), operations)
                      for path, operations in content["paths"].items()]

    def schema(self, method, path, status):
        """That of the answer; an error's where the document has no such status; None where it has no such path."""
        for pattern, operations in self.paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                responses = operations[method.lower()]["responses"]
                known = responses.get(str(status)) or (responses.get("400") if status >= 400 else None)
                while known and "$ref" in known:
                    known = self.content["components"]["responses"][known["$ref"].rpartition("/")[2]]
                content = (known or {}).get("content", {}).get("application/json")
                return content and content["schema"]
        return None

    def errors(self, schema, answer):
        def located(part):
            if isinstance(part, dict):
                return {key: "urn:document" + value if key == "$ref" and isinstance(value, str) else located(value)
                        for key, value in part.items()}
            return [located(one) for one in part] if isinstance(part, list) else part
        return list(VALIDATOR(located(schema), registry=self.registry).iter_errors(answer))


def documents():
    (wheel,) = glob.glob(str(WHEEL / "mlserver-*.whl"))
    with zipfile.ZipFile(wheel) as files:
        for name in ("dataplane", "model_repository"):
            yield Document(name, json.loads(files.read(f"mlserver/rest/openapi/{name}.json")))
    for path in sys.argv[2:]:
        yield Document(path, json.loads(pathlib.Path(path).read_text()))
    with urllib.request.urlopen(f"{URL}/openapi.json") as answer:
        yield Document("ours", json.load(answer))


# ---- What is asked ------------------------------------------------------------------------------------------------

def tensor(name, datatype, shape, data):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


LOGITS = tensor("logits", "FP32", [2, 3], [1.5, None, -2, 0, 3, "-Infinity"])
WIDE = tensor("logits", "FP64", [2, 3], [[1.5, 0, -2], [0, 3, 1]])
MASK = tensor("mask", "BOOL", [3], [1, 0, 1])
COTANGENT = tensor("cotangent", "FP32", [2, 3], [1, 0, -1, 0, 1, 0])
OUTPUTS = {"softmax": ["probabilities"], "log_softmax": ["log_probabilities"],
           "gumbel_softmax": ["samples", "indices", "soft", "noise", "log_density"],
           "categorical": ["indices", "log_probabilities", "scores", "filtered_log_probabilities", "ranks", "kept",
                           "kept_mass", "entropy", "top_indices", "top_log_probabilities", "class_log_probabilities"],
           "vjp": ["grad_logits", "grad_tau"]}
CLASSIFIED = {"softmax": "probabilities", "log_softmax": "log_probabilities", "gumbel_softmax": "soft"}
PARAMETERS = {"gumbel_softmax": {"seed": 7, "tau": 0.5}, "categorical": {"seed": 7, "logprobs": 2, "logprobs_for": "[0, 2]", "num_samples": 2},
              "vjp": {"function": "gumbel_softmax", "seed": 7}}


def inferences(model):
    more = [COTANGENT] if model == "vjp" else []
    parameters = PARAMETERS.get(model, {})
    for logits in (LOGITS, WIDE):
        yield {"inputs": [logits, *more], "parameters": parameters}
        yield {"id": "42", "inputs": [logits, MASK, *more], "parameters": {**parameters, "dtype": "float64"}}
        yield {"inputs": [logits, *more], "parameters": parameters, "outputs": [{"name": name} for name in OUTPUTS[model]]}
    if model in CLASSIFIED:
        outputs = [{"name": CLASSIFIED[model], "parameters": {"classification": 2}}]
        yield {"inputs": [LOGITS], "parameters": parameters, "outputs": outputs}
    if model == "gumbel_softmax":
        yield {"inputs": [LOGITS, tensor("tau", "FP32", [2, 1], [0.5, 2]), tensor("seed", "UINT64", [2], [1, 2])]}
    yield {"inputs": [tensor("logits", "FP32", [2], [None, None])], "parameters": {"on_invalid": "nan", **parameters}}
    yield {"inputs": [tensor("logits", "FP32", [2], [None, None]), *more], "parameters": parameters}
    yield {"inputs": []}
    yield {"inputs": [LOGITS, *more], "parameters": {**parameters, "temprature": 1}}
    yield {"inputs": [LOGITS, *more], "outputs": [{"name": "nope"}]}
    yield {}


def questions():
    """Method, path, body."""
    for path in ("/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models", "/v2/models/stats", "/v2/models/nope",
                 "/v2/models/softmax/versions/9", "/v2/models/softmax/infer", "/v2/nope"):
        yield "GET", path, None
    for body in (b"", b"{}", b'{"ready": true}', b'{"ready": 1}'):
        yield "POST", "/v2/repository/index", body
    yield "POST", "/v2/models/nope/infer", b"{}"
    for model in MODELS:
        for root in (f"/v2/models/{model}", f"/v2/models/{model}/versions/1"):
            for end in ("", "/ready", "/config", "/stats"):
                yield "GET", root + end, None
            for body in (b"{", *(json.dumps(body).encode() for body in inferences(model))):
                yield "POST", root + "/infer", body


def ask(method, path, body, content_type="application/json"):
    """Without a Content-Type, urllib calls the body a form."""
    request = urllib.request.Request(URL + path, body, {"Content-Type": content_type} if content_type else {}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


# ---- Checks -------------------------------------------------------------------------------------------------------

DOCUMENTS = list(documents())
ANSWERS = [(method, path, body, *ask(method, path, body)) for method, path, body in questions()]


def check_answers_are_as_the_documents_say():
    for document in DOCUMENTS:
        statuses = {}
        for method, path, body, status, answer in ANSWERS:
            schema = document.schema(method, path, status)
            if schema is None:
                continue
            errors = document.errors(schema, answer)
            assert not errors, (document.name, method, path, body, status, errors[0].message)
            statuses[status] = statuses.get(status, 0) + 1
        assert statuses.get(200, 0) > 1 and max(statuses) < 500, (document.name, statuses)
        print(f"# {document.name}: {sum(statuses.values())} of {len(ANSWERS)} answers are described, and valid: {statuses}")


def check_errors_say_what_is_wrong():
    for method, path, body, status, answer in ANSWERS:
        assert status == 200 or (isinstance(answer["error"], str) and answer["error"]), (method, path, body, answer)


def check_what_is_called_a_form_is_json():
    for method, path, body, status, answer in ANSWERS:
        if method == "POST":
            assert ask(method, path, body, content_type=None) == (status, answer), (path, body)


def check_each_kind_of_answer_is_asked_for():
    asked = {(path.rsplit("/", 1)[-1] if "infer" in path else path, status) for _, path, _, status, _ in ANSWERS}
    assert {("infer", 200), ("infer", 400), ("infer", 404), ("infer", 405), ("infer", 422)} <= asked, asked


def check_what_lacks_a_member_is_refused():
    """So the documents are able to refuse."""
    refused = {document.name: 0 for document in DOCUMENTS}
    for document in DOCUMENTS:
        for method, path, _, status, answer in ANSWERS:
            schema = document.schema(method, path, status) if status == 200 else None
            if schema is None:
                continue
            for spoiled in (0, [0], {} if isinstance(answer, dict) else [{}]):
                refused[document.name] += bool(document.errors(schema, spoiled))
            if "outputs" in answer and path.endswith("/infer"):
                for member in ("name", "shape", "datatype"):
                    broken = copy.deepcopy(answer)
                    del broken["outputs"][0][member]
                    assert document.errors(schema, broken), (document.name, path, member)
                    refused[document.name] += 1
    assert all(refused.values()), refused
    print(f"# refused, as they should be: {refused}")


def main():
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check()
                print("ok", name)
            except Exception as error:  # any of them is a failure of that check alone
                traceback.print_exc()
                print("not ok", name, repr(error)[:300])


main()
