"""A memory cgroup for a process, of version 1 or 2, made below the cgroup that this process is in."""

import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """At most `limit` bytes for the processes that join. `folder` is None where no group can be made."""

    def __init__(self, limit):
        self.folder = None
        for parent, limit_file, self.peak_file in _parents():
            folder = parent / f"gumbeld-hostile-{os.getpid()}-{time.monotonic_ns()}"
            if _make(folder, limit_file, limit):
                self.folder = folder
                return

    def join(self):
        """The calling process joins: for a child between fork and exec."""
        if self.folder:
            (self.folder / "cgroup.procs").write_text("0")

    def peak(self):
        """The most bytes that the group has held, the kernel's included; None where that is not known."""
        try:
            return int((self.folder / self.peak_file).read_text())
        except (OSError, TypeError):
            return None

    def forget_peak(self):
        """Where the kernel can."""
        try:
            (self.folder / self.peak_file).write_text("0")
        except (OSError, TypeError):
            pass

    def remove(self):
        if self.folder:
            self.folder.rmdir()
            self.folder = None


def _parents():
    """(folder, name of the limit, name of the peak) of each hierarchy that this process is in."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            yield ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes", "memory.max_usage_in_bytes"
        elif controllers == "":
            yield ROOT / path.lstrip("/"), "memory.max", "memory.peak"


def _make(folder, limit_file, limit):
    try:
        folder.mkdir()
    except OSError:
        return False
    try:
        with open(folder / limit_file, "r+") as file:  # which the kernel made, if the controller is on here
            file.write(str(limit))
        return True
    except OSError:
        folder.rmdir()
        return False
