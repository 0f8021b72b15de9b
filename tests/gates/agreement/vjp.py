#!/usr/bin/env python3
"""The core's gradients against torch.autograd, measured in another way than compare.py's, and tighter.

    vjp.py LIBCORE.SO

Errors are in roundings (2^-24, 2^-53) of the natural scale of each gradient: what its formula gives if all terms have
one sign. float32 is compared with torch's float64 of the same inputs; in float64 both sides err. The noise of
gumbel_softmax is the core's own, which torch adds to the logits. Ends with "N passed, N failed".
"""

import sys

import torch

from core import Core

# The greatest difference allowed, in roundings. gumbel_softmax's z has roundings of its own.
BOUNDS = {(dtype, name): bound for dtype in (torch.float32, torch.float64)
          for name, bound in (("softmax", 12), ("log_softmax", 8), ("gumbel_softmax", 20))}
ROUNDING = {torch.float32: 2.0 ** -24, torch.float64: 2.0 ** -53}
LEAST = {torch.float32: 2.0 ** -124, torch.float64: 2.0 ** -1020}  # probabilities below this may come out as 0
CLASSES = (1, 2, 3, 10, 63, 64, 100, 1000, 32000)
TEMPERATURES = (0.25, 0.7, 1.0, 5.0)
SEED = 7


def core_gradients(core, name, x, c, t):
    """(grad of the logits, of the temperature)."""
    if name == "gumbel_softmax":
        grads = core.gumbel_vjp(name, x.numpy(), c.numpy(), t, 1, SEED)
    else:
        grads = core.softmax_vjp(name, x.numpy(), c.numpy(), t)
    return [torch.from_numpy(grad) for grad in grads]


def torch_gradients(name, x, c, t):
    """The same by autograd, in float64, and the natural scales of both."""
    x, c = x.double().clone().requires_grad_(), c.double()
    temperature = torch.full((len(x), 1), t, dtype=torch.float64, requires_grad=True)
    logarithm = name == "log_softmax"
    y = (torch.log_softmax if logarithm else torch.softmax)(x / temperature, -1)
    grad, grad_t = torch.autograd.grad((y * c).sum(), (x, temperature))
    with torch.no_grad():
        y = y.exp() if logarithm else y
        terms = c.abs() + y * c.abs().sum(-1, keepdim=True) if logarithm else \
            y * (c.abs() + (y * c.abs()).sum(-1, keepdim=True))
        scale = terms / t
        distance = x.max(-1, keepdim=True).values - x
        # torch multiplies by x itself, whose sum with the gradients' errors does not cancel
        scale_t = (scale * (distance + x.abs())).sum(-1) / t
        # exp's argument is rounded in both, and with it y by as much as it is large
        scale = scale * (1 + (distance + x.abs()) / t)
        scale_t = scale_t * (1 + distance.max(-1).values / t)
    return (grad, grad_t[:, 0]), (scale, scale_t)


def compare(core, dtype, name, classes, t):
    """The greatest difference of both gradients, in roundings of their scales."""
    torch.manual_seed(classes)
    x = (3 * torch.randn(max(1, 20000 // classes), classes)).to(dtype)
    c = torch.randn(x.shape).to(dtype)
    z = x.double()
    if name == "gumbel_softmax":
        z = z + torch.from_numpy(core.gumbel_softmax(x.numpy(), 1, 1, SEED)["gumbel"]).double()
    theirs, scales = torch_gradients(name, z, c, t)
    ours = core_gradients(core, name, x, c, t)
    least = LEAST[dtype] * 2 * float(c.abs().max()) / t
    return [float(((a.double() - b).abs() / (ROUNDING[dtype] * s + least)).max())
            for a, b, s in zip(ours, theirs, scales)]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: vjp.py LIBCORE.SO")
    torch.set_num_threads(1)
    core, failed = Core(sys.argv[1]), 0
    print(f"torch {torch.__version__}: greatest differences in roundings of the natural scale")
    for (dtype, name), bound in BOUNDS.items():
        worst = [max(pair) for pair in zip(*(compare(core, dtype, name, classes, t)
                                             for classes in CLASSES for t in TEMPERATURES))]
        good = max(worst) <= bound
        failed += not good
        print(f"  {str(dtype)[6:]:<9}{name:<16}logits {worst[0]:8.2f}  temperature {worst[1]:8.2f}  allowed {bound}"
              f"{'' if good else '  FAILED'}")
    print(f"{len(BOUNDS) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
