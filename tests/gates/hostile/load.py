"""Runs the load generator beside this process, so that Python's pace is no part of what is measured."""

import json
import subprocess
import tempfile

from server import ROOT, WORK

PROGRAM = ROOT / "build" / "release" / "tests" / "hostile-load"


class Load:
    """A running load of one request. `rate` 0: each connection asks again once it is answered. `before_exec` is called in
    the child."""

    def __init__(self, port, request, *, seconds, rate=0, connections=64, source=None, sources=1, fresh=False,
                 timeout_ms=10000, expected=None, before_exec=None):
        command = [str(PROGRAM), "-s", str(seconds), "-r", str(rate), "-c", str(connections), "-t", str(timeout_ms)]
        command += ["-a", source, "-n", str(sources)] if source else []
        command += ["-e", self._file("expected", expected)] if expected else []
        command += ["-f"] if fresh else []
        command += [str(port), self._file("request", request)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=before_exec)

    def _file(self, name, content):
        file = tempfile.NamedTemporaryFile(dir=WORK, suffix=f".{name}")
        file.write(content)
        file.flush()
        setattr(self, name, file)  # so that it lives as long as this
        return file.name

    def result(self):
        """Waits for the end."""
        output, _ = self.process.communicate()
        return Result(json.loads(output))


class Result:
    """What the load generator reports: see its `report`."""

    def __init__(self, report):
        self.report = report

    def __getattr__(self, name):
        return self.report[name]

    @property
    def answered(self):
        """Of all requests that were due, the share that got a 200."""
        due = self.sent + self.not_sent
        return self.statuses.get("200", 0) / due if due else 0

    def ms(self, quantile, kind="answered"):
        """A quantile of the times to answer, "answered" with 200 or "refused"; infinite where there are none."""
        return self.report.get(f"{kind}_ms", {}).get(quantile, float("inf"))

    def ends(self):
        """How the requests ended, by status or fault, in words."""
        faults = {name: self.report[name] for name in ("not_sent", "broken", "timed_out", "different")}
        counts = {**self.statuses, **{name: count for name, count in faults.items() if count}}
        return ", ".join(f"{name}: {count}" for name, count in counts.items())
