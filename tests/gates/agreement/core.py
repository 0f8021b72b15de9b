"""The core through ctypes, on NumPy arrays: the structs of core/core.h and core/vjp.h, and a function for each call.

Rows have a temperature (tau, noise scale) each. Results are new arrays of the logits' dtype."""

import ctypes
from ctypes import POINTER, Structure, byref, c_bool, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

DTYPES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}


class PerRow(Structure):
    _fields_ = [("value", c_void_p), ("stride", c_size_t)]


class Mask(Structure):
    _fields_ = [("allowed", c_void_p), ("stride", c_size_t)]


class Layout(Structure):
    _fields_ = [("rows", c_size_t), ("classes", c_size_t), ("inner", c_size_t)]


class Noise(Structure):
    _fields_ = [
        ("seed", POINTER(c_uint64)), ("stride", c_size_t), ("row_offset", c_uint32), ("draw", c_uint32),
        ("rng", c_int), ("row", c_size_t), ("whole", Layout), ("table", c_void_p), ("cursor", c_void_p)]


class RaoPart(Structure):
    _fields_ = [("first", c_uint32), ("count", c_uint32), ("sums", c_void_p)]


class SoftmaxCall(Structure):
    _fields_ = [
        ("logits", c_void_p), ("classes", c_size_t), ("temperature", PerRow), ("result", c_void_p), ("mask", Mask),
        ("inner", c_size_t), ("scratch", c_void_p),
        ("dtype", c_int)]


class GumbelSoftmaxCall(Structure):
    _fields_ = [
        ("logits", c_void_p), ("classes", c_size_t), ("tau", PerRow), ("hard", c_bool), ("noise", Noise),
        ("samples", c_void_p), ("mask", Mask),
        ("inner", c_size_t), ("scratch", c_void_p), ("noise_scale", PerRow), ("dtype", c_int),
        ("indices", c_void_p), ("soft", c_void_p), ("gumbel", c_void_p), ("log_density", c_void_p),
        ("log_soft", c_void_p), ("perturbed", c_void_p)]


class SoftmaxVjpCall(Structure):
    _fields_ = [
        ("logits", c_void_p), ("cotangent", c_void_p), ("classes", c_size_t), ("temperature", PerRow),
        ("grad_logits", c_void_p), ("grad_temperature", c_void_p), ("mask", Mask),
        ("inner", c_size_t), ("dtype", c_int)]


class GumbelSoftmaxVjpCall(Structure):
    _fields_ = [
        ("logits", c_void_p), ("cotangent", c_void_p), ("classes", c_size_t), ("tau", PerRow), ("noise", Noise),
        ("conditional_samples", c_uint32), ("part", RaoPart), ("grad_logits", c_void_p),
        ("grad_tau", c_void_p), ("noise_scale", PerRow), ("mask", Mask), ("inner", c_size_t), ("dtype", c_int)]


class CoreError(Exception):
    """The core refused a row."""


def per_row(values):
    return PerRow(values.ctypes.data, 1)


def doubles(values, rows):
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.float64), (rows,)))


class Core:
    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))
        for name in ("softmax", "gumbel_softmax", "gumbel_rao"):
            getattr(self.library, f"core_{name}_vjp_scratch").restype = c_size_t
        self.library.core_isa_name.restype = ctypes.c_char_p

    def isa(self):
        return self.library.core_isa_name(self.library.core_selected()).decode()

    def _call(self, name, call, rows, scratch=()):
        bad = c_size_t(0)
        status = getattr(self.library, name)(byref(call), c_size_t(0), c_size_t(rows), *scratch, byref(bad))
        if status != 0:
            raise CoreError(f"{name}: {status}, row {bad.value}")

    def _softmax(self, name, x, temperature):
        y, rows = np.empty_like(x), len(x)
        t = doubles(temperature, rows)
        call = SoftmaxCall(logits=x.ctypes.data, classes=x.shape[1], temperature=per_row(t),
                           result=y.ctypes.data, dtype=DTYPES[x.dtype])
        self._call(name, call, rows)
        return y

    def softmax(self, x, temperature):
        return self._softmax("core_softmax", x, temperature)

    def log_softmax(self, x, temperature):
        return self._softmax("core_log_softmax", x, temperature)

    def gumbel_softmax(self, x, tau, noise_scale, seed):
        """{samples, hard, gumbel, indices, log_density}, all of one call."""
        rows, tau, noise_scale = len(x), doubles(tau, len(x)), doubles(noise_scale, len(x))
        out = {"hard": np.empty_like(x), "samples": np.empty_like(x), "gumbel": np.empty_like(x),
               "indices": np.empty(rows, np.int32), "log_density": np.empty(rows, x.dtype)}
        call = GumbelSoftmaxCall(
            logits=x.ctypes.data, classes=x.shape[1], tau=per_row(tau), hard=True,
            noise=Noise(ctypes.pointer(c_uint64(seed))), samples=out["hard"].ctypes.data,
            noise_scale=per_row(noise_scale), dtype=DTYPES[x.dtype], indices=out["indices"].ctypes.data,
            soft=out["samples"].ctypes.data, gumbel=out["gumbel"].ctypes.data,
            log_density=out["log_density"].ctypes.data)
        self._call("core_gumbel_softmax", call, rows)
        return out

    def _vjp(self, function, call, rows, sized_as):
        size = getattr(self.library, f"core_{sized_as}_vjp_scratch")(byref(call))
        scratch = np.empty(size // 8 + 1, np.float64)
        self._call(f"core_{function}_vjp", call, rows, (c_void_p(scratch.ctypes.data),))

    def softmax_vjp(self, function, x, cotangent, temperature):
        """(grad_logits, grad_temperature) of "softmax" or "log_softmax"."""
        rows, t = len(x), doubles(temperature, len(x))
        grad, grad_t = np.empty_like(x), np.empty(rows, x.dtype)
        call = SoftmaxVjpCall(logits=x.ctypes.data, cotangent=cotangent.ctypes.data, classes=x.shape[1],
                              temperature=per_row(t), grad_logits=grad.ctypes.data,
                              grad_temperature=grad_t.ctypes.data, dtype=DTYPES[x.dtype])
        self._vjp(function, call, rows, "softmax")
        return grad, grad_t

    def gumbel_vjp(self, function, x, cotangent, tau, noise_scale, seed, conditional_samples=1):
        """(grad_logits, grad_tau) of "gumbel_softmax" or "gumbel_rao"."""
        rows, tau, noise_scale = len(x), doubles(tau, len(x)), doubles(noise_scale, len(x))
        grad, grad_t = np.empty_like(x), np.empty(rows, x.dtype)
        call = GumbelSoftmaxVjpCall(
            logits=x.ctypes.data, cotangent=cotangent.ctypes.data, classes=x.shape[1], tau=per_row(tau),
            noise=Noise(ctypes.pointer(c_uint64(seed))), conditional_samples=conditional_samples,
            grad_logits=grad.ctypes.data, grad_tau=grad_t.ctypes.data, noise_scale=per_row(noise_scale),
            dtype=DTYPES[x.dtype])
        self._vjp(function, call, rows, function)
        return grad, grad_t

    def exponential(self, dtype, classes, seed, row, draw, tag):
        """E of the classes of a row, in the dtype."""
        words = [np.empty((classes + 3) // 4 * 4, np.uint32) for _ in range(2)]
        for i, part in enumerate(words):
            self.library.core_noise_words(c_void_p(part.ctypes.data), c_uint64(0), c_size_t(part.size),
                                          c_uint64(seed), c_uint32(row), c_uint32(draw), c_uint32(tag + 2 * i))
        e = np.empty(words[0].size, dtype)
        self.library.core_exponential(DTYPES[np.dtype(dtype)], *(c_void_p(a.ctypes.data) for a in words + [e]),
                                      c_size_t(e.size))
        return e[:classes]
