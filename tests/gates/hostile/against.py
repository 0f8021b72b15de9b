"""Attacks against the limits that are shipped, in a cgroup, beside a client that does nothing wrong."""

import collections
import re
import time

from adversary import Adversary
from attack_requests import SMALL
from checks import check, check_time, row, title
from deployment import COMPOSE, Limits
from load import Load
from server import Server
from wire import ask

RATE = 50             # requests a second of each good client
QUIET_S = 4
MOST_OF_BUDGET = 1.1
MOST_OF_QUIET = 3
FLOOR_MS = 40         # what a machine of two processors, busy with server and attack, takes now and then by itself
ANSWERED = 0.99
REST_S = 15
KEPT_BYTES = 1 << 20
BUDGET_SHARE = 0.75
REASONED = re.compile(r"[12]\d\d|[45]\d\d \w+")
OURS = ("left", "open", "no port left")  # how a connection may end by itself, or not at all
CLOSED = ("closed", "reset")
IMPATIENT = ("--head-timeout-s", "1", "--min-rate-grace-s", "1")  # so that little time shows what is cut off
WIDTHS = (24, 9, 9, 9, 9, 9, 7, 7)


class GoodClients:
    """Two clients that ask for little at a fixed rate: one with new connections, one that keeps its own."""

    def __init__(self, server, seconds, expected):
        common = {"seconds": seconds, "rate": RATE, "timeout_ms": 5000, "expected": expected}
        self.fresh = Load(server.port, SMALL, fresh=True, **common)
        self.kept = Load(server.port, SMALL, connections=4, **common)

    def results(self):
        return [self.fresh.result(), self.kept.result()]


def worst_ms(results, quantile):
    return max(result.ms(quantile) for result in results)


class Arena:
    """A server that is attacked, started anew when an attack has ended it."""

    def __init__(self, memory, flags):
        self.memory, self.flags, self.server = memory, flags, None
        self.environment = COMPOSE.environment()
        self.limits = Limits(self.environment, memory * BUDGET_SHARE)

    def begin(self):
        """A living server, quiet and known."""
        if self.server and self.server.alive():
            return
        self.close()
        self.server = Server(self.flags, self.environment, self.memory)
        self.expected = ask(self.server.port, SMALL).body
        twice = [GoodClients(self.server, QUIET_S / 2, self.expected).results() for _ in range(2)]
        self.quiet = min(twice, key=lambda results: worst_ms(results, "p99"))
        self.kept = self.server.metrics()["gumbeld_memory_bytes"]
        self.budget = self.server.metrics().get("gumbeld_memory_limit_bytes") or self.memory * BUDGET_SHARE

    def close(self):
        if self.server:
            self.server.close()
            self.server = None


def run(attacks, memory, seconds, slow_seconds, flags=()):
    """All `attacks` in `memory` bytes, each for so many seconds; those that the server has to cut off for others."""
    title(f"{len(attacks)} attacks in {memory >> 20} MB")
    arena = Arena(memory, flags)
    arena.begin()
    if arena.server.group.folder is None:
        print("no cgroup can be made here: resident memory is measured, but not limited")
    print(f"budget {arena.budget / 2**20:.0f} MB; quiet: p50 {worst_ms(arena.quiet, 'p50'):.2f} ms, "
          f"p99 {worst_ms(arena.quiet, 'p99'):.2f} ms")
    row("attack", "peak MB", "group MB", "p50 ms", "p99 ms", "answered", "alive", "rest s", "outcomes", widths=(*WIDTHS, 0))
    for attack in attacks:
        arena.begin()
        one(arena, attack, slow_seconds if attack.slow else seconds)
    arena.close()


def one(arena, attack, seconds):
    server = arena.server
    server.forget_peak()
    closed_before = closed_by_reason(server)
    adversary = Adversary(attack, arena.limits, server.port, seconds)
    good = GoodClients(server, seconds, arena.expected).results()
    outcome = adversary.finish()
    peak, group_peak = server.resident_peak(), server.group.peak()
    rest, left = wait_for_rest(server, arena.kept)
    print_row(attack, server, good, outcome, peak, group_peak, rest)
    judge_server(arena, attack, peak, left)
    judge_good_clients(arena, attack, good)
    judge_outcomes(attack, outcome, closed_by_reason(server) - closed_before)


def closed_by_reason(server):
    """How many connections the server has closed for each reason, by its metrics."""
    pattern = re.compile(r'gumbeld_connections_closed_total{reason="(\w+)"}')
    counts = {pattern.fullmatch(name): count for name, count in server.metrics().items()}
    return collections.Counter({found[1]: count for found, count in counts.items() if found})


def wait_for_rest(server, kept):
    """Waits until nothing of the attack is left, and the requests' memory is what it was, `kept`: (seconds, what is left)."""
    began = time.monotonic()
    while True:
        metrics, seconds = server.metrics(), time.monotonic() - began
        left = what_is_left(metrics, kept) if metrics else {"an answer": 0}
        if not left or seconds > REST_S or not server.alive():
            return seconds, left
        time.sleep(0.05)


def what_is_left(metrics, kept):
    """The question is itself a request, on a connection."""
    allowed = {"gumbeld_connections": 1, "gumbeld_requests_in_flight": 1, "gumbeld_requests_queued": 0,
               "gumbeld_streams": 0, "gumbeld_memory_bytes": kept + KEPT_BYTES}
    return {name: metrics[name] for name, most in allowed.items() if metrics[name] > most}


def print_row(attack, server, good, outcome, peak, group_peak, rest):
    answered = min(result.answered for result in good)
    row(attack.name, f"{peak / 2**20:.0f}", f"{group_peak / 2**20:.0f}" if group_peak else "?",
        f"{worst_ms(good, 'p50'):.2f}", f"{worst_ms(good, 'p99'):.2f}", f"{answered:.1%}", "yes" if server.alive() else "NO",
        f"{rest:.1f}", in_words(outcome), widths=(*WIDTHS, 0))


def in_words(outcome):
    counts = sorted(outcome["outcomes"].items(), key=lambda item: -item[1])
    return ", ".join(f"{what}: {count}" for what, count in counts[:5])


def judge_server(arena, attack, peak, left):
    alive = arena.server.alive()
    check(alive, f"{attack.name}: the server lives", quiet=True)
    check(peak <= MOST_OF_BUDGET * arena.budget, quiet=True,
          line=f"{attack.name}: {peak / 2**20:.0f} MB resident, at most {MOST_OF_BUDGET} times the budget")
    check(not alive or not left, f"{attack.name}: nothing of it is left after {REST_S} s: {left}", quiet=True)


def judge_good_clients(arena, attack, good):
    for name, quiet, result in zip(("new connections", "kept connections"), arena.quiet, good):
        check(result.answered >= ANSWERED and not result.different, quiet=True,
              line=f"{attack.name}: {result.answered:.1%} answered on {name} ({result.ends()})")
        allowed = max(MOST_OF_QUIET * quiet.ms("p99"), FLOOR_MS)
        check_time(result.ms("p99") <= allowed, quiet=True,
                   line=f"{attack.name}: p99 {result.ms('p99'):.1f} ms on {name}, at most {allowed:.1f} ms")


def judge_outcomes(attack, outcome, closed):
    """Every request is answered, or refused with a reason, or its connection is closed for a reason that is counted."""
    outcomes = outcome["outcomes"]
    without = [what for what in outcomes if not what.startswith(OURS + CLOSED) and not REASONED.fullmatch(what)]
    check(not without, f"{attack.name}: every refusal has its reason: {without}", quiet=True)
    unanswered = sum(count for what, count in outcomes.items() if what.startswith(CLOSED))
    by_itself = ("answered",) if attack.goodbye else ("answered", "client")
    told = sum(count for reason, count in closed.items() if reason not in by_itself)
    check(unanswered <= told, f"{attack.name}: {unanswered} closed without an answer, {told:.0f} of them with a reason", quiet=True)
    still_open = [what for what in outcomes if attack.slow and what.startswith("open")]
    check(not still_open, f"{attack.name}: cut off: {still_open}", quiet=True)
