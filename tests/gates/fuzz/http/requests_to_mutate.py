"""Requests of all fronts and the raw cases of the tests, and what becomes of them."""
import gzip, json, re, struct

TOKENS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"%2F", b"%00", b"%", b"?", b"&", b"=", b"chunked",
          b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: localhost\r\n",
          b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"ffffffff\r\n",
          b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"GET ", b"HEAD ", b"POST ", b"OPTIONS ", b"*", b"http://localhost/",
          b"\r\n\r\n", b"\xff", b"-1", b"99999999999999999999", b"Cookie: a=b; c=d\r\n", b"Content-Encoding: gzip\r\n",
          b"Accept: application/x-ndjson\r\n", b"Accept-Encoding: gzip\r\n", b"X: \r\n y\r\n", b"Origin: null\r\n"]


def npy(rows):
    values = [value for row in rows for value in row]
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    head = head.ljust((len(head) + 10 + 64) // 64 * 64 - 11) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}f", *values)


def post(path, body, *fields):
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *fields, f"Content-Length: {len(body)}", "", ""]
                       ).encode() + body


def chunked(path, body, size, *fields):
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *fields, "Transfer-Encoding: chunked", "", ""]).encode()
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def valid():
    rows = [[float(i * j % 7) for j in range(8)] for i in range(8)]
    call = json.dumps({"logits": rows, "seed": 7}).encode()
    infer = json.dumps({"inputs": [{"name": "logits", "datatype": "FP32", "shape": [8, 8], "data": rows}]}).encode()
    batch = json.dumps({"requests": [{"id": "a", "function": "softmax", "body": {"logits": rows}}] * 3}).encode()
    yield from (f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                for path in ["/", "/livez", "/metrics", "/version", "/v2", "/v2/models/stats", "/v2/models/softmax"])
    for path, body, *fields in [("/v1/gumbel_softmax", call), ("/v1/categorical", call), ("/v1/batch", batch),
                                ("/v2/models/gumbel_softmax/infer", infer), ("/v2/repository/index", b"{}"),
                                ("/v1/gumbel_softmax?seed=7&tau=0.5", npy(rows), "Content-Type: application/x-npy"),
                                ("/v1/softmax", npy(rows), "Content-Type: application/x-npy", "Accept: application/x-npy"),
                                ("/v1/gumbel_softmax", call, "Accept: application/x-ndjson"),
                                ("/v1/gumbel_softmax", gzip.compress(call), "Content-Encoding: gzip"),
                                ("/v1/gumbel_softmax", call, "Accept-Encoding: gzip, identity;q=0")]:
        yield post(path, body, *fields)
        yield chunked(path, body, 50, *fields)


def decoded(text):
    """The bytes of a case in framing.txt."""
    names = {"n": b"\r\n", "l": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\"}
    out = b""
    for part in re.finditer(r"\\\((\d+)\*([^)]*)\)|\\x(..)|\\(.)|([^\\]+)", text, re.S):
        times, repeated, byte, name, plain = part.groups()
        out += (decoded(repeated) * int(times) if times else bytes([int(byte, 16)]) if byte else names[name] if name
                else plain.encode("latin-1"))
    return out


def all_cases(root):
    lines = (root / "tests/integration/framing.txt").read_text("latin-1").splitlines()
    raw = [decoded(line.split(None, 2)[2]) for line in lines if line and line[0] != "#"]
    return [case for case in raw if len(case) < 5000] + list(valid()) * 3


def change(random_, text):
    at = random_.randrange(len(text) + 1)
    to = min(len(text), at + random_.choice([1, 1, 2, 4, 16, 64]))
    way = random_.randrange(6)
    if way == 0:
        return text[:at] + random_.choice(TOKENS) + text[at:]
    if way == 1:
        return text[:at] + text[to:]
    if way == 2:
        return text[:at] + text[at:to] * random_.choice([2, 2, 3, 50]) + text[to:]
    if way == 3:
        return text[:at] + bytes([random_.randrange(256)]) + text[at + 1:]
    if way == 4:
        return text[:at] + random_.choice(TOKENS) + text[to:]
    digits = [m for m in re.finditer(rb"\d+", text)]
    if not digits:
        return text
    number = random_.choice(digits)
    other = str(max(0, int(number[0]) + random_.choice([-1, 1, 10, -10, 1 << 32]))).encode()
    return text[:number.start()] + other + text[number.end():]


def mutated(random_, cases):
    """One to four requests after one another, each changed in a few places or not at all."""
    text = b""
    for _ in range(random_.choice([1, 1, 1, 2, 4])):
        request = random_.choice(cases)
        for _ in range(random_.choice([0, 1, 1, 2, 3, 8])):
            request = change(random_, request)
        text += request
    return text or b"\r\n"
