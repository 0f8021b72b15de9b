"""The server under test: a process in a memory cgroup, and what it says about itself."""

import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from cgroup import MemoryGroup
from wire import ask, get

ROOT = Path(__file__).resolve().parents[3]
BINARY = ROOT / "build" / "gumbeld"
WORK = ROOT / "build" / "hostile"
START_S = 10
END_S = 20

WORK.mkdir(parents=True, exist_ok=True)


class Server:
    """A running server; a context manager that ends it. `environment` and `flags` are its configuration. It compresses
    where it may, so that whoever accepts gzip makes it work."""

    def __init__(self, flags=(), environment=None, memory=None, before_exec=None, port=0):
        self.group = MemoryGroup(memory) if memory else None
        self.log = tempfile.NamedTemporaryFile(dir=WORK, suffix=".log")
        command = ["setpriv", "--pdeathsig", "KILL", str(BINARY), "--listen", f"127.0.0.1:{port}", "--admin-listen", "127.0.0.1:0",
                   "--gzip", "json", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.log, env=environment or {},
                                        preexec_fn=before_exec or self._join)
        self.port, self.admin_port = self._wait_for_ports()

    def _join(self):
        if self.group:
            self.group.join()

    def _wait_for_ports(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.alive():
            ports = dict(re.findall(r"(listening|admin) on http://127\.0\.0\.1:(\d+)", self.read_log()))
            if len(ports) == 2:
                return int(ports["listening"]), int(ports["admin"])
            time.sleep(0.01)
        self.close()
        raise RuntimeError(f"the server does not start: {self.read_log()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it, if it still runs. Its exit status, or the signal as a negative number."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        if self.group:
            self.group.remove()
        return status

    def alive(self):
        return self.process.poll() is None

    def read_log(self):
        return Path(self.log.name).read_text(errors="replace")

    def metrics(self):
        """The samples of /metrics by their names with labels; empty where it does not answer."""
        try:
            text = ask(self.admin_port, get("/metrics"), 5).body.decode()
        except (OSError, AttributeError):
            return {}
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines}

    def resident(self):
        return self._status("VmRSS")

    def resident_peak(self):
        """The most bytes resident since the last forget_peak."""
        return self._status("VmHWM")

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        if self.group:
            self.group.forget_peak()

    def _status(self, name):
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def connections(self):
        """Open descriptors that are sockets."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
