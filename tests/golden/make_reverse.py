# SPDX-License-Identifier: Apache-2.0
"""Reverse mode in float64: a number knows what it was made of, and how a gradient goes back there. Behind it the
notation of docs/objectives.md."""
import numpy as np


class Var:
    __array_priority__ = 100  # NumPy arrays on the left leave the operator to this class

    def __init__(self, value, parents=()):
        self.value, self.parents, self.gradient = np.asarray(value, np.float64), parents, 0.0

    def __add__(self, other):
        other = lift(other)
        return Var(self.value + other.value, ((self, lambda g: g), (other, lambda g: g)))

    def __mul__(self, other):
        other = lift(other)
        return Var(self.value * other.value, ((self, lambda g: g * other.value), (other, lambda g: g * self.value)))

    def __pow__(self, p):
        return Var(self.value**p, ((self, lambda g: g * p * self.value ** (p - 1)),))

    def __matmul__(self, other):
        other = lift(other)
        return Var(self.value @ other.value, ((self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)))

    def __getitem__(self, index):
        def back(g):
            full = np.zeros_like(self.value)
            np.add.at(full, index, g)
            return full

        return Var(self.value[index], ((self, back),))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -lift(other)

    def __rsub__(self, other):
        return lift(other) - self

    def __truediv__(self, other):
        return self * lift(other) ** -1.0

    __radd__, __rmul__ = __add__, __mul__

    @property
    def T(self):
        return Var(self.value.T, ((self, lambda g: g.T),))

    @property
    def shape(self):
        return self.value.shape

    def reshape(self, *shape):
        return Var(self.value.reshape(shape), ((self, lambda g: g.reshape(self.shape)),))

    def sum(self, axis=None):
        return Var(self.value.sum(axis, keepdims=axis is not None), ((self, lambda g: g + np.zeros(self.shape)),))

    def mean(self, axis=None):
        s = self.sum(axis)
        return s * (s.value.size / self.value.size)


def lift(x):
    return x if isinstance(x, Var) else Var(x)


def constant(x):
    return Var(x.value)


def exp(x):
    value = np.exp(x.value)
    return Var(value, ((x, lambda g: g * value),))


def log(x):
    return Var(np.log(x.value), ((x, lambda g: g / x.value),))


def cosine(x):
    return Var(np.cos(x.value), ((x, lambda g: -g * np.sin(x.value)),))


def sine(x):
    return Var(np.sin(x.value), ((x, lambda g: g * np.cos(x.value)),))


def sqrt(x):
    return x**0.5


def positive(x):
    return x * (x.value > 0)


def absolute(x):
    return x * np.sign(x.value)


def concat(parts, axis):
    at = np.cumsum([0] + [p.shape[axis] for p in parts])
    rows = [slice(at[i], at[i + 1]) for i in range(len(parts))]
    return Var(np.concatenate([p.value for p in parts], axis),
               tuple((p, lambda g, r=r: g[(slice(None),) * axis + (r,)]) for p, r in zip(parts, rows)))


def inverse(a):
    value = np.linalg.inv(a.value)
    return Var(value, ((a, lambda g: -value.T @ g @ value.T),))


def logdet(a):
    return Var(np.linalg.slogdet(a.value)[1], ((a, lambda g: g * np.linalg.inv(a.value).T),))


def spectral(a, f):
    """Sum over singular values s of f(s); f gives values and derivatives."""
    u, s, vt = np.linalg.svd(a.value, full_matrices=False)
    value, slope = f(s)
    return Var(value.sum(), ((a, lambda g: g * (u * slope) @ vt),))


def cholesky(a):
    lower = np.linalg.cholesky(a.value)

    def back(g):
        phi = np.tril(lower.T @ g)
        phi[np.diag_indices_from(phi)] /= 2
        inner = np.linalg.solve(lower.T, np.linalg.solve(lower.T, phi.T).T)
        return (inner + inner.T) / 2

    return Var(lower, ((a, back),))


def differentiate(y, inputs):
    """Sets .gradient of every input to that of the scalar y."""
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)

    visit(y)
    for node in order + list(inputs):
        node.gradient = np.zeros(node.shape)
    y.gradient = np.ones(y.shape)
    for node in reversed(order):
        for parent, back in node.parents:
            g = np.asarray(back(node.gradient))
            while g.ndim > parent.value.ndim:  # what was broadcast is summed
                g = g.sum(0)
            for axis in range(g.ndim):
                if parent.shape[axis] == 1 and g.shape[axis] != 1:
                    g = g.sum(axis, keepdims=True)
            parent.gradient = parent.gradient + g


# ---- notation of docs/objectives.md ----


def length(z, least=1e-12):
    n = np.sqrt((z.value**2).sum(-1, keepdims=True))
    return Var(np.maximum(n, least), ((z, lambda g: g * np.where(n > least, z.value / np.maximum(n, least), 0)),))


def norm(z, least=1e-12):
    return z / length(z, least)


def shortened(z, limit):
    """Rows no longer than limit."""
    n = np.sqrt((z.value**2).sum(1, keepdims=True))
    return z / Var(np.maximum(n / limit, 1),
                   ((z, lambda g: g * np.where(n > limit, z.value / np.maximum(n, limit) / limit, 0)),))


def centred(z):
    return z - z.mean(0)


def covariance(z, other=None):
    return centred(z).T @ centred(z if other is None else other) / (z.shape[0] - 1)


def off_diagonal(c):
    return c * (1 - np.eye(c.shape[0]))


def squares(a, b):
    """Squared distances of all rows of a from all rows of b."""
    d = a.shape[1]
    return ((a.reshape(-1, 1, d) - b.reshape(1, -1, d)) ** 2).sum(2).reshape(a.shape[0], b.shape[0])


def log_softmax(s):
    s = s - s.value.max(1, keepdims=True)
    return s - log(exp(s).sum(1))


def views(x, letter):
    return [x[k] for k in sorted(x) if k[0] == letter and k[1:].isdigit()]


def whole(x):
    """Labels and ids are read as they are."""
    return x.value.astype(np.int64)
