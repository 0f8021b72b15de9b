"""Measures jitted JAX for the bench, in a process and a Python of its own: for each line "ROWS CLASSES TIMES" that it
reads it prints the seconds of one Gumbel-softmax of so many float32 logits, the mean of TIMES.

One thread on one processor; what counts is the time that the process computes."""

import os
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax  # noqa: E402  pylint: disable=wrong-import-position


@jax.jit
def gumbel_softmax(key, x):
    return jax.nn.softmax(x + jax.random.gumbel(key, x.shape), -1)


def main():
    arrays = {}
    print(f"jax {jax.__version__}", flush=True)
    for line in sys.stdin:
        *shape, times = map(int, line.split())
        key, shape = jax.random.key(7), tuple(shape)
        if shape not in arrays:
            arrays = {shape: jax.random.normal(key, shape) * 3}
            gumbel_softmax(key, arrays[shape]).block_until_ready()
        start = time.process_time()
        for _ in range(times):
            gumbel_softmax(key, arrays[shape]).block_until_ready()
        print((time.process_time() - start) / times, flush=True)


if __name__ == "__main__":
    main()
