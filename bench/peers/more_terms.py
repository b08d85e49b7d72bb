# SPDX-License-Identifier: Apache-2.0
"""The terms of docs/objectives_more.md for bench/terms, each in the form that does least in PyTorch: products on the smaller
side, distances from one product, what is kept from step to step in a dictionary. f(inputs, options, state) -> loss."""
import math

import torch
import torch.nn.functional as F


def unit(x):
    return F.normalize(x, dim=1)


def smaller(x):
    return x @ x.T if len(x) < x.shape[1] else x.T @ x


def apart(x):
    squares = (x**2).sum(1)
    return (squares[:, None] + squares - 2 * (x @ x.T)).clamp_min(0)


def uniformity(i, o, _):
    a, b = unit(i["z1"]), unit(i["z2"])
    n = len(a)
    spread = [((torch.exp(-2 * apart(u)).sum() - n) / (n * (n - 1))).log() for u in (a, b)]
    return ((a - b) ** 2).sum(1).mean() + sum(spread) / 2


def koleo(i, o, _):
    loss = 0
    for u in (unit(i["z1"]), unit(i["z2"])):
        with torch.no_grad():
            near = (u @ u.T).fill_diagonal_(-2).argmax(1)
        loss = loss - ((u - u[near]).norm(dim=1) + 1e-8).log().mean()
    return loss


def tcr(i, o, _):
    rate = 0
    for u in (unit(i["z1"]), unit(i["z2"])):
        g = smaller(u)
        factor = torch.linalg.cholesky(torch.eye(len(g)) + u.shape[1] / (len(u) * 0.2) * g)
        rate = rate + factor.diagonal().log().sum() / 2
    return -rate


def vne(i, o, _):
    total = 0
    for u in (unit(i["z1"]), unit(i["z2"])):
        values = torch.linalg.eigvalsh(smaller(u) / len(u)).clamp_min(1e-30)
        total = total - (values * values.log()).sum()
    return total


def frossl(i, o, _):
    w = [F.normalize(i[name], dim=0) for name in ("z1", "z2")]
    spread = sum(((smaller(x) / x.shape[1]) ** 2).sum().log() for x in w)
    centre = (w[0] + w[1]) / 2
    return spread + 2 / len(centre) * sum(((x - centre) ** 2).sum() for x in w)


def spectral_contrastive(i, o, _):
    x, y = [z * (1 / z.norm(dim=1, keepdim=True).clamp_min(1)) for z in (i["z1"], i["z2"])]
    n = len(x)
    own = (x * y).sum(1)
    return -2 * own.mean() + (((x @ y.T) ** 2).sum() - (own**2).sum()) / (n * (n - 1))


def supcon(i, o, _):
    u = unit(torch.cat([i["z1"], i["z2"]]))
    n = len(u) // 2
    return F.cross_entropy((u @ u.T / 0.1).fill_diagonal_(float("-inf")), torch.arange(2 * n).roll(n))


def soft_hgr(i, o, _):
    f, g = [z - z.mean(0) for z in (i["z1"], i["z2"])]
    n = len(f) - 1
    cross = f @ g.T if len(f) < f.shape[1] else None
    both = (cross**2).sum() if cross is not None else ((f.T @ f) * (g.T @ g)).sum()
    return -((f * g).sum() / n - both / (2 * n * n))


def wmse(i, o, _):
    y = []
    for z in (i["z1"], i["z2"]):
        z = z - z.mean(0)
        c = (1 - o["shrink"]) / (len(z) - 1) * (z.T @ z) + o["shrink"] * torch.eye(z.shape[1])
        y.append(unit(torch.linalg.solve_triangular(torch.linalg.cholesky(c), z.T, upper=False).T))
    return ((y[0] - y[1]) ** 2).sum(1).mean()


def ssl_hsic(i, o, _):
    n, u = len(i["z1"]), unit(torch.cat([i["z1"], i["z2"]]))
    k = (1 + apart(u)).rsqrt()
    zy = (k.diagonal(n).mean() + k.diagonal(-n).mean()) / 2 - k.mean()
    c = k - k.mean(0)
    c = c - c.mean(1, keepdim=True)
    return 3 * ((c**2).sum() / (2 * n) ** 2).sqrt() - zy


def mec(i, o, _):
    loss, n = 0, len(i["q1"])
    for a, b in ((1, 2), (2, 1)):
        p, t = unit(i[f"q{a}"]), unit(i[f"t{b}"])
        lam = p.shape[1] / (n * 64)
        x = lam * (p @ t.T if n < p.shape[1] else t.T @ p)
        x2 = x @ x
        x3 = (x2 * x.T).sum()  # traces of powers take one product
        loss = loss - (x.trace() - x2.trace() / 2 + x3 / 3 - (x2 * x2.T).sum() / 4) / n / lam / 2
    return loss


def mmd(i, o, _):
    s2, loss = o["sigma"] ** 2, 0
    for z in (i["z1"], i["z2"]):
        n, d = z.shape
        own = torch.exp(-apart(z) / (2 * s2)).sum() / n**2
        cross = (s2 / (1 + s2)) ** (d / 2) * torch.exp(-(z**2).sum(1) / (2 * (1 + s2))).mean()
        loss = loss + (own - 2 * cross + (s2 / (2 + s2)) ** (d / 2)) / 2
    return loss


def sigreg(i, o, _):
    t = torch.linspace(0, 3, 17)
    normal, sketch = torch.exp(-t * t / 2), 0
    s = i["slices"] / i["slices"].norm(dim=0)
    weight = torch.full((17,), 3 / 16)
    weight[0] = weight[-1] = 3 / 32
    for z in (i["z1"], i["z2"]):
        angle = (z @ s)[..., None] * t
        square = (angle.cos().mean(0) - normal) ** 2 + angle.sin().mean(0) ** 2
        sketch = sketch + len(z) * (square @ (weight * normal)).mean()
    c = (i["z1"] + i["z2"]) / 2
    return 0.05 * sketch + 0.95 * sum(((z - c) ** 2).mean() for z in (i["z1"], i["z2"])) / 2


def visreg(i, o, _):
    n, total = len(i["z1"]), 0
    goal = torch.special.ndtri(torch.arange(1, n + 1, dtype=torch.float64) / (n + 1)).float()[:, None]
    s = i["slices"] / i["slices"].norm(dim=0)
    for z in (i["z1"], i["z2"]):
        deviation = z.var(0, unbiased=False).sqrt()
        p = ((z - z.mean(0)) / (deviation.detach() + 1e-4)) @ s
        shape = ((p.sort(0).values - goal) ** 2).mean()
        total = total + ((z.mean(0) ** 2).mean() + ((1 - deviation) ** 2).mean() + shape) / 2
    c = (i["z1"] + i["z2"]) / 2
    return 0.1 * sum(((z - c) ** 2).mean() for z in (i["z1"], i["z2"])) / 2 + 0.9 * total


def mmcr(i, o, _):
    return -torch.linalg.svdvals((unit(i["z1"]) + unit(i["z2"])) / 2).sum()


def mmcr_gram(i, o, _):
    """In float64, as roots of a float32 Gram matrix lose the singular values below 3e-4 of the largest."""
    m = ((unit(i["z1"]) + unit(i["z2"])) / 2).double()
    return -torch.linalg.eigvalsh(smaller(m)).clamp_min(1e-30).sqrt().sum()


def corinfomax(i, o, state):
    z, d = [unit(i["z1"]), unit(i["z2"])], i["z1"].shape[1]
    spread, eye = 0, torch.eye(d)
    for v, x in enumerate(z):
        mu = 0.01 * state.get(f"mu{v}", torch.zeros(d)) + 0.99 * x.mean(0)
        y = x - mu
        r = 0.01 * state.get(f"r{v}", eye) + 0.99 / len(x) * (y.T @ y)
        state[f"mu{v}"], state[f"r{v}"] = mu.detach(), r.detach()
        spread = spread - 2 * torch.linalg.cholesky(r + o["eps"] * eye).diagonal().log().sum() / d
    return spread + 250 * ((z[0] - z[1]) ** 2).mean()


def queue_of(state, name, rows, room):
    """The queue as it was; behind it the new rows."""
    old = state.get(name, rows[:0].detach())
    state[name] = torch.cat([old, rows.detach()])[-room:]
    return old


def moco(i, o, state):
    loss = 0
    for a, b in ((1, 2), (2, 1)):
        q, t = unit(i[f"q{a}"]), unit(i[f"t{b}"])
        logits = torch.cat([(q * t).sum(1, keepdim=True), q @ queue_of(state, b, t, o["queue"]).T], 1) / 0.2
        loss = loss + F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long)) / 2
    return loss


def nnclr(i, o, state):
    z = [unit(i["z1"]).detach(), unit(i["z2"]).detach()]
    queue, loss = queue_of(state, 0, z[0], o["queue"]), 0
    for a, b in ((0, 2), (1, 1)):
        near = queue[(z[a] @ queue.T).argmax(1)] if len(queue) else z[a]
        loss = loss + F.cross_entropy(unit(near) @ unit(i[f"q{b}"]).T / 0.1, torch.arange(len(near))) / 2
    return loss


def tico(i, o, state):
    u, t = unit(i["q1"]), unit(i["t2"])
    c = 0.9 * state.get("c", torch.zeros(u.shape[1], u.shape[1])) + 0.1 / len(u) * (u.T @ u)
    state["c"] = c.detach()
    return 1 - (u * t).sum(1).mean() + 8 * ((u @ c) * u).sum() / len(u)


def dino(i, o, state):
    centre, loss = state.get("c", torch.zeros(i["t1"].shape[1])), 0
    for a, b in ((1, 2), (2, 1)):
        p = torch.softmax((i[f"t{a}"] - centre) / 0.04, 1)
        loss = loss - (p * torch.log_softmax(i[f"q{b}"] / 0.1, 1)).sum(1).mean() / 2
    state["c"] = 0.9 * centre + 0.1 * (i["t1"].mean(0) + i["t2"].mean(0)) / 2
    return loss


def swav(i, o, _):
    loss = 0
    for a, b in ((1, 2), (2, 1)):
        log_a = i[f"q{a}"].detach() / o["epsilon"]
        for _ in range(3):
            log_a = torch.log_softmax(torch.log_softmax(log_a, 0), 1)
        loss = loss - (log_a.exp() * torch.log_softmax(i[f"q{b}"] / 0.1, 1)).sum(1).mean() / 2
    return loss


TERMS = {f.__name__: f for f in (
    uniformity, koleo, tcr, vne, frossl, spectral_contrastive, supcon, soft_hgr, wmse, ssl_hsic, mec, mmd, sigreg, visreg, mmcr,
    corinfomax, moco, nnclr, tico, dino, swav)}
OTHER_FORMS = {"mmcr": ("Gram in float64", mmcr_gram)}
LETTERS = {"mec": "qt", "moco": "qt", "nnclr": "zq", "tico": "qt", "dino": "qt", "swav": "q"}
# no gradient goes to these, or to the views that the term does not read
CONSTANT = {"nnclr": "z"}
ONLY = {"tico": ("q1", "t2")}
