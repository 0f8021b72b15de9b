"""What the files of deploy/ ship: the server's environment and its memory."""

import re
import subprocess
from dataclasses import dataclass

from server import BINARY, ROOT

DEPLOY = ROOT / "deploy"
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Deployment:
    """A file of deploy/: where the memory and the variables are in it."""

    name: str
    memory: str     # patterns: a number and its unit
    variable: str   # a name and its value

    def text(self):
        lines = (DEPLOY / self.name).read_text().splitlines()
        return "\n".join(line for line in lines if not line.lstrip().startswith("#"))

    def memory_bytes(self):
        number, unit = re.search(self.memory, self.text()).groups()
        return int(number) * UNITS[unit.lower()]

    def environment(self):
        return dict(re.findall(self.variable, self.text()))


COMPOSE = Deployment("compose.yaml", r"mem_limit: (\d+)([kmg])", r'(GUMBELD_\w+): "([^"]*)"')
SIDECAR = Deployment("kubernetes/sidecar.yaml", r"limits: \{cpu: \S+, memory: (\d+)([KMG])i\}",
                     r'name: (GUMBELD_(?!URL)\w+), value: "([^"]*)"')
UNIT = Deployment("systemd/gumbeld.service", r"MemoryMax=(\d+)([KMG])", r"Environment=\"?(GUMBELD_\w+)=([^\s\"]*)")
DEPLOYMENTS = (COMPOSE, SIDECAR, UNIT)


class Limits:
    """The values of the server's flags: the defaults that --help prints, and what an environment sets; and its budget."""

    def __init__(self, environment, budget=float("inf")):
        self.budget = budget
        text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
        words = " ".join(text.split())
        self.values = {name: value for name, value in re.findall(r"--([a-z-]+)=\S+ (?:(?!--).)*?\(default (\S+)\)", words)}
        for name, value in environment.items():
            self.values[name.removeprefix("GUMBELD_").lower().replace("_", "-")] = value

    def __getitem__(self, name):
        return int(self.values[name])
