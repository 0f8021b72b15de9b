"""SIGTERM under load: what has been sent whole is answered."""

import collections
import random
import socket
import threading
import time

from attack_requests import SMALL
from checks import check, row, title
from server import Server
from wire import HOST, call, logits, read_answer

CLIENTS = 16
MIDDLE = call("gumbel_softmax", {"logits": logits(30, 1000), "seed": 1})
LAME_DUCKS_MS = (0, 500)
LOAD_S = 0.4
WIDTHS = (12, 8, 9, 9, 9, 9, 9)


class Client(threading.Thread):
    """Asks again and again, with new connections or one that is kept, until no connection can be made."""

    def __init__(self, port, number):
        super().__init__(daemon=True)
        self.port, self.request = port, MIDDLE if number % 4 == 0 else SMALL
        self.fresh = number % 2 == 1
        self.ends = collections.Counter()

    def run(self):
        connection = None
        while True:
            try:
                connection = connection or socket.create_connection((HOST, self.port), 15)
            except OSError:
                return
            connection = self.ask(connection)
            time.sleep(random.random() * 0.004)

    def ask(self, connection):
        """The connection, while it can be used again."""
        try:
            connection.sendall(self.request)
            answer = read_answer(connection)
        except OSError:
            answer = None
        self.ends["lost" if answer is None else str(answer.status)] += 1
        if answer and not self.fresh and b"connection: close" not in answer.head.lower():
            return connection
        connection.close()
        return None


def drain(lame_duck_ms):
    """One server's life: (exit status, seconds from SIGTERM to the end, how the requests ended)."""
    with Server(("--lame-duck-ms", str(lame_duck_ms))) as server:
        clients = [Client(server.port, number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(LOAD_S + 0.1 * random.random())
        began = time.monotonic()
        status = server.close()
        seconds = time.monotonic() - began
        for client in clients:
            client.join()
    return status, seconds, sum((client.ends for client in clients), collections.Counter())


def run(rounds):
    title(f"{rounds} drains under load for each lame duck")
    row("lame duck", "drains", "200", "503", "lost", "exit 0", "slowest s", widths=WIDTHS)
    for lame_duck_ms in LAME_DUCKS_MS:
        drains = [drain(lame_duck_ms) for _ in range(rounds)]
        ends = sum((ends for _, _, ends in drains), collections.Counter())
        clean = sum(status == 0 for status, _, _ in drains)
        row(f"{lame_duck_ms} ms", rounds, ends["200"], ends["503"], ends["lost"], clean,
            f"{max(seconds for _, seconds, _ in drains):.2f}", widths=WIDTHS)
        check(ends["lost"] == 0 and ends["200"] > 0, f"lame duck {lame_duck_ms} ms: {ends['lost']} requests lost")
        check(clean == rounds, f"lame duck {lame_duck_ms} ms: {clean} of {rounds} ended with 0")
