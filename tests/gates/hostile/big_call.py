"""One large call: does it use all workers, and who waits for it?"""

import statistics
import time

from adversary import Adversary, Attack
from checks import check, check_time, row, title
from load import Load
from server import Server
from wire import ask, npy, post
from attack_requests import SMALL

ROWS, CLASSES = 256, 32000
LIMITS = ("--max-body-bytes", str(64 << 20), "--max-result-bytes", str(1 << 30), "--max-memory-bytes", str(2 << 30))
SAMPLES = "/v1/gumbel_softmax?seed=1&return=indices&num_samples="
CALLS = {"softmax": "/v1/softmax", "8 samples, indices": SAMPLES + "8", "16 samples, indices": SAMPLES + "16"}
FASTER = {"computing": 1.7, "8 samples, indices": 1.6}
RATE = 50
MOST_OF_ALONE = 2
FLOOR_MS = 25  # what a machine whose processors are all busy with the call takes now and then by itself
WIDTHS = (22, 12, 12, 8)


def request(path):
    floats = b"".join(bytes((0, 0, exponent, 63)) for exponent in range(64, 128)) * (ROWS * CLASSES // 64)
    return post(path, npy((ROWS, CLASSES), floats), ["Accept: application/x-npy"], "application/x-npy")


def measure(workers, rounds):
    """Seconds of each call, medians, and of the computing of eight samples, which is what eight more take; the answers."""
    seconds, bodies = {}, {}
    with Server(("--workers", str(workers), *LIMITS)) as server:
        for name, path in CALLS.items():
            times, sent = [], request(path)
            for _ in range(rounds):
                began = time.monotonic()
                answer = ask(server.port, sent)
                times.append(time.monotonic() - began)
            check(answer.status == 200, f"{name} with {workers} workers: {answer.status} {answer.reason}", quiet=True)
            seconds[name], bodies[name] = statistics.median(times), answer.body
    seconds["computing"] = seconds["16 samples, indices"] - seconds["8 samples, indices"]
    return seconds, bodies


def run(rounds, seconds):
    title(f"one call of [{ROWS},{CLASSES}]")
    one, one_bodies = measure(1, rounds)
    two, two_bodies = measure(2, rounds)
    check(one_bodies == two_bodies, "the bits with 1 and with 2 workers are the same")
    row("", "1 worker, s", "2 workers, s", "ratio", widths=WIDTHS)
    for name in one:
        row(name, f"{one[name]:.3f}", f"{two[name]:.3f}", f"{one[name] / two[name]:.2f}", widths=WIDTHS)
    for name, least in FASTER.items():
        check_time(one[name] >= least * two[name], f"{name}: {one[name] / two[name]:.2f} times as fast with 2, at least {least}")
    beside(seconds)


def beside(seconds):
    with Server(("--workers", "2", *LIMITS)) as server:
        alone = Load(server.port, SMALL, seconds=seconds, rate=RATE).result()
        attack = Attack("big", "", 1, lambda limits: request(CALLS["8 samples, indices"]), again=True)
        adversary = Adversary(attack, None, server.port, seconds)
        beside_it = Load(server.port, SMALL, seconds=seconds, rate=RATE).result()
        calls = adversary.finish()["outcomes"]
    allowed = max(MOST_OF_ALONE * alone.ms("p99"), FLOOR_MS)
    check(beside_it.answered == 1 and calls.get("200", 0) > 0, f"small requests beside it are answered; {calls}")
    check_time(beside_it.ms("p99") <= allowed, f"small requests beside it: p50 {beside_it.ms('p50'):.2f} ms, p99 {beside_it.ms('p99'):.2f} ms, at most "
          f"{allowed:.2f} ms (alone {alone.ms('p50'):.2f}, {alone.ms('p99'):.2f})")
