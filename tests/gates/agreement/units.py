"""How large a difference of roundings may be: units, in the size of eps, in which the bounds of compare.py count.

Both sides round x / t (and x + s g) and subtract the row's maximum m, each in its own order. So the exponent of class
j errs by some eps A_j,

    A_j = (|x_j| + |m| + |s g_j| + |s g| at the maximum) / t

and its exponential by as much of itself; the sum of a row by their mean B = sum_k y_k A_k. The units carry that on:
e_j = 1 + A_j + B for what is relative to y_j. All in double, from NumPy's y."""

import numpy as np

VANISHING = {np.dtype(np.float32): 2.0 ** -124, np.dtype(np.float64): 2.0 ** -1020}  # the core's 0, others' subnormal


class Units:
    def __init__(self, x, shift, t, y):
        """shift: s g, or 0; y: softmax((x + shift) / t)."""
        x, shift, self.y = (np.asarray(a, np.float64) for a in (x, shift, y))
        self.t = np.asarray(t, np.float64)[:, None]
        finite, size = np.isfinite(x), np.abs(x) + np.abs(shift)
        top = np.argmax(x + shift, -1)[:, None]
        size = np.where(finite, size, 0) + np.take_along_axis(size, top, -1)
        self.z = size
        self.a = np.where(finite, size / self.t, 0)
        self.e = 1 + self.a + (self.y * self.a).sum(-1, keepdims=True)

    def softmax(self):
        return self.y * self.e

    def log_softmax(self, log_y):
        return self.e + np.where(np.isfinite(log_y), np.abs(log_y), 0).astype(np.float64)

    def _gradient(self, name, cotangent):
        c = np.abs(cotangent.astype(np.float64))
        if name == "log_softmax":
            return (c + self.y * self.e * c.sum(-1, keepdims=True)) / self.t
        mean = (self.y * c * self.e).sum(-1, keepdims=True)
        return self.y * (self.e * (c + (self.y * c).sum(-1, keepdims=True)) + mean) / self.t

    def vjp(self, name, cotangent):
        """Of grad_logits and grad_temperature."""
        grad = self._gradient(name, cotangent)
        return grad, (grad * (1 + self.a)).sum(-1) / self.t[:, 0]

    def log_density(self, x, g, tau, s):
        """A sum over the classes of log E, that is of g, and what makes the others subtract x again."""
        del tau
        size = (np.abs(np.asarray(x, np.float64)) + np.abs(x).max(-1, keepdims=True)) / np.asarray(s)[:, None]
        return (1 + np.abs(g.astype(np.float64)) + np.finfo(np.float64).eps / np.finfo(x.dtype).eps * size).sum(-1)
