#!/usr/bin/env python3
"""The core's gradients against torch.autograd: vjp.py LIBCORE.SO, with a Python that has torch.

Errors are in roundings (2^-24, 2^-53) of the natural scale of each gradient: what its formula gives if all terms have
one sign. float32 is compared with torch's float64 of the same inputs; in float64 both sides err. The noise of
gumbel_softmax is the core's own, which torch adds to the logits. Ends with "N passed, N failed".
"""

import ctypes
import sys
from ctypes import POINTER, Structure, byref, c_bool, c_double, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import torch

# The greatest difference allowed, in roundings. gumbel_softmax's z has roundings of its own.
BOUNDS = {(dtype, name): bound for dtype in (torch.float32, torch.float64)
          for name, bound in (("softmax", 12), ("log_softmax", 8), ("gumbel_softmax", 20))}
ROUNDING = {torch.float32: 2.0 ** -24, torch.float64: 2.0 ** -53}
LEAST = {torch.float32: 2.0 ** -124, torch.float64: 2.0 ** -1020}  # probabilities below this may come out as 0
CLASSES = (1, 2, 3, 10, 63, 64, 100, 1000, 32000)
TEMPERATURES = (0.25, 0.7, 1.0, 5.0)
SEED = 7


class PerRow(Structure):
    _fields_ = [("value", POINTER(c_double)), ("stride", c_size_t)]


class Mask(Structure):
    _fields_ = [("allowed", c_void_p), ("stride", c_size_t)]


class Noise(Structure):
    _fields_ = [("seed", POINTER(c_uint64)), ("stride", c_size_t), ("row_offset", c_uint32), ("draw", c_uint32)]


class SoftmaxVjp(Structure):
    _fields_ = [("logits", c_void_p), ("cotangent", c_void_p), ("rows", c_size_t), ("classes", c_size_t),
                ("temperature", PerRow), ("grad_logits", c_void_p), ("grad_temperature", c_void_p), ("mask", Mask),
                ("inner", c_size_t), ("dtype", c_int)]


class GumbelVjp(Structure):
    _fields_ = [("logits", c_void_p), ("cotangent", c_void_p), ("rows", c_size_t), ("classes", c_size_t),
                ("tau", PerRow), ("noise", Noise), ("conditional_samples", c_uint32), ("grad_logits", c_void_p),
                ("grad_tau", c_void_p), ("noise_scale", PerRow), ("mask", Mask), ("inner", c_size_t),
                ("dtype", c_int)]


class Gumbel(Structure):
    _fields_ = [("logits", c_void_p), ("rows", c_size_t), ("classes", c_size_t), ("tau", PerRow), ("hard", c_bool),
                ("noise", Noise), ("samples", c_void_p), ("mask", Mask), ("inner", c_size_t), ("scratch", c_void_p),
                ("noise_scale", PerRow), ("dtype", c_int), ("indices", c_void_p), ("soft", c_void_p),
                ("gumbel", c_void_p), ("log_density", c_void_p)]


def shared(value):
    return PerRow(ctypes.pointer(c_double(value)), 0)


def run(library, name, call, *scratch):
    bad = c_size_t(0)
    if getattr(library, name)(byref(call), c_size_t(0), c_size_t(call.rows), *scratch, byref(bad)) != 0:
        sys.exit(f"vjp.py: {name} failed")


def core_gradients(library, name, x, c, t):
    """(grad of the logits, of the temperature)."""
    grad, grad_t = torch.empty_like(x), torch.empty(len(x), dtype=x.dtype)
    fields = dict(logits=x.data_ptr(), cotangent=c.data_ptr(), rows=len(x), classes=x.shape[1],
                  grad_logits=grad.data_ptr(), dtype=int(x.dtype == torch.float64))
    if name == "gumbel_softmax":
        call = GumbelVjp(tau=shared(t), noise=noise(), grad_tau=grad_t.data_ptr(), **fields)
        size = library.core_gumbel_softmax_vjp_scratch
    else:
        call = SoftmaxVjp(temperature=shared(t), grad_temperature=grad_t.data_ptr(), **fields)
        size = library.core_softmax_vjp_scratch
    size.restype = c_size_t
    scratch = ctypes.create_string_buffer(size(byref(call)) + 16)
    run(library, f"core_{name}_vjp", call, scratch)
    return grad, grad_t


def noise():
    return Noise(ctypes.pointer(c_uint64(SEED)), 0, 0, 0)


def core_noise(library, x):
    """g of the rows."""
    samples, g = torch.empty_like(x), torch.empty_like(x)
    call = Gumbel(logits=x.data_ptr(), rows=len(x), classes=x.shape[1], tau=shared(1.0), noise=noise(),
                  samples=samples.data_ptr(), dtype=int(x.dtype == torch.float64), gumbel=g.data_ptr())
    run(library, "core_gumbel_softmax", call)
    return g


def torch_gradients(name, x, c, t):
    """The same by autograd, in float64, and the natural scales of both."""
    x, c = x.double().requires_grad_(True), c.double()
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


def compare(library, dtype, name, classes, t):
    """The greatest difference of both gradients, in roundings of their scales."""
    torch.manual_seed(classes)
    x = (3 * torch.randn(max(1, 20000 // classes), classes)).to(dtype)
    c = torch.randn(x.shape).to(dtype)
    z = x.double()
    if name == "gumbel_softmax":
        z = z + core_noise(library, x).double()
    theirs, scales = torch_gradients(name, z, c, t)
    ours = core_gradients(library, name, x, c, t)
    least = LEAST[dtype] * 2 * float(c.abs().max()) / t
    return [float(((a.double() - b).abs() / (ROUNDING[dtype] * s + least)).max())
            for a, b, s in zip(ours, theirs, scales)]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: vjp.py LIBCORE.SO")
    library, failed = ctypes.CDLL(sys.argv[1]), 0
    print(f"torch {torch.__version__}: greatest differences in roundings of the natural scale")
    for (dtype, name), bound in BOUNDS.items():
        worst = [max(pair) for pair in zip(*(compare(library, dtype, name, classes, t)
                                             for classes in CLASSES for t in TEMPERATURES))]
        good = max(worst) <= bound
        failed += not good
        print(f"  {str(dtype)[6:]:<9}{name:<16}logits {worst[0]:8.2f}  temperature {worst[1]:8.2f}  allowed {bound}"
              f"{'' if good else '  FAILED'}")
    print(f"{len(BOUNDS) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
