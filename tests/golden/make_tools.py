# SPDX-License-Identifier: Apache-2.0
"""Layers, optimisers, probes, figures of predictions and sound, as README.md defines them: x are the inputs, o the
options of a case."""
import math

import numpy as np

from make_reverse import Var, concat, exp, length, log_softmax, positive, sqrt, whole

# ---- layers: NCHW, weights OIHW ----


def pad(x, by):
    inside = (slice(None), slice(None)) + (slice(by, -by or None),) * 2
    return Var(np.pad(x.value, ((0, 0), (0, 0), (by, by), (by, by))), ((x, lambda g: g[inside]),))


def product(x, w):
    """sum_c x[n, c, h, w] w[o, c]"""
    return Var(np.einsum("nchw,oc->nohw", x.value, w.value),
               ((x, lambda g: np.einsum("nohw,oc->nchw", g, w.value)),
                (w, lambda g: np.einsum("nohw,nchw->oc", g, x.value))))


def convolve(x, w, stride, padding):
    k = w.shape[2]
    padded = pad(x, padding)
    high, wide = [(n - k) // stride + 1 for n in padded.shape[2:]]
    return sum(product(padded[:, :, i:i + stride * high:stride, j:j + stride * wide:stride], w[:, :, i, j])
               for i in range(k) for j in range(k))


def conv2d(x, o):
    y = convolve(x["x"], x["weight"], o["stride"], o["padding"])
    return {"y": y + x["bias"].reshape(1, -1, 1, 1) if o["bias"] else y}


def batch_norm(x, name, v, o):
    """Of v with the parameters that begin with name; the running statistics stand beside y in the result."""
    axes = (0,) + tuple(range(2, len(v.shape)))
    many = v.value.size // v.shape[1]
    shape = (1, -1) + (1,) * (len(v.shape) - 2)
    mean = v.sum(axes) / many
    variance = ((v - mean) ** 2).sum(axes) / many
    y = (v - mean) / sqrt(variance + o["eps"]) * x[name + "weight"].reshape(*shape) + x[name + "bias"].reshape(*shape)
    m = o["momentum"]
    batch = {"mean": mean.value.reshape(-1), "var": variance.value.reshape(-1) * many / (many - 1)}
    return y, {f"{name}running_{k}": (1 - m) * x[f"{name}running_{k}"].value + m * b for k, b in batch.items()}


def batchnorm(x, o):
    y, running = batch_norm(x, "", x["x"], o)
    return {"y": y, **running}


def basic_block(x, o):
    y, running = batch_norm(x, "bn1.", convolve(x["x"], x["conv1.weight"], o["stride"], 1), o)
    y, more = batch_norm(x, "bn2.", convolve(positive(y), x["conv2.weight"], 1, 1), o)
    running.update(more)
    beside = x["x"]
    if o["projection"]:
        beside, more = batch_norm(x, "downsample.1.", convolve(beside, x["downsample.0.weight"], o["stride"], 0), o)
        running.update(more)
    return {"y": positive(y + beside), **running}


def maxpool(x, o):
    v, k, stride, by = x["x"], o["kernel"], o["stride"], o["padding"]
    n, c, rows, cols = v.shape
    high, wide = (rows + 2 * by - k) // stride + 1, (cols + 2 * by - k) // stride + 1
    at = np.zeros((n, c, high, wide), np.int64)
    for place in np.ndindex(at.shape):
        top, left = place[2] * stride - by, place[3] * stride - by
        window = [(r, s) for r in range(max(top, 0), min(top + k, rows)) for s in range(max(left, 0), min(left + k, cols))]
        r, s = max(window, key=lambda w: v.value[place[0], place[1], w[0], w[1]])
        at[place] = np.ravel_multi_index((place[0], place[1], r, s), v.shape)
    return {"y": v.reshape(-1)[at]}


def relu(x, o):
    return {"y": positive(x["x"])}


def gap(x, o):
    return {"y": x["x"].reshape(*x["x"].shape[:2], -1).mean(2).reshape(*x["x"].shape[:2])}


def linear(x, o):
    y = x["x"] @ x["weight"].T
    return {"y": y + x["bias"] if o["bias"] else y}


def l2normalise(x, o):
    return {"y": x["x"] / length(x["x"], o["eps"])}


def layernorm(x, o):
    v = x["x"]
    apart = v - v.mean(1)
    return {"y": apart / sqrt((apart**2).mean(1) + o["eps"]) * x["weight"] + x["bias"]}


def lstm(x, o):
    def sigmoid(z):
        return (exp(-z) + 1) ** -1

    def tanh(z):
        return sigmoid(z * 2) * 2 - 1

    rows = x["x"].shape[0] // o["steps"]
    h, c, y, width = x["h0"], x["c0"], [], x["h0"].shape[1]
    h, c = Var(h.value), Var(c.value)  # constants
    for t in range(o["steps"]):
        gates = x["x"][t * rows : (t + 1) * rows] @ x["weight_ih_l0"].T + x["bias_ih_l0"]
        gates = gates + h @ x["weight_hh_l0"].T + x["bias_hh_l0"]
        i, f, g, out = (gates[:, k * width : (k + 1) * width] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(out) * tanh(c)
        y.append(h)
    return {"y": concat(y, 0), "hn": h, "cn": c}



# ---- training ----


def optimise(x, o, step):
    """The parameters after every step; step(parameter, gradient, rate, number, memory) gives the new one."""
    out = {}
    for name in [k for k in x if k.startswith("param")]:
        p, memory, after = x[name].value, {}, []
        for t, g in enumerate(x["grad_seq" + name[5:]].value):
            p = step(p, g, o["lr"][t] if isinstance(o["lr"], list) else o["lr"], t + 1, memory)
            after.append(p)
        out[name] = np.array(after)
    return out


def sgd(x, o):
    def step(p, g, rate, t, memory):
        g = g + o["weight_decay"] * p
        memory["buffer"] = g if t == 1 else o["momentum"] * memory["buffer"] + g
        return p - rate * (g + o["momentum"] * memory["buffer"] if o["nesterov"] else memory["buffer"])

    return optimise(x, o, step)


def adamw(x, o):
    b1, b2 = o["betas"]

    def step(p, g, rate, t, memory):
        m = memory["m"] = b1 * memory.get("m", 0) + (1 - b1) * g
        v = memory["v"] = b2 * memory.get("v", 0) + (1 - b2) * g**2
        return p * (1 - rate * o["weight_decay"]) - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + o["eps"])

    return optimise(x, o, step)


def adam(x, o):
    return adamw(x, dict(o, weight_decay=0))


def lars(x, o):
    def step(p, g, rate, t, memory):
        u = g if p.ndim == 1 and o["exclude_1d_from_decay"] else g + o["weight_decay"] * p
        sizes = np.linalg.norm(p), np.linalg.norm(u)
        if min(sizes) > 0 and not (p.ndim == 1 and o["exclude_1d_from_adaptation"]):
            u = u * (o["trust"] * sizes[0] / sizes[1])
        memory["mu"] = o["momentum"] * memory.get("mu", 0) + u
        return p - rate * memory["mu"]

    return optimise(x, o, step)


def lr_schedule(x, o):
    peak, warmup, total = o["base_rate"] * o["batch"] / 256, o["warmup_steps"], o["total_steps"]
    k = np.arange(total)
    q = (1 + np.cos(np.pi * (k - warmup) / (total - warmup))) / 2
    return {"lr": np.where(k < warmup, peak * k / warmup, peak * q + peak * o["final_ratio"] * (1 - q))}


def momentum(k, o):  # [R4]
    return 1 - (1 - o["m_base"]) * (np.cos(np.pi * k / o["K"]) + 1) / 2


def ema_values(x, o):
    return {"m": momentum(np.arange(o["K"] + 1), o)}


def ema_update(x, o):
    xi, after = x["target"].value, []
    for k, theta in zip(o["k"], x["theta_seq"].value):
        m = momentum(k, o)
        xi = m * xi + (1 - m) * theta
        after.append(xi)
    return {"target_seq": np.array(after)}


# ---- probes ----


def logreg(x, o):
    """Newton's method; of the common constant that b is free to have, the one with sum 0."""
    f, labels, classes = x["features"].value, whole(x["labels"]), o["classes"]
    n, d = f.shape
    f1, y = np.hstack([f, np.ones((n, 1))]), np.eye(classes)[labels]
    penalty = o["l2"] * np.append(np.ones(d), 0)
    w = np.zeros((classes, d + 1))
    for _ in range(60):
        p = np.exp(log_softmax(Var(f1 @ w.T)).value)
        gradient = (p - y).T @ f1 / n + penalty * w
        h = np.einsum("na,ab,ni,nj->aibj", p, np.eye(classes), f1, f1) - np.einsum("na,nb,ni,nj->aibj", p, p, f1, f1)
        h = h.reshape(w.size, w.size) / n + np.diag(np.tile(penalty, classes))
        w = w - np.linalg.lstsq(h, gradient.reshape(-1), rcond=1e-12)[0].reshape(w.shape)
        w[:, d] -= w[:, d].mean()
    cross_entropy = -log_softmax(Var(f1 @ w.T)).value[np.arange(n), labels].mean()
    return {"objective": cross_entropy + o["l2"] / 2 * (w[:, :d] ** 2).sum(), "cross_entropy": cross_entropy,
            "weight": w[:, :d], "bias": w[:, d]}


def knn(x, o):
    train, test = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x["train"].value, x["test"].value)]
    similarity, one_hot = test @ train.T, np.eye(o["classes"])[whole(x["labels"])]
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :o["k"]]
    scores = np.array([np.exp(s[k] / o["temperature"]) @ one_hot[k] for s, k in zip(similarity, nearest)])
    return {"scores": scores, "predictions": scores.argmax(1)}


# ---- figures of predictions ----


def r2(x, o):
    p, y = x["predictions"].value, x["targets"].value
    left, total = ((y - p) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
    same = (y == y[0]).all(0)
    each = np.where(same, (left == 0).astype(float), 1 - left / np.where(same, 1, total))
    return {"r2": each.mean(), "mse": ((y - p) ** 2).mean(), "mae": np.abs(y - p).mean(), "r2_each": each}


def auroc(x, o):
    scores, labels, each, classes = x["scores"].value, whole(x["labels"]), [], []
    for c in range(scores.shape[1]):
        positives, negatives = scores[labels == c, c], scores[labels != c, c]
        if len(positives) and len(negatives):
            apart = positives[:, None] - negatives[None]
            each.append(((apart > 0) + 0.5 * (apart == 0)).mean())
            classes.append(c)
    return {"auroc": np.mean(each), "auroc_each": np.array(each), "classes": np.array(classes)}


def classification(x, o):
    guess, labels, classes = x["scores"].value.argmax(1), whole(x["labels"]), x["scores"].shape[1]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, guess), 1)
    right, of, said = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    recall, f1 = right / np.maximum(of, 1), 2 * right / np.maximum(of + said, 1)
    return {"accuracy": right.sum() / len(labels), "balanced_accuracy": recall[of > 0].mean(),
            "macro_f1": f1[of + said > 0].mean(), "recall": recall, "f1": f1, "confusion": confusion}


def ece(x, o):
    p, labels, bins = x["probabilities"].value, whole(x["labels"]), o["bins"]
    top, right = p.max(1), p.argmax(1) == labels
    at = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(at, minlength=bins)
    of = [np.bincount(at, v, bins) / np.maximum(counts, 1) for v in (right, top)]
    gap_of = np.abs(of[0] - of[1])
    return {"ece": (counts * gap_of).sum() / len(labels), "mce": gap_of.max(), "counts": counts, "accuracies": of[0],
            "confidences": of[1]}


def worst_group(x, o):
    right, groups = whole(x["predictions"]) == whole(x["labels"]), whole(x["groups"])
    ids, counts = np.unique(groups, return_counts=True)
    each = np.array([right[groups == g].mean() for g in ids])
    return {"accuracy": right.mean(), "worst_accuracy": each.min(), "mean_over_groups": each.mean(), "groups": ids,
            "accuracies": each, "counts": counts}


# ---- sound ----


def logmel(x, o):
    signal, n, rate = x["signal"].value, o["n_fft"], o["sample_rate"]
    frames = 1 + (len(signal) - n) // o["hop"]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    power = np.array([np.abs(np.fft.rfft(signal[t * o["hop"]:][:n] * window)) ** 2 for t in range(frames)])
    low, high = [2595 * math.log10(1 + f / 700) for f in (o["f_min"], o["f_max"])]
    points = 700 * (10 ** (np.linspace(low, high, o["n_mels"] + 2) / 2595) - 1)
    f = np.arange(n // 2 + 1)[:, None] * rate / n
    left, peak, right = points[None, :-2], points[None, 1:-1], points[None, 2:]
    mel = np.maximum(0, np.minimum((f - left) / (peak - left), (right - f) / (right - peak)))
    return {"logmel": np.log(power @ mel + o["log_offset"])}
