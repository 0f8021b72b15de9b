"""The largest requests that each file of deploy/ admits run inside the memory that it gives."""

import gzip
import json

from checks import check, row, title
from deployment import DEPLOYMENTS, Limits
from server import Server
from wire import ask, call, logits, npy, post

HEADROOM = 1.1
STEPS = 6
BATCH = 100
WIDTHS = (24, 26, 10, 11, 9, 10)


def json_body(limits, share):
    """float64 of two bytes each: what takes most beside its text."""
    size = int(share * limits["max-body-bytes"])
    start, end = b'{"dtype":"float64","logits":[', b"1]}"
    return post("/v1/softmax", start + b"1," * ((size - len(start) - len(end)) // 2) + end)


def npy_body(limits, share):
    classes = int(share * (limits["max-body-bytes"] - 128)) // 4
    return post("/v1/softmax", npy((1, classes)), ["Accept: application/x-npy"], "application/x-npy")


def gzip_body(limits, share):
    body = json_body(limits, share).partition(b"\r\n\r\n")[2]
    return post("/v1/softmax", gzip.compress(body, 9), ["Content-Encoding: gzip", "Accept-Encoding: gzip"])


def result(limits, share, headers=()):
    count = int(share * min(limits["max-draws"], limits["max-result-bytes"] // 40))
    return call("gumbel_softmax", {"logits": logits(1, 10), "seed": 1, "num_samples": count}, headers)


def npy_result(limits, share):
    return result(limits, share, ["Accept: application/x-npy"])


def gzip_result(limits, share):
    return result(limits, share, ["Accept-Encoding: gzip"])


def every_result(limits, share):
    names = ["samples", "indices", "soft", "noise", "log_density"]
    count = int(share * min(limits["max-draws"], limits["max-result-bytes"] // (8 * 64)))
    return call("gumbel_softmax", {"logits": logits(1, 64), "seed": 1, "num_samples": count, "dtype": "float64", "return": names})


def indices(limits, share):
    count = int(share * min(limits["max-draws"], limits["max-result-bytes"] // 8))
    return call("categorical", {"logits": logits(1, 4), "seed": 1, "num_samples": count})


def batch(limits, share):
    count = int(share * limits["max-result-bytes"] // 40 // BATCH)
    body = {"logits": logits(1, 10), "seed": 1, "num_samples": count}
    calls = [{"id": str(number), "function": "gumbel_softmax", "body": body} for number in range(BATCH)]
    return call("batch", {"requests": calls})


def inference(limits, share):
    size = int(share * limits["max-body-bytes"]) - 200
    start = b'{"inputs":[{"name":"logits","datatype":"FP64","shape":[1,%d],"data":['
    count = (size - 90) // 2
    return post("/v2/models/softmax/infer", start % count + b"1," * (count - 1) + b"1]}]}")


REQUESTS = {"JSON body": json_body, "npy body": npy_body, "gzip body": gzip_body, "result": result, "npy result": npy_result,
            "gzip result": gzip_result, "every result": every_result, "indices": indices, "batch": batch, "inference": inference}
SHORT = ("JSON body", "result", "every result", "batch")


def largest(server, limits, make):
    """The largest share of the limits that is answered: (share, bytes asked, bytes answered, all statuses)."""
    low, high, statuses, best = 0.0, 1.0, set(), (0, 0, 0)
    for step in range(STEPS):
        share = high if step == 0 else (low + high) / 2
        request = make(limits, share)
        answer = ask(server.port, request, 120)
        statuses.add(answer.status if answer else "closed")
        if answer is None:
            break
        if answer.status == 200:
            low, best = share, (share, len(request), len(answer.body))
            if share == 1:
                break
        else:
            high = share
    return (*best, statuses)


def run(names, deployments=DEPLOYMENTS):
    title("the largest requests that deploy/ admits")
    row("file", "request", "of limit", "asked MB", "got MB", "peak MB", "budget MB", widths=(*WIDTHS, 10))
    for deployment in deployments:
        environment = deployment.environment()
        limits = Limits(environment)
        with Server((), environment, deployment.memory_bytes()) as server:
            budget = server.metrics().get("gumbeld_memory_limit_bytes") or 0.75 * deployment.memory_bytes()
            for name in names:
                if server.alive():
                    one(server, deployment, limits, budget, name)


def one(server, deployment, limits, budget, name):
    server.forget_peak()
    try:
        share, asked, got, statuses = largest(server, limits, REQUESTS[name])
    except OSError as error:
        share, asked, got, statuses = 0, 0, 0, {type(error).__name__}
    peak = server.resident_peak()
    row(deployment.name, name, f"{share:.0%}", f"{asked / 2**20:.1f}", f"{got / 2**20:.1f}", f"{peak / 2**20:.0f}",
        f"{budget / 2**20:.0f}", widths=(*WIDTHS, 10))
    where = f"{deployment.name}, {name}"
    check(server.alive() and statuses <= {200, 413} and share > 0, f"{where}: 200 or 413, and one is answered: {statuses}", quiet=True)
    check(peak <= HEADROOM * budget, f"{where}: {peak / 2**20:.0f} MB resident, at most {HEADROOM} times the budget", quiet=True)
