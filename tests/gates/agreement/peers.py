"""The libraries that the core is held against, each behind the same few functions of NumPy arrays [rows][classes], with
a temperature (tau, noise scale) for each row. They compute in the logits' dtype, but NumPy, whose plain formulas have
the next wider one.

    softmax, log_softmax (x, t)           of x / t
    perturbed            (x, g, s)        x + s g
    vjp(name, x, shift, cotangent, t)     the gradients to x and t of name((x + shift) / t)
    log_density(x, g, tau, s)             of the relaxed sample, where the library knows it

A class of logit -inf takes no part in a gradient: libraries would multiply the infinity by 0."""

import math

import numpy as np

WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}


class NumpyPeer:
    name = "numpy"

    def __init__(self):
        self.title = f"numpy {np.__version__}"

    @staticmethod
    def _wide(x, t):
        wide = WIDER[x.dtype]
        return x.astype(wide), np.asarray(t).astype(x.dtype).astype(wide)[:, None]

    def _parts(self, x, t):
        """(x - m) / t, its exponentials' sum."""
        x, t = self._wide(x, t)
        a = (x - x.max(-1, keepdims=True)) / t
        return a, np.exp(a).sum(-1, keepdims=True)

    def softmax(self, x, t):
        a, total = self._parts(x, t)
        return np.exp(a) / total

    def log_softmax(self, x, t):
        a, total = self._parts(x, t)
        return a - np.log(total)

    def perturbed(self, x, g, s):
        x, s = self._wide(x, s)
        return x + s * g

    def vjp(self, name, x, shift, cotangent, t):
        x, t = self._wide(x, t)
        x = x + shift
        top = x.max(-1, keepdims=True)
        y = np.exp((x - top) / t)
        y /= y.sum(-1, keepdims=True)
        c = cotangent.astype(x.dtype)
        if name == "softmax":
            grad = y * (c - (c * y).sum(-1, keepdims=True)) / t
        else:
            grad = (c - y * c.sum(-1, keepdims=True)) / t
        weight = np.where(np.isfinite(x), x - top, 0)
        return grad, -(grad * weight).sum(-1) / t[:, 0]

    def log_density(self, x, g, tau, s):
        x, tau = self._wide(x, tau)
        s = self._wide(g, s)[1]
        x, t, classes = x / s, tau / s, x.shape[1]
        log_y = (x + g) / t
        log_y -= log_y.max(-1, keepdims=True)
        log_y -= np.log(np.exp(log_y).sum(-1, keepdims=True))
        score = x - t * log_y
        score -= score.max(-1, keepdims=True)
        score -= np.log(np.exp(score).sum(-1, keepdims=True))
        return math.lgamma(classes) + (classes - 1) * np.log(t[:, 0]) + score.sum(-1)


class TorchPeer:
    name = "torch"

    def __init__(self):
        import torch
        self.torch, self.title = torch, f"torch {torch.__version__}"
        torch.set_num_threads(1)

    def _tensors(self, x, *columns):
        dtype = self.torch.from_numpy(x).dtype
        return [self.torch.from_numpy(x)] + [self.torch.tensor(c, dtype=dtype)[:, None] for c in columns]

    def softmax(self, x, t):
        x, t = self._tensors(x, t)
        return self.torch.softmax(x / t, -1).numpy()

    def log_softmax(self, x, t):
        x, t = self._tensors(x, t)
        return self.torch.log_softmax(x / t, -1).numpy()

    def perturbed(self, x, g, s):
        x, s = self._tensors(x, s)
        return (x + s * self.torch.from_numpy(g)).numpy()

    def vjp(self, name, x, shift, cotangent, t):
        torch = self.torch
        x, t = self._tensors(x, t)
        possible = torch.isfinite(x)
        x, t = torch.where(possible, x, torch.zeros_like(x)).requires_grad_(), t.requires_grad_()
        z = torch.where(possible, (x + torch.from_numpy(shift)) / t, torch.full_like(x, -math.inf))
        y = getattr(torch, name)(z, -1)
        grad, grad_t = torch.autograd.grad(y, (x, t), torch.from_numpy(cotangent))
        return grad.numpy(), grad_t.numpy()[:, 0]

    def log_density(self, x, g, tau, s):
        """In double: in float it would lose what is to be compared."""
        torch = self.torch
        tau, s = (np.asarray(a).astype(x.dtype).astype(np.float64) for a in (tau, s))
        x, g = x.astype(np.float64) / s[:, None], torch.from_numpy(g.astype(np.float64))
        x, t = self._tensors(x, tau / s)
        law = torch.distributions.relaxed_categorical.ExpRelaxedCategorical(t, logits=x, validate_args=False)
        return law.log_prob(torch.log_softmax((x + g) / t, -1)).diagonal().numpy()


class JaxPeer:
    name = "jax"

    def __init__(self):
        import jax
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.jax, self.title = jax, f"jax {jax.__version__}"

    def _arrays(self, x, t):
        return self.jax.numpy.asarray(x), self.jax.numpy.asarray(np.asarray(t).astype(x.dtype)[:, None])

    def softmax(self, x, t):
        x, t = self._arrays(x, t)
        return np.asarray(self.jax.nn.softmax(x / t, -1))

    def log_softmax(self, x, t):
        x, t = self._arrays(x, t)
        return np.asarray(self.jax.nn.log_softmax(x / t, -1))

    def perturbed(self, x, g, s):
        x, s = self._arrays(x, s)
        return np.asarray(x + s * g)

    def vjp(self, name, x, shift, cotangent, t):
        jnp = self.jax.numpy
        possible = np.isfinite(x)
        x, t = self._arrays(np.where(possible, x, np.zeros_like(x)), t)

        def function(x, t):
            return getattr(self.jax.nn, name)(jnp.where(possible, (x + shift) / t, -jnp.inf), -1)
        grad, grad_t = self.jax.vjp(function, x, t)[1](jnp.asarray(cotangent))
        return np.asarray(grad), np.asarray(grad_t)[:, 0]


PEERS = {peer.name: peer for peer in (NumpyPeer, TorchPeer, JaxPeer)}
