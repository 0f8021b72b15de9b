"""Requests as bytes, and answers out of bytes."""

import json
import socket
import struct
from dataclasses import dataclass

HOST = "127.0.0.1"


def post(path, body=b"", headers=(), content_type="application/json", length=None):
    """A POST; `length` is what Content-Length announces, by default the body's length."""
    announced = len(body) if length is None else length
    return head("POST", path, [f"Content-Type: {content_type}", f"Content-Length: {announced}", *headers]) + body


def get(path, headers=(), method="GET"):
    return head(method, path, headers)


def head(method, path, headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]).encode()


def chunked(path, chunks, headers=()):
    """A POST whose body comes in chunks. The last chunk, of no bytes, is left to the caller."""
    parts = [head("POST", path, ["Content-Type: application/json", "Transfer-Encoding: chunked", *headers])]
    parts += [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join(parts)


LAST_CHUNK = b"0\r\n\r\n"


def call(function, body, headers=()):
    """A call of a function, its members given as a dictionary."""
    return post(f"/v1/{function}", json.dumps(body, separators=(",", ":")).encode(), headers)


def logits(rows, classes):
    return [[(3 * row + index) % 17 / 4 for index in range(classes)] for row in range(rows)]


def npy(shape, floats=None, descr="<f4"):
    """A .npy file that announces `shape`, of the bytes `floats`, by default zeros."""
    size = {"<f4": 4, "<f8": 8, "<f2": 2}[descr]
    for length in shape if floats is None else ():
        size *= length
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    text = text.ljust(-(-(11 + len(text)) // 64) * 64 - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + (bytes(size) if floats is None else floats)


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def reason(self):
        """The code of a problem, "" where the body is none."""
        try:
            return json.loads(self.body).get("code", "")
        except (ValueError, AttributeError):
            return ""


def read_answer(connection):
    """The next answer of a blocking socket, which has a Content-Length. None where the connection ends before it does."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return None
        received += piece
    answer_head, _, body = received.partition(b"\r\n\r\n")
    return _read_body(connection, answer_head, [body])


def _read_body(connection, answer_head, pieces):
    left = content_length(answer_head) - len(pieces[0])
    while left > 0:
        pieces.append(connection.recv(min(left, 1 << 20)))
        if not pieces[-1]:
            return None
        left -= len(pieces[-1])
    return Answer(int(answer_head[9:12]), answer_head, b"".join(pieces))


def content_length(answer_head):
    for line in answer_head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class AnswerReader:
    """Takes the bytes of answers as they come, one after the other; keeps of their bodies only what holds a reason."""

    KEPT = 4096

    def __init__(self, bodyless):
        self.bodyless = bodyless  # answers to HEAD
        self.status = 0           # of the answer that has begun; 0: none has
        self.begin()

    def begin(self):
        self.head, self.body, self.left = b"", b"", None

    def take(self, piece):
        """Yields a whole answer as (status, reason, whether the server closes then) each time that one is there."""
        while piece:
            if self.left is None:
                piece = self._take_head(piece)
                if self.left is None:
                    return
            count = len(piece) if self.left == float("inf") else min(self.left, len(piece))
            self.left -= count
            self.body = (self.body + piece[:count])[:self.KEPT] if not self.chunked else (self.body + piece)[-7:]
            piece = piece[count:]
            if self.left == 0 or self.chunked and self.body.endswith(b"\r\n" + LAST_CHUNK):
                yield self.status, Answer(self.status, self.head, self.body).reason, b"connection: close" in self.head.lower()
                self.status = 0
                self.begin()

    def _take_head(self, piece):
        """What follows the head in the piece."""
        self.head, end, rest = (self.head + piece).partition(b"\r\n\r\n")
        if not end:
            return b""
        self.status = int(self.head[9:12]) if self.head[9:12].isdigit() else 0
        self.chunked = b"transfer-encoding: chunked" in self.head.lower()
        empty = self.bodyless or self.status < 200
        self.left = 0 if empty else float("inf") if self.chunked else content_length(self.head)
        return rest


def ask(port, request, timeout=30):
    """One request on a connection of its own."""
    with socket.create_connection((HOST, port), timeout) as connection:
        connection.sendall(request)
        return read_answer(connection)
