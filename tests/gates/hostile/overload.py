"""More requests than the server can answer, from many clients, whatever the answers do."""

import os

from checks import check, check_time, row, title
from load import Load
from server import Server
from wire import ask, call, logits

REQUEST = call("gumbel_softmax", {"logits": logits(64, 1000), "seed": 7})
SOURCES = 16
CALIBRATING = 16      # connections
OPEN = 1500           # connections that the load may have
SHARES = (0.5, 1, 2, 3)
MOST_P50_MS = 50
LEAST_GOODPUT = 0.9
SERVER_CPU, LOAD_CPU = 0, 1
WIDTHS = (10, 9, 9, 9, 9, 11, 11)


def on(processor):
    """The load does not take the server's processor, as far as there are two."""
    return lambda: os.sched_setaffinity(0, {processor % os.cpu_count()})


def load(server, expected, **plan):
    return Load(server.port, REQUEST, source="127.0.0.2", sources=SOURCES, expected=expected, before_exec=on(LOAD_CPU), **plan)


def run(seconds):
    title("open loop: gumbel_softmax of [64,1000] from 16 clients")
    with Server(before_exec=on(SERVER_CPU)) as server:
        expected = ask(server.port, REQUEST).body
        capacity = load(server, expected, seconds=seconds, connections=CALIBRATING).result().goodput
        print(f"capacity {capacity:.0f}/s with {CALIBRATING} connections that ask again when they are answered")
        row("times", "asked/s", "goodput/s", "p50 ms", "p99 ms", "refused", "refused p50", "", widths=(*WIDTHS, 0))
        for share in SHARES:
            result = load(server, expected, seconds=seconds, rate=share * capacity, connections=OPEN).result()
            judge(share, share * capacity, capacity, result)


def judge(share, rate, capacity, result):
    refused = sum(count for status, count in result.statuses.items() if status != "200")
    row(share, f"{rate:.0f}", f"{result.goodput:.0f}", f"{result.ms('p50'):.1f}", f"{result.ms('p99'):.1f}", refused,
        f"{result.ms('p50', 'refused'):.2f}", result.ends(), widths=(*WIDTHS, 0))
    check_time(result.ms("p50") < MOST_P50_MS, f"{share} times: p50 {result.ms('p50'):.1f} ms, below {MOST_P50_MS}", quiet=True)
    least = LEAST_GOODPUT * min(rate, capacity)
    check_time(result.goodput >= least, f"{share} times: {result.goodput:.0f}/s answered, at least {least:.0f}", quiet=True)
    lost = result.broken + result.timed_out + result.different
    check(lost == 0, f"{share} times: every request is answered rightly, or refused: {result.ends()}", quiet=True)
