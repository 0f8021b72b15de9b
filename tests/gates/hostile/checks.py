"""Checks, counted; and tables of what was measured."""

passed = failed = 0
lenient = False  # a time that is too long is printed, but fails nothing: the machine may be doing something else


def check(right, line, quiet=False):
    """`quiet`: a line only if it fails."""
    global passed, failed
    if not right or not quiet:
        print("pass " if right else "FAIL ", line, flush=True)
    if right:
        passed += 1
    else:
        failed += 1


def check_time(right, line, quiet=False):
    """Of what depends on the machine."""
    if lenient and not right:
        print("SLOW ", line, flush=True)
    else:
        check(right, line, quiet)


def end():
    """The last line, and the exit status that belongs to it."""
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def title(line):
    print(f"\n== {line}", flush=True)


def row(*cells, widths):
    print("  ".join(f"{cell:>{width}}" if index else f"{cell:<{width}}"
                    for index, (cell, width) in enumerate(zip(cells, widths))).rstrip(), flush=True)
