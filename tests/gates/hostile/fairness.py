"""One client beside another that wants all: long jobs, or many connections."""

import os

from adversary import Adversary, Attack, NICE
from attack_requests import long_categorical, share_of_workers
from checks import check, check_time, row, title
from deployment import Limits
from load import Load
from server import Server
from wire import call, logits

MIDDLE = call("softmax", {"logits": logits(8, 1000)})
RATE = 20
JOBS = (2, 4, 16)
MOST_P90_MS = 200
HOG_CONNECTIONS = 64
MOST_OF_QUIET_P50 = 5
WIDTHS = (44, 9, 9, 9, 9)


def lower():
    os.nice(NICE)


def middle_client(server, seconds):
    return Load(server.port, MIDDLE, seconds=seconds, rate=RATE, connections=16, timeout_ms=30000)


def beside_jobs(server, limits, jobs, seconds):
    attack = Attack("long", "", jobs, long_categorical, again=True)
    adversary = Adversary(attack, limits, server.port, seconds)
    result = middle_client(server, seconds).result()
    adversary.finish()
    return result


def beside_hog(server, limits, source, seconds):
    """The client of [8,1000] beside one with 64 connections of [16,1000]."""
    hog = Load(server.port, share_of_workers(limits), seconds=seconds, connections=HOG_CONNECTIONS, source=source,
               before_exec=lower)
    result = middle_client(server, seconds).result()
    hog.result()
    return result


def print_row(name, result):
    row(name, *(f"{result.ms(quantile):.2f}" for quantile in ("p50", "p90", "p99")), f"{result.answered:.1%}", widths=WIDTHS)


def run(seconds, jobs=JOBS):
    title("fairness: a client of [8,1000] beside")
    limits = Limits({})
    row("", "p50 ms", "p90 ms", "p99 ms", "answered", widths=WIDTHS)
    with Server() as server:
        quiet = middle_client(server, seconds).result()
        print_row("nobody", quiet)
        for count in jobs:
            result = beside_jobs(server, limits, count, seconds)
            print_row(f"{count} long jobs", result)
            check(result.answered == 1, f"{count} long jobs: all are answered; {result.ends()}")
            check_time(result.ms("p90") <= MOST_P90_MS,
                       f"{count} long jobs: p90 {result.ms('p90'):.0f} ms, at most {MOST_P90_MS} ms")
    with Server() as server:
        run_hogs(server, limits, quiet, seconds)


def run_hogs(server, limits, quiet, seconds):
    name = f"{HOG_CONNECTIONS} connections of [16,1000]"
    result = beside_hog(server, limits, "127.0.0.2", seconds)
    print_row(name, result)
    ratio = result.ms("p50") / quiet.ms("p50")
    check(result.answered == 1, f"{name}: all are answered; {result.ends()}")
    check_time(ratio <= MOST_OF_QUIET_P50,
               f"{name}: p50 {ratio:.1f} times the quiet one, at most {MOST_OF_QUIET_P50} times")
    print_row(f"{name}, same address", beside_hog(server, limits, None, seconds))
