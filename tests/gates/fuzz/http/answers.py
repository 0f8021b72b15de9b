"""Judges what came on a connection, by RFC 9112."""
import re

LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) [\x20-\x7e]*\r\n")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ ]?([\x20-\x7e\x80-\xff\t]*)\r\n")


def take_head(text):
    """(status, fields, rest), or None."""
    line = LINE.match(text)
    if not line:
        return None
    at, fields = line.end(), {}
    while field := FIELD.match(text, at):
        name = field[1].lower()
        if name in (b"content-length", b"transfer-encoding", b"connection") and name in fields:
            return None
        fields[name] = field[2]
        at = field.end()
    return (int(line[1]), fields, text[at + 2:]) if text[at:at + 2] == b"\r\n" else None


def take_chunks(text):
    """What follows the last chunk; None where it is cut or none."""
    while line := re.match(rb"([0-9A-Fa-f]+)\r\n", text):
        size = int(line[1], 16)
        text = text[line.end() + size:]
        if text[:2] != b"\r\n":
            return None
        text = text[2:]
        if size == 0:
            return text
    return None


def take_body(status, fields, rest, may_be_head):
    """What follows the body; None where it is cut."""
    if status < 200 or status in (204, 304):
        return rest if b"content-length" not in fields and b"transfer-encoding" not in fields else None
    if may_be_head and (not rest or rest.startswith(b"HTTP/1.")):
        return rest
    if fields.get(b"transfer-encoding") == b"chunked":
        return take_chunks(rest)
    length = fields.get(b"content-length", b"")
    if not length.isdigit():
        return b"" if fields.get(b"connection", b"").lower() == b"close" else None
    return rest[int(length):] if len(rest) >= int(length) else None


def judge(sent, got):
    """(statuses, why it is wrong or None)."""
    statuses, closing = [], False
    while got:
        head = take_head(got)
        if head is None:
            return statuses, f"no answer's head: {got[:80]!r}"
        status, fields, rest = head
        if closing:
            return statuses, f"an answer after the last one: {status}"
        statuses.append(str(status))
        after = take_body(status, fields, rest, b"HEAD" in sent)
        if after is None:
            return statuses, f"the body of {status} is not what its head says: {got[:200]!r}"
        closing = fields.get(b"connection", b"").lower() == b"close"
        got = after
    final = [s for s in statuses if s >= "200"]
    if len(final) > sent.count(b"\n") + 1:
        return statuses, f"{len(final)} answers to {sent.count(b'HTTP/')} requests"
    if "500" in final:
        return statuses, "500"
    return statuses, None
