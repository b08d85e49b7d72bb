# SPDX-License-Identifier: Apache-2.0
"""Terms, adversary and measures, by the tags of docs/objectives.md: x are the inputs, o the options of a case."""
import math

import numpy as np

from make_reverse import (absolute, centred, cholesky, concat, constant, covariance, exp, inverse, log, log_softmax,
                          logdet, norm, off_diagonal, positive, shortened, sqrt, squares, views, whole)

# ---- terms ----


def relic(x, o):  # [R1]-[R3], [R7], [R8]
    q, t = (views(x, "q"), views(x, "t")) if o["target"] else (views(x, "z"), views(x, "z"))
    t = [constant(v) for v in t] if o["target"] else t
    if o["invariance"] == "appendix_b":  # [R8]: view 1 is the clean sample
        h = [shortened(v, o["bound"]) for v in views(x, "h")]
        q = t = h[1:]
    elif o["normalise"]:
        q, t = [norm(v) for v in q], [norm(v) for v in t]
    n = q[0].shape[0]
    own, groups = np.arange(n), None
    if o["groups"]:
        ids, own = np.unique(whole(x["groups"]), return_inverse=True)
        groups = np.eye(len(ids))[own]
    pairs = [(a, b) for a in range(len(q)) for b in range(len(q)) if a != b]
    lp = [log_softmax(q[a] @ t[b].T / o["tau"]) for a, b in pairs]
    if groups is not None:
        lp = [log(exp(p) @ groups) for p in lp]
    contrast = -sum(p[np.arange(n), own].sum() for p in lp) / n
    invariance = 0.0
    if o["invariance"] == "euclidean":
        h = [norm(v) for v in views(x, "h")]
        invariance = sum(((h[a] - h[b]) ** 2).sum() for a in range(len(h)) for b in range(a)) / n
    elif o["invariance"] == "appendix_b":
        invariance = sum(((h[0] - v) ** 2).sum() for v in h[1:]) / n
    else:
        for a, p in enumerate(lp):
            p = constant(p) if o["kl_stop_gradient"] == "first" else p
            invariance = invariance + sum((exp(p) * (p - r)).sum() for b, r in enumerate(lp) if a != b) / n
    if not o.get("rho"):
        return {"loss": contrast + o["alpha"] * invariance, "contrast": contrast, "invariance": invariance}
    multiplier, above = x["state.multiplier"].value[0], invariance - o["rho"]  # [R7]
    return {"loss": contrast + multiplier * above, "contrast": contrast, "invariance": invariance,
            "multiplier": multiplier, "state.multiplier": np.maximum(multiplier + o["dual_rate"] * above.value, 0)[None]}


def ntxent(x, o):  # [S1]-[S3]
    z = norm(concat([x["z1"], x["z2"]], 0))
    rows = z.shape[0]
    s = z @ z.T / o["tau"]
    match = (np.arange(rows), (np.arange(rows) + rows // 2) % rows)
    out = np.eye(rows) > 0
    if not o.get("positive_in_denominator", True):
        out[match] = True
    weight = np.ones(rows // 2)
    if o.get("dclw_sigma", 0):
        p = np.exp((z.value[:rows // 2] * z.value[rows // 2:]).sum(1) / o["dclw_sigma"])
        weight = 2 - rows // 2 * p / p.sum()
    lowered = s + np.where(out, -1e300, 0)
    top = lowered.value.max(1, keepdims=True)
    return {"loss": (log(exp(lowered - top).sum(1)) + top).mean() - (s[match] * np.tile(weight, 2)).mean()}


def byol(x, o):  # [B1]
    n = x["p1"].shape[0]
    apart = [(norm(x[p]) - norm(constant(x[t]))) ** 2 for p, t in (("p1", "t2"), ("p2", "t1"))]
    return {"loss": (apart[0].sum() + apart[1].sum()) / n}


def barlow(x, o):  # [T1]
    z = [centred(v) / sqrt((centred(v) ** 2).mean(0) + o["eps"]) for v in (x["z1"], x["z2"])]
    c = z[0].T @ z[1] / z[0].shape[0]
    on = ((1 - c) ** 2 * np.eye(c.shape[0])).sum()
    off = (off_diagonal(c) ** 2).sum()
    return {"loss": on + o["lambda_offdiag"] * off, "on_diagonal": on, "off_diagonal": off}


def vicreg(x, o):  # [V1]-[V4]
    z = [x["z1"], x["z2"]]
    n, d = z[0].shape
    s = ((z[0] - z[1]) ** 2).mean()
    deviation = [sqrt((centred(v) ** 2).sum(0) / (n - 1) + o["eps"]) for v in z]
    v = sum(positive(o["gamma"] - w).mean() for w in deviation) / 2
    c = sum((off_diagonal(covariance(w)) ** 2).sum() for w in z) / d
    return {"loss": o["lambda"] * s + o["mu"] * v + o["nu"] * c, "invariance": s, "variance": v, "covariance": c}


def imix(x, o):
    n = x["z1"].shape[0]
    lp = log_softmax(norm(x["z1"]) @ norm(x["z2"]).T / o["tau"])
    share = x["share"].value.reshape(-1)
    own, other = lp[np.arange(n), np.arange(n)], lp[np.arange(n), whole(x["partner"])]
    return {"loss": -(own * share + other * (1 - share)).mean()}


def cross_entropy(x, o):
    labels = whole(x["labels"])
    z = views(x, "z") or [x["logits"]]
    return {"loss": -sum(log_softmax(v)[np.arange(len(labels)), labels].mean() for v in z) / len(z)}


def denoising(x, o):
    z = views(x, "z")
    weight = [m.value for m in views(x, "m")] if o["over"] == "corrupted" else [np.ones(x["x"].shape)] * len(z)
    apart = [((v - x["x"].value) ** 2 * w).sum() / w.sum() for v, w in zip(z, weight)]
    return {"loss": sum(apart) / len(z)}


def vime(x, o):
    z, m, target = views(x, "z"), views(x, "m"), x["x"].value
    d = target.shape[1]
    logit, guess = [v[:, :d] for v in z], [v[:, d:] for v in z]
    # log(1 + e^l) - m l, without overflow
    mask = sum((positive(a) + log(1 + exp(-absolute(a))) - a * b.value).mean() for a, b in zip(logit, m)) / len(z)
    value = sum(((y - target) ** 2).mean() for y in guess) / len(z)
    return {"loss": mask + o["alpha"] * value, "mask": mask, "value": value}


def logdet_entropy(x, o):  # [I3]
    d = x["z"].shape[1]
    if o.get("convention") == "ridge":
        entropy = logdet(covariance(x["z"]) + np.eye(d) * o["ridge"]) * 0.5
    else:
        entropy = logdet(np.eye(d) + o["beta"] * covariance(x["z"])) * 0.5
    return {"entropy": entropy, "entropy_loss": entropy / (d if o["divide_by"] == "d" else 1)}


def pairdist(x, o):  # [I4]
    z, alpha = x["z"], o.get("chernoff_alpha", 0)
    factor = {"kl": 1 / 2, "bhattacharyya": 1 / 8, "chernoff": alpha * (1 - alpha) / 2}[o["distance"]] / o["sigma"] ** 2
    loss = -log(exp(-squares(z, z) * factor).mean(1)).mean()
    rest = z.shape[1] / 2 * math.log(2 * math.pi * math.e * o["sigma"] ** 2)
    return {"entropy": loss + rest, "entropy_loss": loss, "conditional_entropy": rest}


def gaussian(x, o):  # [I5]
    return {"entropy": logdet(covariance(x["z"])) * 0.5 + x["z"].shape[1] / 2 * math.log(2 * math.pi * math.e)}


def information_bound(x, o):  # [I1]
    n, d = x["z"].shape
    log_q = ((x["z"] - x["z_prime"]) ** 2).sum() * (-0.5 / n) - d / 2 * math.log(2 * math.pi)
    entropy = {"gaussian": gaussian, "logdet": logdet_entropy, "pairdist": pairdist}[o["entropy"]](x, o)["entropy"]
    return {"expected_log_q": log_q, "entropy": entropy, "bound": entropy + log_q}


def entropy_invariance(x, o):  # [I2]
    of = {"logdet": logdet_entropy, "pairdist": pairdist}[o["entropy"]]
    h = [of({"z": x[k]}, o)["entropy_loss"] for k in ("z1", "z2")]
    s = ((x["z1"] - x["z2"]) ** 2).mean()
    return {"loss": -o["weight_entropy"] * (h[0] + h[1]) + o["weight_invariance"] * s, "entropy_z1": h[0],
            "entropy_z2": h[1], "invariance": s}


# ---- adversary ----


def perturbation(raw, p, eps):
    n = raw.shape[0]
    flat = raw.reshape(n, -1)
    size, dim = absolute(flat), flat.shape[1]
    if p == "inf":
        return (flat / size[np.arange(n), size.value.argmax(1)].reshape(n, 1) * eps).reshape(*raw.shape)
    return (flat / (size**p).sum(1) ** (1 / p) * (eps * dim ** (1 / p))).reshape(*raw.shape)


def perturb(x, o):  # [A1]
    delta = perturbation(x["raw"], o["p"], o["eps"])
    return {"delta": delta, "x_tilde": x["x"] + delta}


def aplr(x, o):  # [A2]-[A4]
    z, guess = x["z"], x["z_tilde"]
    if "predictor.weight" in x:
        guess = guess @ x["predictor.weight"].T + x.get("predictor.bias", 0.0)
    target = {"same": z, "stop_gradient": constant(z), "ema": x.get("z_target")}[o["target"]]
    target = constant(target) if o["target"] == "ema" else target
    reconstruction = ((guess - target) ** 2).mean()
    of = [z, x["z_tilde"]] if o["both"] else [z]
    orthogonality = sum(((covariance(v) - np.eye(v.shape[1])) ** 2).sum() / v.shape[1] for v in of)
    return {"loss": reconstruction + o["lambda"] * orthogonality, "reconstruction": reconstruction,
            "orthogonality": orthogonality}


def aplr_chain(x, o):
    a = x["encoder.weight"]
    x_tilde = x["x"] + perturbation(x["raw"], o["p"], o["eps"])
    return aplr({"z": x["x"] @ a.T, "z_tilde": x_tilde @ a.T, "predictor.weight": x["predictor.weight"]}, o)


def whiten(x, o):  # [A5]
    lower = cholesky(covariance(x["z"]) + o["ridge"] * np.eye(x["z"].shape[1]))
    return {"z_white": centred(x["z"]) @ inverse(lower).T}


# ---- measures ----


def hgr(x, o):  # [A6]
    # With Z = Q R of the centred matrices, C(Z)^(-1/2) C(Z, Z~) C(Z~)^(-1/2) has the singular values of Q^T Q~.
    q = [np.linalg.qr(v.value - v.value.mean(0))[0] for v in (x["z"], x["z_tilde"])]
    s = np.linalg.svd(q[0].T @ q[1], compute_uv=False)
    return {"hgr": s.sum(), "correlations": s}


def effective_rank(x, o):
    s = np.linalg.svd(x["z"].value, compute_uv=False)
    p = s[s > 0] / s.sum()
    eigenvalues = np.linalg.svd(x["z"].value - x["z"].value.mean(0), compute_uv=False) ** 2 / (len(x["z"].value) - 1)
    eigenvalues = np.pad(eigenvalues, (0, x["z"].shape[1] - len(eigenvalues)))
    return {"effective_rank": math.exp(-(p * np.log(p)).sum()), "singular_values": s,
            "covariance_eigenvalues": eigenvalues}


def alignment_uniformity(x, o):
    z = [norm(x["z1"]), norm(x["z2"])]
    out = {"alignment": ((z[0] - z[1]) ** 2).sum() / z[0].shape[0]}
    for k, v in enumerate(z):
        upper = np.triu_indices(v.shape[0], 1)
        out[f"uniformity_z{k + 1}"] = log(exp(-o["t"] * squares(v, v)[upper]).mean())
    return out


def fisher(x, o):  # [R5]
    f, labels = x["features"].value, whole(x["labels"])
    ids = np.unique(labels)
    mean = np.array([f[labels == c].mean(0) for c in ids])
    within = np.array([2 * (labels == c).sum() * ((f[labels == c] - m) ** 2).sum() for c, m in zip(ids, mean)])
    ratios = ((mean[:, None] - mean[None]) ** 2).sum(2) / within[:, None]
    pairs = ratios[~np.eye(len(ids), dtype=bool)]
    names = ("min", "quartile1", "median", "quartile3", "max")
    return dict(zip(names, np.quantile(pairs, [0, 0.25, 0.5, 0.75, 1])), ratios=ratios, classes=ids)


def generalisation_bound(x, o):  # [I6]
    def residual(f, y):
        u, s, _ = np.linalg.svd(f, full_matrices=False)
        u = u[:, s > 1e-10 * s[0]]
        return np.linalg.norm(y - u @ (u.T @ y))

    one_hot = np.eye(o["classes"])
    y = {k: one_hot[whole(x["y_" + k])] for k in ("unlabelled", "labelled", "test")}
    plus, labelled = x["f_plus"].value, x["f_labelled"].value
    out = {"invariance": np.linalg.norm(plus - x["f_plusplus"].value, axis=1).mean(),
           "unlabelled_norm": residual(plus, y["unlabelled"]), "labelled_norm": residual(labelled, y["labelled"])}
    out["unlabelled_term"] = 2 / math.sqrt(len(plus)) * out["unlabelled_norm"]
    out["labelled_term"] = out["labelled_norm"] / math.sqrt(len(labelled))
    out["sum_without_q"] = out["invariance"] + out["unlabelled_term"] + out["labelled_term"]
    out["head"] = (np.linalg.pinv(labelled, rcond=1e-10) @ y["labelled"]).T
    out["test_error"] = np.linalg.norm(x["f_test"].value @ out["head"].T - y["test"], axis=1).mean()
    return out


def normality(x, o):  # D'Agostino-Pearson
    v = x["sample"].value
    n = len(v)
    m = [((v - v.mean()) ** k).mean() for k in range(5)]
    skewness, kurtosis = m[3] / m[2] ** 1.5, m[4] / m[2] ** 2
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w = -1 + math.sqrt(2 * (beta - 1))
    z_s = math.asinh(y / math.sqrt(2 / (w - 1))) / math.sqrt(0.5 * math.log(w))
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    b = (kurtosis - 3 * (n - 1) / (n + 1)) / math.sqrt(variance)
    root = 6 * (n**2 - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / root * (2 / root + math.sqrt(1 + 4 / root**2))
    z_k = (1 - 2 / (9 * a) - np.cbrt((1 - 2 / a) / (1 + b * math.sqrt(2 / (a - 4))))) / math.sqrt(2 / (9 * a))
    k2 = z_s**2 + z_k**2
    return {"skewness": skewness, "kurtosis": kurtosis, "z_skewness": z_s, "z_kurtosis": z_k, "k2": k2,
            "p_value": math.exp(-k2 / 2)}
