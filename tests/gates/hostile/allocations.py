"""The server without memory: in each of several requests each allocation fails once.

Either the answer is the right one all the same, or it says 503 out_of_memory, or the connection is closed before any answer;
the server lives, and answers the next request."""

import collections
import gzip
import json
import mmap
import struct
import tempfile

from attack_requests import SMALL
from checks import check, row, title
from server import ROOT, Server, WORK
from wire import ask, call, logits, npy, post

LIBRARY = ROOT / "build" / "release" / "tests" / "scarce.so"
MOST = 3000
WIDTHS = (20, 8, 8, 8, 8)

TENSORS = {"inputs": [{"name": "logits", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]},
                      {"name": "tau", "shape": [2], "datatype": "FP32", "data": [1, 2]}],
           "parameters": {"seed": 3, "hard": True}, "outputs": [{"name": "samples"}]}
FILTERS = {"logits": logits(3, 100), "seed": 1, "top_k": 50, "top_p": 0.9, "min_p": 0.01, "typical_p": 0.9, "logprobs": 3,
           "return": ["indices", "log_probabilities", "scores"], "num_samples": 2, "logit_bias": {"1": 2}}
BATCH = {"requests": [{"id": "a", "function": "softmax", "body": {"logits": [1, 2, 3]}},
                      {"id": "b", "function": "categorical", "body": FILTERS}]}
LARGE = {"logits": logits(20, 1000), "seed": 1, "tau": 0.5}
VJP = {"function": "gumbel_softmax", "logits": logits(3, 3), "cotangent": logits(3, 3), "seed": 1, "hard": True, "tau": 0.5}

REQUESTS = {
    "small": SMALL,
    "npy, query": post("/v1/gumbel_softmax?tau=0.5&seed=7&hard=True", npy((1, 3)), content_type="application/x-npy"),
    "inference": post("/v2/models/gumbel_softmax/infer", json.dumps(TENSORS).encode()),
    "filters": call("categorical", FILTERS),
    "batch": call("batch", BATCH),
    "large": call("gumbel_softmax", LARGE),
    "gzip": post("/v1/gumbel_softmax", gzip.compress(json.dumps(LARGE).encode()),
                 ["Content-Encoding: gzip", "Accept-Encoding: gzip"]),
    "vjp": call("vjp", VJP),
    "problem": call("softmax", {"logits": [[1, 2], [3]]}),
}
SHORT = ("npy, query", "inference", "large")


class Plan:
    """Which allocation of the server is the next to fail."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(dir=WORK, suffix=".allocations")
        self.file.write(bytes(4096))
        self.file.flush()
        self.memory = mmap.mmap(self.file.fileno(), 4096)

    def set(self, until):
        struct.pack_into("ii", self.memory, 0, until, 0)

    def failed(self):
        return struct.unpack_from("ii", self.memory, 0)[1]


def start(plan):
    plan.set(0)
    environment = {"LD_PRELOAD": str(LIBRARY), "SCARCE_PLAN": plan.file.name}
    return Server(("--workers", "1", "--log-level", "error"), environment)


def try_to_ask(server, request):
    try:
        return ask(server.port, request, 5)
    except OSError:
        return None


def outcome(answer, right):
    if answer is None:
        return "closed"
    if (answer.status, plain(answer)) == (right.status, plain(right)):
        return "right"
    honest = answer.status == 503 and b"out_of_memory" in answer.body and b"retry-after" in answer.head.lower()
    return "503" if honest else f"{answer.status} {answer.body[:100]!r}"


def plain(answer):
    """Whether the answer is compressed may depend on what memory there is."""
    return gzip.decompress(answer.body) if b"content-encoding: gzip" in answer.head.lower() else answer.body


def try_all(server, plan, request):
    """How the answers were when the first, the second, ... allocation failed, up to one that was not asked for."""
    ask(server.port, request)
    right = ask(server.port, request)
    ends = collections.Counter()
    for until in range(1, MOST):
        plan.set(until)
        answer = try_to_ask(server, request)
        failed = plan.failed()
        plan.set(0)
        if not failed:
            break
        ends[outcome(answer, right)] += 1
        after = try_to_ask(server, SMALL)
        if not server.alive() or after is None or after.status != 200:
            ends[f"{'sick' if server.alive() else 'dead'} after the failure of allocation {until}"] += 1
            break
    return ends


def run(names):
    title("each allocation fails once")
    row("request", "failures", "right", "503", "closed", "", widths=(*WIDTHS, 0))
    plan = Plan()
    for name in names:
        with start(plan) as server:
            ends = try_all(server, plan, REQUESTS[name])
        wrong = {end: count for end, count in ends.items() if end not in ("right", "503", "closed")}
        row(name, ends.total(), ends["right"], ends["503"], ends["closed"], "; ".join(wrong), widths=(*WIDTHS, 0))
        check(not wrong and ends.total() > 0, f"{name}: right, honest or closed, and alive after {ends.total()} failures", quiet=True)
