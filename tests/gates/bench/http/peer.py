"""The peer of bench-http: two of gumbeld's routes as FastAPI and torch serve them.

The service a user would write in an afternoon, without handicaps: uvloop and httptools, async handlers, no model
validation, no access log, no gradients, one torch thread. Started by `bench`, which pins it to one core.
"""

import platform
import sys

import fastapi
import httptools
import numpy
import torch
import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

app = FastAPI()


@app.post("/v1/softmax")
async def softmax(request: Request):
    body = await request.json()
    with torch.inference_mode():
        logits = torch.tensor(body["logits"], dtype=torch.float32)
        probabilities = torch.softmax(logits / body.get("temperature", 1.0), dim=-1)
    return JSONResponse({"probabilities": probabilities.tolist(), "shape": list(logits.shape), "dtype": "float32"})


@app.post("/v1/gumbel_softmax")
async def gumbel_softmax(request: Request):
    body = await request.json()
    tau, seed = body.get("tau", 1.0), body.get("seed", 0)
    with torch.inference_mode():
        logits = torch.tensor(body["logits"], dtype=torch.float32)
        # torch.manual_seed seeds every other device as well: 117 us against 1 for the same CPU stream.
        torch.default_generator.manual_seed(seed)
        samples = torch.nn.functional.gumbel_softmax(logits, tau=tau, hard=body.get("hard", False), dim=-1)
    return JSONResponse({"samples": samples.tolist(), "shape": list(logits.shape), "dtype": "float32",
                         "seed": seed, "rng": "torch", "tau": tau})


def main():
    torch.set_num_threads(1)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, loop="uvloop", http="httptools", access_log=False,
                            log_level="warning")
    listener = config.bind_socket()
    listener.listen(config.backlog)
    modules = (torch, numpy, fastapi, uvicorn, uvloop, httptools)
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in modules)
    print(f"peer: listening on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr)
    print(f"peer: Python {platform.python_version()}, {versions}, {torch.backends.cpu.get_cpu_capability()} kernels",
          file=sys.stderr, flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
