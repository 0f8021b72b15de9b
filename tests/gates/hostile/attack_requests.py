"""What the attacks send. Each is a function of the server's limits, and stays within them unless its name says otherwise."""

import gzip
import json
import zlib

from wire import call, chunked, get, head, logits, npy, post

MOST_CONDITIONAL_SAMPLES = 65536  # of the contract

SMALL = call("gumbel_softmax", {"logits": logits(1, 10), "tau": 0.5, "seed": 7})


def ten():
    return [list(range(10))]


def samples(limits, classes):
    """As many samples of a row as the limits allow and as leave room for others, each number counted with its text."""
    return int(min(limits["max-draws"], limits["max-result-bytes"] // (20 * classes), limits.budget // 4 // (20 * classes)))


# ---- Results ----

def large_result(limits, headers=()):
    return call("gumbel_softmax", {"logits": ten(), "seed": 1, "num_samples": samples(limits, 10)}, headers)


def largest_result(limits):
    """Refused, where the limit counts the text too."""
    return call("gumbel_softmax", {"logits": [list(range(31))], "seed": 1, "num_samples": limits["max-draws"]})


def every_result(limits):
    names = ["samples", "indices", "soft", "noise", "log_density"]
    count = samples(limits, 10 * len(names))
    return call("gumbel_softmax", {"logits": ten(), "seed": 1, "num_samples": count, "dtype": "float64", "return": names})


def gzip_result(limits):
    return large_result(limits, ["Accept-Encoding: gzip"])


def lines(limits):
    return large_result(limits, ["Accept: application/x-ndjson"])


def contract(limits):
    return get("/openapi.json")


# ---- Bodies ----

def body_of(limits, piece, end=b"", start=b'{"logits":['):
    """A body as large as is allowed, of one piece again and again."""
    return start + piece * ((limits["max-body-bytes"] - len(start) - len(end)) // len(piece)) + end


def all_but_last_byte(limits):
    return post("/v1/softmax", body_of(limits, b"1,"), length=limits["max-body-bytes"])


def announced(limits):
    return post("/v1/softmax", b"[", length=limits["max-body-bytes"])


def expects_continue(limits):
    return post("/v1/softmax", headers=["Expect: 100-continue"], length=limits["max-body-bytes"])


def many_rows(limits):
    return post("/v1/softmax", body_of(limits, b"[1],", b"[1]]}"))


def brackets(limits):
    return post("/v1/softmax", body_of(limits, b"["))


def many_members(limits):
    text = "{" + ",".join(f'"m{number}":0' for number in range(limits["max-body-bytes"] // 16)) + "}"
    return post("/v1/softmax", text.encode())


def escapes(limits):
    return post("/v1/softmax", body_of(limits, rb"\u00e9", b'":1}', b'{"'))


def terabytes_npy(limits):
    return post("/v1/softmax", npy((1 << 20, 1 << 20), b"\0" * 64), content_type="application/x-npy")


def terabytes_npy_chunked(limits):
    return chunked("/v1/softmax", [npy((1 << 20, 1 << 20), b"\0" * 64)], ["Content-Type: application/x-npy"])


def binary_sizes(limits, rows=1 << 31, size=(1 << 63) - 1):
    tensor = {"name": "logits", "datatype": "FP32", "shape": [rows, rows], "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [tensor]}).encode()
    return post("/v2/models/softmax/infer", text + bytes(64), [f"Inference-Header-Content-Length: {len(text)}"])


def long_query(limits):
    query = "&".join(f"p{number}=1" for number in range(1200))
    return post(f"/v1/softmax?{query}", npy((1, 10)), content_type="application/x-npy")


# ---- Encoded bodies ----

def encoded(path, body, encoding="gzip", length=None):
    return post(path, body, [f"Content-Encoding: {encoding}"], length=length)


def blanks(limits):
    return body_of(limits, b" ")


def gzip_bomb(limits):
    return encoded("/v1/softmax", gzip.compress(blanks(limits), 9))


def gzip_bomb_of_floats(limits):
    return encoded("/v1/softmax", gzip.compress(body_of(limits, b"1,", b"1]}"), 9))


def gzip_bomb_but_last_bytes(limits):
    bomb = gzip.compress(blanks(limits), 9)
    return encoded("/v1/softmax", bomb[:-8], length=len(bomb))


def gzip_bomb_nowhere(limits):
    return encoded("/v1/nothing", gzip.compress(blanks(limits), 9))


def deflate_bomb(limits):
    return encoded("/v2/models/softmax/infer", zlib.compress(blanks(limits), 9), "deflate")


def gzip_members(limits):
    """Nothing, compressed again and again."""
    member = gzip.compress(b"")
    return encoded("/v1/softmax", member * (limits["max-body-bytes"] // 8 // len(member)))


# ---- Work ----

def long_categorical(limits):
    draws = min(limits["max-draws"], limits["max-work"] // 1024)
    return call("categorical", {"logits": logits(1, 1024), "seed": 1, "num_samples": draws})


def long_vjp(limits):
    classes = 4096
    count = min(MOST_CONDITIONAL_SAMPLES, limits["max-work"] // classes)
    return call("vjp", {"function": "gumbel_softmax", "logits": logits(1, classes), "cotangent": logits(1, classes), "seed": 1,
                        "hard": True, "estimator": "gumbel_rao", "conditional_samples": count})


def ranking(limits):
    """Without replacement, with all filters and the most probable classes."""
    classes = 50000
    return call("categorical", {"logits": logits(1, classes), "seed": 1, "num_samples": classes // 10, "replacement": False,
                                "top_k": classes // 2, "top_p": 0.99, "min_p": 1e-9, "typical_p": 0.99, "logprobs": 20})


def long_batch(limits):
    body = {"logits": logits(1, 256), "seed": 1, "num_samples": 20000}
    calls = [{"id": str(number), "function": "categorical", "body": body} for number in range(limits["max-batch-requests"])]
    return call("batch", {"requests": calls})


def worker_sized(limits):
    return call("softmax", {"logits": logits(8, 1000)})


def share_of_workers(limits):
    return call("gumbel_softmax", {"logits": logits(16, 1000), "seed": 1})


# ---- Heads ----

def small(limits):
    return SMALL


def nothing(limits):
    return b""


def half_small(limits):
    return SMALL[:-20]


def begun_head(limits):
    return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "


def large_head(limits):
    return begun_head(limits) + b"a" * 31000


def begun_body(limits):
    return post("/v1/softmax", b"[", length=100000)


def begun_chunks(limits):
    return head("POST", "/v1/softmax", ["Content-Type: application/json", "Transfer-Encoding: chunked"])


def begun_chunks_nowhere(limits):
    return head("POST", "/v1/nothing", ["Content-Type: application/json", "Transfer-Encoding: chunked"])


def begun_trailers(limits):
    return chunked("/v1/softmax", [b'{"logits":[[1,2]]}']) + b"0\r\n"


def client_hello(limits):
    return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2


def head_request(limits):
    return get("/openapi.yaml", method="HEAD")


def options_request(limits):
    return get("/v1/softmax", method="OPTIONS")


def metrics(limits):
    return get("/metrics")
