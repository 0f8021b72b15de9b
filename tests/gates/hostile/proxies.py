"""Replicas behind HAProxy and nginx that retry: one is killed outright, and no client sees it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from attack_requests import SMALL
from checks import check, row, title
from load import Load
from server import Server, WORK
from wire import HOST, ask, call, logits

MIDDLE = call("gumbel_softmax", {"logits": logits(16, 1000), "seed": 7, "return": ["indices"]})
# HAProxy can repeat what fits into its buffer, here 256 KiB; neither can repeat what it has begun to answer.
REQUESTS = {"[1,10]": (SMALL, 200), "[16,1000], indices": (MIDDLE, 40)}  # and how many a second
BETWEEN_S = 0.7
WIDTHS = (10, 20, 7, 9, 9, 9)

HAPROXY = """
global
    tune.bufsize 262144
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    retries 3
    option redispatch 1
    option http-buffer-request
    retry-on all-retryable-errors
frontend clients
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk GET /readyz
    http-check send hdr Host 127.0.0.1
    default-server check inter 100ms fall 1 rise 1
{replicas}
"""
NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    upstream replicas {{
{replicas}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_connect_timeout 1s;
            proxy_next_upstream error timeout http_502 http_503 non_idempotent;
            proxy_next_upstream_tries 3;
        }}
    }}
}}
"""


def free_port():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return taken.getsockname()[1]


class Proxy:
    """A proxy before servers at fixed ports; a context manager."""

    def __init__(self, name, ports):
        self.port, self.folder = free_port(), tempfile.TemporaryDirectory(dir=WORK)
        path = Path(self.folder.name) / "configuration"
        if name == "haproxy":
            replicas = [f"    server replica{number} {HOST}:{port}" for number, port in enumerate(ports)]
            path.write_text(HAPROXY.format(port=self.port, replicas="\n".join(replicas)))
            command = [program("haproxy"), "-db", "-f", path]
        else:
            replicas = [f"        server {HOST}:{port} max_fails=0;" for port in ports]
            path.write_text(NGINX.format(port=self.port, folder=self.folder.name, user="user root;" if os.geteuid() == 0 else "", replicas="\n".join(replicas)))
            command = [program("nginx"), "-p", self.folder.name, "-c", path, "-e", f"{self.folder.name}/error.log"]
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *map(str, command)], stderr=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + 10
        while not self.answers():
            if time.monotonic() > deadline:
                raise RuntimeError("the proxy does not answer")
            time.sleep(0.1)
        return self

    def answers(self):
        try:
            return ask(self.port, SMALL).status == 200
        except (OSError, AttributeError):
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def program(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


class Replicas:
    """Two servers at ports of their own, each started anew after it was killed."""

    def __init__(self):
        self.ports = [free_port(), free_port()]
        self.servers = [self.start(port) for port in self.ports]

    def start(self, port):
        return Server(port=port)

    def kill(self, number):
        self.servers[number].process.kill()
        self.servers[number].close()
        time.sleep(BETWEEN_S / 2)
        self.servers[number] = self.start(self.ports[number])

    def close(self):
        for server in self.servers:
            server.close()


def behind(name, kills):
    replicas = Replicas()
    seconds = kills * 2 * BETWEEN_S + 1
    with Proxy(name, replicas.ports) as proxy:
        loads = {label: Load(proxy.port, request, seconds=seconds, rate=rate, connections=64,
                             expected=ask(replicas.ports[0], request).body)
                 for label, (request, rate) in REQUESTS.items()}
        for kill in range(kills):
            time.sleep(BETWEEN_S)
            replicas.kill(kill % 2)
        results = {label: load.result() for label, load in loads.items()}
    replicas.close()
    return results


def run(kills):
    title(f"{kills} times SIGKILL of one of two replicas behind a proxy that retries")
    row("proxy", "request", "kills", "answered", "p50 ms", "max ms", widths=WIDTHS)
    for name in ("haproxy", "nginx"):
        if not program(name):
            check(False, f"{name} is installed")
            continue
        for label, result in behind(name, kills).items():
            row(name, label, kills, f"{result.answered:.2%}", f"{result.ms('p50'):.1f}", f"{result.ms('max'):.1f}", widths=WIDTHS)
            check(result.answered == 1 and not result.different, f"{name}, {label}: none failed: {result.ends()}")
