# SPDX-License-Identifier: Apache-2.0
"""Terms of docs/objectives_more.md, by its tags: x are the inputs, o the options of a case."""
import math

import numpy as np

from make_reverse import (Var, centred, cholesky, concat, constant, cosine, covariance, exp, inverse, log, log_softmax,
                          logdet, norm, off_diagonal, shortened, sine, spectral, sqrt, squares, views, whole)


def matrices(x, letter="z"):
    """One matrix, or those of all views."""
    return [x[letter]] if letter in x else views(x, letter)


def mean_of(parts):
    return sum(parts) / len(parts)


def pairs(count):
    return [(a, b) for a in range(count) for b in range(a + 1, count)]


def others(count, targets):
    return [(a, b) for a in range(targets) for b in range(count) if a != b]


def over(parts, o):
    return sum(parts) if o["over_views"] == "sum" else mean_of(parts)


# ---- without state ----


def uniformity(x, o):  # [U1]-[U3]
    z = [norm(v) if o["normalise"] else v for v in matrices(x)]
    n = z[0].shape[0]
    upper = np.triu_indices(n, 1)
    uniform = mean_of([log(exp(squares(v, v)[upper] * -o["t"]).mean()) for v in z])
    align = Var(0.0)
    if len(z) > 1:
        power = o["alignment_exponent"] / 2
        align = mean_of([(((z[a] - z[b]) ** 2).sum(1) ** power).mean() for a, b in pairs(len(z))])
    return {"alignment": align, "uniformity": uniform,
            "loss": align * o["weight_alignment"] + uniform * o["weight_uniformity"]}


def koleo(x, o):  # [KL1], [KL2]
    losses, rhos = [], []
    for v in matrices(x):
        u = norm(v) if o["normalise"] else v
        n, d = u.shape
        apart = ((u.value[:, None] - u.value[None]) ** 2).sum(2) + np.where(np.eye(n) > 0, np.inf, 0)
        nearest = apart.argmin(1)
        square = ((u - u[nearest]) ** 2).sum(1)
        rho = Var(np.sqrt(square.value), ((square, lambda g, s=square.value: np.where(s > 0, g / 2 / np.sqrt(
            np.where(s > 0, s, 1)), 0)),))
        losses.append(-log(rho + o["eps"]).mean())
        rhos.append(rho.mean())
    ball = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
    return {"loss": over(losses, o), "nearest_distance": mean_of(rhos), "neighbours": nearest,
            "entropy": mean_of(losses) * -d + (sum(1 / k for k in range(1, n)) + ball)}


def slices(x):
    s = x["slices"].value
    return s / np.linalg.norm(s, axis=0)


def spread(z, o):  # [SR2]
    count = o["global_views"] or len(z)
    centre = mean_of(z[:count])
    return mean_of([((v - centre) ** 2).mean() for v in z])


def sigreg(x, o):  # [SR1]-[SR3]
    z = matrices(x)
    t = np.linspace(0, o["t_max"], o["knots"])
    weight = np.full(len(t), 2 * (t[1] - t[0]))
    weight[[0, -1]] /= 2
    sketches = []
    for v in z if o["views"] == "separate" else [concat(z, 0)]:
        p, value = v @ slices(x), 0.0
        for k, w in zip(t, weight):
            normal = math.exp(-k * k / 2)
            real, imaginary = cosine(p * k).mean(0), sine(p * k).mean(0)
            value = value + (((real - normal) ** 2 + imaginary**2) * (w * normal)).mean() * v.shape[0]
        sketches.append(value)
    rest = 1 if o["invariance_weight"] == "one" else 1 - o["lambda"]
    out = {"sigreg": mean_of(sketches), "invariance": spread(z, o)}
    return {**out, "loss": out["sigreg"] * o["lambda"] + out["invariance"] * rest}


def quantile(p):
    """Of a standard normal distribution, by bisection and Newton's method on erfc."""
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(-middle / math.sqrt(2)) / 2 < p else (low, middle)
    return low - (math.erfc(-low / math.sqrt(2)) / 2 - p) * math.sqrt(2 * math.pi) * math.exp(low * low / 2)


def visreg(x, o):  # [VR1]-[VR5]
    z = matrices(x)
    n = z[0].shape[0]
    goal = np.array([quantile((i + 1) / (n + 1)) for i in range(n)]).reshape(-1, 1)
    out = {"invariance": spread(z, o), "centre": 0.0, "scale": 0.0, "shape": 0.0}
    for v in z:
        square = (centred(v) ** 2).mean(0)
        s = np.sqrt(square.value)
        deviation = Var(s, ((square, lambda g, s=s: np.where(s > 0, g / 2 / np.where(s > 0, s, 1), 0)),))
        p = (centred(v) / (constant(deviation) + o["eps"])) @ slices(x)
        order = p.value.argsort(0, kind="stable")
        out["centre"] = out["centre"] + (v.mean(0) ** 2).mean() / len(z)
        out["scale"] = out["scale"] + ((1 - deviation) ** 2).mean() / len(z)
        out["shape"] = out["shape"] + ((p[order, np.arange(p.shape[1])] - goal) ** 2).mean() / len(z)
    parts = sum(out[k] * o["weight_" + k] for k in ("centre", "scale", "shape"))
    return {**out, "loss": out["invariance"] * (1 - o["lambda"]) + parts * o["lambda"]}


def tcr(x, o):  # [CR1]-[CR3]
    target = o["invariance"] == "target"
    u, t = [norm(v) for v in matrices(x, "q" if target else "z")], [constant(norm(v)) for v in views(x, "t")]
    n, d = u[0].shape
    rate = mean_of([logdet(np.eye(d) + v.T @ v * (d / (n * o["eps"] ** o["eps_power"]))) * 0.5
                    for v in (u[:len(t)] if target else u)])
    rate = rate * ((d + n) / (d * n) if o["scale"] == "balanced" else 1)
    out = {"rate": rate, "loss": rate * -o["weight_rate"]}
    if o["invariance"] == "mean":
        out["similarity"] = mean_of([(v * norm(mean_of(u))).sum(1).mean() for v in u])
    if target:
        out["similarity"] = mean_of([(t[a] * u[b]).sum(1).mean() for a, b in others(len(u), len(t))])
    if "similarity" in out:
        out["loss"] = out["loss"] - out["similarity"] * o["weight_invariance"]
    return out


def vne(x, o):  # [VN1]
    def entropy(s):
        some = np.where(s > 1e-12, s, 1)
        return -some**2 * np.log(some**2), np.where(s > 1e-12, -2 * some * (np.log(some**2) + 1), 0)

    scaled = [norm(v) / math.sqrt(v.shape[0]) if o["normalise"] else v / sqrt((v**2).sum()) for v in matrices(x)]
    return {"entropy": over([spectral(v, entropy) for v in scaled], o)}


def frossl(x, o):  # [FR1], [FR2]
    w = [norm((centred(v) if o["centre"] else v).T).T for v in matrices(x)]
    regularisation = sum(log(((v.T @ v / constant((v**2).sum())) ** 2).sum()) for v in w)
    invariance = sum(((v - mean_of(w)) ** 2).sum() for v in w) * (len(w) / w[0].shape[0])
    return {"regularisation": regularisation, "invariance": invariance,
            "loss": regularisation + invariance * o["weight_invariance"]}


def nuclear(v):
    return spectral(v, lambda s: (s, (s > 1e-10) * 1.0))


def mmcr(x, o):  # [MM1]
    u = [norm(v) if o["normalise"] else v for v in matrices(x)]
    n, d = u[0].shape
    local = sum(nuclear(concat([v[i].reshape(1, d) for v in u], 0)) for i in range(n)) / n
    total = nuclear(mean_of(u))
    return {"global_nuclear": total, "local_nuclear": local, "loss": local * o["lambda"] - total}


def spectral_contrastive(x, o):  # [SC1]
    limit = math.sqrt(o["mu"])
    a, b = [shortened(z, limit) for z in (x["z1"], x["z2"])]
    n = a.shape[0]
    attraction = (a * b).sum() * (-2 / n / o["mu"])
    repulsion = (off_diagonal(a @ b.T) ** 2).sum() / (n * (n - 1) * o["mu"])
    return {"attraction": attraction, "repulsion": repulsion, "loss": attraction + repulsion}


def supcon(x, o):  # [SU1], [SU2]
    z = matrices(x)
    n, rows = z[0].shape[0], len(z) * z[0].shape[0]
    u = norm(concat(z, 0))
    ids = whole(x["labels"]) if o["labels"] else np.arange(n)
    same = (np.tile(ids, len(z))[:, None] == np.tile(ids, len(z))[None]) & ~np.eye(rows, dtype=bool)
    share = same / np.maximum(same.sum(1, keepdims=True), 1)
    lp = log_softmax(u @ u.T / o["tau"] + np.where(np.eye(rows) > 0, -1e300, 0))
    if o["form"] == "out":
        loss = -(lp * share)[same].sum() / rows
    else:
        some = same.any(1)
        loss = -log((exp(lp) * share).sum(1)[some]).sum() / rows
    return {"loss": loss * (o["tau"] / o["base_tau"] if o["base_tau"] else 1)}


def soft_hgr(x, o):  # [A7]
    f, g = centred(x["z"]), centred(x["z_tilde"])
    divisor = f.shape[0] - (o["divisor"] == "N-1")
    correlation, trace = (f * g).sum() / divisor, ((f.T @ f) * (g.T @ g)).sum() / divisor**2
    value = correlation - trace / 2
    return {"correlation": correlation, "trace": trace, "soft_hgr": value, "loss": -value}


def mec(x, o):  # [ME1]
    q, t = [norm(v) for v in views(x, "q")], [constant(norm(v)) for v in views(x, "t")]
    n, d = q[0].shape
    lam, parts = d / (n * o["eps"]), []
    for b, a in others(len(q), len(t)):
        product = t[b].T @ q[a] * lam
        if o["form"] == "exact":
            parts.append(logdet(np.eye(d) + product) / n)
            continue
        power, value = product, 0.0
        for k in range(1, o["order"] + 1):
            value = value + (power * np.eye(d)).sum() * ((-1) ** (k + 1) / k)
            power = power @ product
        parts.append(value / n)
    m = mean_of(parts)
    scale = {"lambda_inverse": 1 / lam, "mu": (n + d) / 2, "none": 1}[o["scale"]]
    return {"coding_length": m * ((n + d) / 2), "loss": m * -scale}


def wmse(x, o):  # [WM1]
    z = matrices(x)
    n, d = z[0].shape
    size = o["sub_batch"] or n
    order = whole(x["order"]) if o["sub_batch"] else np.arange(n)

    def whitened(v):
        c = covariance(v) * (1 - o["shrink"]) + np.eye(d) * o["shrink"]
        y = centred(v) @ inverse(cholesky(c)).T
        return norm(y) if o["normalise"] else y

    y = [concat([whitened(v[order[i:i + size]]) for i in range(0, n, size)], 0) for v in z]
    apart = mean_of([((y[a] - y[b]) ** 2).sum() / n for a, b in pairs(len(y))])
    return {"loss": apart if o["normalise"] else apart / d}


def ssl_hsic(x, o):  # [HS1]
    z = matrices(x)
    n, m, c = z[0].shape[0], len(z) * z[0].shape[0], o["scale"]
    u = norm(concat(z, 0))
    k = (squares(u, u) + c * c) ** -0.5 * c
    same = np.tile(np.eye(n), (len(z), len(z))) - np.eye(m)
    zy = (k * same).sum() / same.sum() - k.mean()
    h = np.eye(m) - 1 / m
    zz = ((Var(h) @ k @ h) ** 2).sum() / (m if o["divisor"] == "n" else m - 1) ** 2
    root = sqrt(zz) if zz.value > 0 else Var(0.0)
    return {"hsic_zy": zy, "hsic_zz": zz, "loss": root * o["gamma"] - zy}


def mmd(x, o):  # [MD1]
    s, parts = o["sigma"] ** 2, []
    for z in matrices(x):
        d = z.shape[1]
        rows = exp((z**2).sum(1) / (-2 * (1 + s))).mean() * (2 * (s / (1 + s)) ** (d / 2))
        parts.append(exp(squares(z, z) / (-2 * s)).mean() - rows + (s / (2 + s)) ** (d / 2))
    return {"loss": over(parts, o)}


# ---- with state: what it is before the step is an input state.NAME, what it is after it a result of that name ----


def kept(x, name):
    return x["state." + name].value


def ring(x, queues, rows):
    """Queues with new rows, their place, and the rows of each that hold something."""
    position, count = int(whole(x["state.position"])[0]), int(whole(x["state.count"])[0])
    out, used = {}, {}
    for name, new in zip(queues, rows):
        queue = kept(x, name).copy()
        used[name] = kept(x, name)[:count]
        for i, row in enumerate(new):
            queue[(position + i) % len(queue)] = row
        out["state." + name] = queue
    n, room = len(rows[0]), len(queue)
    return {**out, "state.position": np.array([(position + n) % room], float),
            "state.count": np.array([min(room, count + n)], float)}, used


def own_and_queue(q, t, queue, tau):
    logits = concat([(q * t).sum(1), q @ Var(queue.T)], 1) / tau if len(queue) else (q * t).sum(1) / tau
    return -log_softmax(logits)[:, 0].mean()


def moco(x, o):  # [MO1]
    ways = [("q1", "t2", "queue2")] + ([("q2", "t1", "queue1")] if o["symmetric"] else [])
    t = {name: norm(constant(x[target])) for _, target, name in ways}
    state, used = ring(x, [w[2] for w in ways], [t[w[2]].value for w in ways])
    return {**state, "loss": mean_of([own_and_queue(norm(x[q]), t[name], used[name], o["tau"]) for q, _, name in ways])}


def nnclr(x, o):  # [NN1]
    z = [norm(constant(x["z1"])).value, norm(constant(x["z2"])).value]
    out, used = ring(x, ["queue"], [z[0]])
    queue, losses = used["queue"], []
    for a in range(2):
        index = (z[a] @ queue.T).argmax(1) if len(queue) else np.full(len(z[a]), -1)
        near = norm(Var(queue[index] if len(queue) else z[a]))
        losses.append(-log_softmax(near @ norm(x["q%d" % (2 - a)]).T / o["tau"])[np.arange(len(index)),
                                                                               np.arange(len(index))].mean())
        out["neighbours%d" % (a + 1)] = index.astype(float)
    return {**out, "loss": mean_of(losses)}


def corinfomax(x, o):  # [CI1]
    z = [norm(v) if o["normalise"] else v for v in (x["z1"], x["z2"])]
    n, d = z[0].shape
    out, spread = {}, 0.0
    for a, v in enumerate(z, 1):
        mu = v.mean(0) * (1 - o["lambda_mu"]) + o["lambda_mu"] * kept(x, "mu%d" % a)
        r = (v - mu).T @ (v - mu) * ((1 - o["lambda_r"]) / n) + o["lambda_r"] * kept(x, "r%d" % a)
        spread = spread - logdet(r + np.eye(d) * o["eps"]) / d
        out.update({"state.mu%d" % a: mu.value.reshape(kept(x, "mu%d" % a).shape), "state.r%d" % a: r.value})
    invariance = ((z[0] - z[1]) ** 2).mean()
    return {**out, "spread": spread, "invariance": invariance, "loss": spread + invariance * o["weight_invariance"]}


def tico(x, o):  # [TI1]
    u, t = norm(x["q1"]), norm(constant(x["t2"]))
    n = u.shape[0]
    b = u.T @ u / n
    c = (constant(b) if o["covariance_stop_gradient"] else b) * (1 - o["beta"]) + o["beta"] * kept(x, "c")
    invariance, contrast = 1 - (u * t).sum() / n, ((u @ c) * u).sum() / n
    return {"state.c": c.value, "invariance": invariance, "contrast": contrast,
            "loss": invariance + contrast * o["rho"]}


def dino(x, o):  # [DI1], [DI2]
    q, t = views(x, "q"), [v.value for v in views(x, "t")]
    lp = [log_softmax(Var((v - kept(x, "centre")) / o["tau_teacher"])).value for v in t]
    lq = [log_softmax(v / o["tau_student"]) for v in q]
    m = o["centre_momentum"]
    return {"loss": mean_of([-(lq[b] * np.exp(lp[a])).sum() / q[0].shape[0] for a, b in others(len(q), len(t))]),
            "teacher_entropy": mean_of([-(np.exp(v) * v).sum(1).mean() for v in lp]),
            "state.centre": m * kept(x, "centre") + (1 - m) * mean_of([v.mean(0) for v in t])}


def assignments(s, o):  # [SW1]
    q = s / o["epsilon"]

    def total(v, axis):
        top = v.max(axis, keepdims=True)
        return np.log(np.exp(v - top).sum(axis, keepdims=True)) + top

    for _ in range(o["iterations"]):
        q = q - total(q, 0)
        q = q - total(q, 1)
    return np.exp(q)


def swav(x, o):  # [SW1]-[SW3]
    out, s, behind = {}, views(x, "q"), {}
    if o["scores"] == "prototypes":
        p = norm(x["prototypes"]) if o["normalise_prototypes"] else x["prototypes"]
        z = [norm(v) for v in views(x, "z")]
        s = [v @ p.T for v in z]
        names = ["queue%d" % (a + 1) for a in range(o["assign_views"])]
        out, used = ring(x, names, [z[a].value for a in range(o["assign_views"])])
        full = len(used["queue1"]) == len(kept(x, "queue1"))
        behind = {a: used[k] @ p.value.T for a, k in enumerate(names) if full}
    n, parts = s[0].shape[0], []
    for a in range(o["assign_views"]):
        rows = np.concatenate([s[a].value, behind[a]]) if a in behind else s[a].value
        q = assignments(rows, o)[:n]
        out["assignments%d" % (a + 1)] = q
        parts += [-(log_softmax(v / o["tau"]) * q).sum() / n for b, v in enumerate(s) if b != a]
    return {**out, "loss": mean_of(parts)}
