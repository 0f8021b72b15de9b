"""One process that attacks: many connections that do what an Attack says, by one epoll loop.

It runs at a lower priority than the server and the good client, since a real adversary has processors of its own.
"""

import collections
import errno
import itertools
import multiprocessing
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Callable

from wire import HOST, AnswerReader

NICE = 10
PIECE = 1 << 16
OPENED_A_TURN = 64
IP_BIND_ADDRESS_NO_PORT = 24
RESET = struct.pack("ii", 1, 0)
NOT_YET = (errno.EAGAIN, errno.ENOTCONN, errno.EINPROGRESS)


@dataclass(frozen=True)
class Attack:
    """What each of `connections` does: connects, sends `opening`, then `drip` each `every` seconds, and reads `read` bytes
    at each of those steps (None: whatever comes). `again` repeats it after each answer or end. `goodbye` is how it leaves
    once the opening has been sent: None stays, "close", "reset", or "half" (FIN, and reads on)."""

    name: str
    line: str                # what it tries
    connections: int
    opening: Callable        # bytes, for the Limits of the server
    drip: bytes = b""
    every: float = 0
    read: int | None = None
    again: bool = False
    goodbye: str | None = None
    receive_buffer: int = 0
    addresses: int = 1       # loopback addresses that the connections come from
    pipelined: int = 1       # how often the opening is sent at once
    slow: bool = False       # so slow that the server has to close it
    gate: bool = False       # a part of the short form


class Connection:
    """One connection of the attack; opened again and again, if the attack says so."""

    def __init__(self, field, source):
        self.field, self.source, self.attack = field, source, field.attack
        self.socket = None

    def open(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        if self.attack.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.attack.receive_buffer)
        self.socket.bind((self.source, 0))
        self.opened = time.monotonic()
        self.answers = AnswerReader(self.field.request.startswith(b"HEAD "))
        self.owed = 0            # answers
        self.begin()
        self.field.watch(self)
        if self.socket.connect_ex((HOST, self.field.port)) not in (0, errno.EINPROGRESS):
            self.ended("no port left")

    def begin(self):
        self.left = memoryview(self.field.request * self.attack.pipelined)
        self.owed += self.attack.pipelined
        self.said_goodbye = False
        self.due = time.monotonic() + self.attack.every

    def close(self):
        if self.socket:
            self.field.forget(self)
            self.socket.close()
            self.socket = None

    def keep_half_open(self):
        """The server has closed its half. The other one stays open to the end, so that the server, which asks the socket
        who closed it, is never taken for the second to do so."""
        self.field.forget(self)
        self.field.half_open.append(self.socket)
        self.socket = None

    # ---- Sending ----

    def send(self):
        while self.left:
            try:
                self.left = self.left[self.socket.send(self.left):]
            except OSError as error:
                if error.errno not in NOT_YET:
                    self.left = self.left[:0]  # the server has closed: what it said comes by receive
                return
        if self.attack.goodbye and not self.said_goodbye:
            self.say_goodbye()

    def say_goodbye(self):
        self.said_goodbye = True
        if self.attack.goodbye == "half":
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the server was faster
            return
        if self.attack.goodbye == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.ended("left")

    # ---- Receiving ----

    def receive(self, most):
        """Takes up to `most` bytes. False where nothing was there."""
        try:
            piece = self.socket.recv(most)
        except OSError as error:
            if error.errno not in NOT_YET:
                self.ended("reset" if error.errno == errno.ECONNRESET else errno.errorcode[error.errno])
            return False
        if not piece:
            self.ended("closed")
            return False
        self.field.bytes_in += len(piece)
        for status, reason, closes in self.answers.take(piece):
            self.on_answer(status, reason, closes)
        return True

    def on_answer(self, status, reason, closes):
        self.field.count(f"{status} {reason}".strip())
        self.owed -= status >= 200
        if status < 200 or not self.attack.again or not self.socket or self.said_goodbye:
            return
        if closes or self.left:
            self.ended("answered in part")
        elif self.attack.pipelined == 1:
            self.begin()
            self.send()

    def ended(self, how):
        if self.owed > 0:
            self.field.count(how)
        self.field.lives.append(time.monotonic() - self.opened)
        if how == "closed" and not self.attack.again:
            self.keep_half_open()
        self.close()
        if self.attack.again:
            self.field.waiting.append(self)

    # ---- Time ----

    def step(self, now):
        """What is due at this time."""
        self.due = now + self.attack.every
        if self.attack.drip and not self.left:
            self.left = memoryview(self.attack.drip)
            self.send()
        if self.socket and self.attack.read:
            self.receive(self.attack.read)


class Field:
    """All connections of one attack, and what became of them."""

    def __init__(self, attack, limits, port, first_address):
        self.attack, self.port = attack, port
        self.request = attack.opening(limits)
        self.poll = select.epoll()
        self.by_descriptor = {}
        self.half_open = []
        self.outcomes = collections.Counter()
        self.lives = []  # seconds from opening to the end, of those that ended
        self.bytes_in = 0
        sources = itertools.cycle(f"127.0.0.{first_address + index}" for index in range(attack.addresses))
        self.connections = [Connection(self, source) for _, source in zip(range(attack.connections), sources)]
        self.waiting = collections.deque(self.connections)

    def count(self, outcome):
        self.outcomes[outcome] += 1

    def watch(self, connection):
        reads = select.EPOLLIN if self.attack.read is None else select.EPOLLRDHUP
        self.by_descriptor[connection.socket.fileno()] = connection
        self.poll.register(connection.socket, reads | select.EPOLLOUT | select.EPOLLET)

    def forget(self, connection):
        self.poll.unregister(connection.socket)
        del self.by_descriptor[connection.socket.fileno()]

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.open_some()
            self.serve_events()
            self.take_steps()
        for connection in self.connections:
            self.look_at_last(connection)

    def open_some(self):
        for _ in range(min(len(self.waiting), OPENED_A_TURN)):
            self.waiting.popleft().open()

    def serve_events(self):
        for descriptor, events in self.poll.poll(0 if self.waiting else 0.02, 256):
            connection = self.by_descriptor.get(descriptor)
            if connection and events & select.EPOLLOUT:
                connection.send()
            if connection and connection.socket and events & ~select.EPOLLOUT:
                self.read_all(connection)

    def read_all(self, connection):
        """Until nothing is there, as the events are edges; one that does not read has been closed by the server."""
        same = connection.socket
        while connection.socket is same and connection.receive(PIECE):
            pass

    def take_steps(self):
        if not self.attack.every:
            return
        now = time.monotonic()
        for connection in self.connections:
            if connection.socket and connection.due <= now:
                connection.step(now)

    def look_at_last(self, connection):
        """What has come for a connection that is still open?"""
        if not connection.socket:
            return
        before = sum(self.outcomes.values())
        while connection.socket and connection.answers.status == 0 and connection.receive(PIECE):
            pass
        if connection.socket and connection.owed > 0 and sum(self.outcomes.values()) == before:
            self.count(f"open, {connection.answers.status or 'no answer'}")
        connection.close()


def _attack(attack, limits, port, first_address, seconds, result):
    os.nice(NICE)
    field = Field(attack, limits, port, first_address)
    field.run(seconds)
    result.send({"outcomes": dict(field.outcomes), "lives": field.lives, "bytes_in": field.bytes_in})


class Adversary:
    """An attack under way, in a process of its own, from 127.0.0.2 and on."""

    def __init__(self, attack, limits, port, seconds, first_address=2):
        self.result, end = multiprocessing.Pipe(duplex=False)
        arguments = (attack, limits, port, first_address, seconds, end)
        self.process = multiprocessing.Process(target=_attack, args=arguments, daemon=True)
        self.process.start()
        end.close()

    def finish(self):
        """What became of it: {"outcomes": how often each, "lives": seconds of the connections that ended, "bytes_in"}."""
        outcome = self.result.recv()
        self.process.join()
        return outcome
