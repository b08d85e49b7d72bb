# SPDX-License-Identifier: Apache-2.0
"""Measures of docs/objectives_more.md, by its tags: x are the inputs, o the options of a case."""
import numpy as np


def plain(x, name="z"):
    return x[name].value


def spectrum(z, centre):
    """Eigenvalues of C(Z), or of Z^T Z / N, in descending order."""
    z = z - z.mean(0) if centre else z
    return np.linalg.svd(z, compute_uv=False) ** 2 / (len(z) - 1 if centre else len(z))


def lidar(x, o):  # [LD1]
    z = plain(x)
    n, q, d = z.shape
    means = z.mean(1)
    rest = (z - means[:, None]).reshape(-1, d)
    within = rest.T @ rest / (n * (q - 1)) + o["delta"] * np.eye(d)
    away = (means - means.mean(0)) / np.sqrt(n - 1)
    s = np.linalg.svd(np.linalg.solve(np.linalg.cholesky(within), away.T), compute_uv=False) ** 2
    values = np.concatenate([s, np.zeros(d - len(s))])
    p = values / values.sum() + o["eps"]
    return {"lidar": np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()), "eigenvalues": values}


def alpha_req(x, o):  # [AR1]
    values = spectrum(plain(x), o["centre"])
    ranks = np.arange(o["first"], (min(o["last"], len(values)) or len(values)) + 1)
    ranks = ranks[values[ranks - 1] > o["threshold"] * values[0]]
    w = 1 / ranks if o["weights"] == "inverse_rank" else np.ones(len(ranks))
    u, v = np.log(ranks), np.log(values[ranks - 1])
    mean_u, mean_v = (w * u).sum() / w.sum(), (w * v).sum() / w.sum()
    slope = (w * (u - mean_u) * (v - mean_v)).sum() / (w * (u - mean_u) ** 2).sum()
    return {"alpha": -slope, "intercept": mean_v - slope * mean_u, "ranks": float(len(ranks))}


def stable_rank(x, o):  # [NE2]
    values = spectrum(plain(x), o["centre"])
    return {"stable_rank": values.sum() / values[0]}


def nesum(x, o):  # [NE1]
    return {"nesum": stable_rank(x, o)["stable_rank"]}


def two_nn(x, o):  # [TN1]
    z = plain(x)
    apart = np.sort(np.sqrt(((z[:, None] - z[None]) ** 2).sum(2)), 1)
    some = apart[:, 1] > 0
    logs = np.sort(np.log(apart[some, 2] / apart[some, 1]))
    n = len(logs)
    used = int(np.floor(n * (1 - o["discard"])))
    level = -np.log1p(-np.arange(1, used + 1) / n)
    return {"dimension": (level * logs[:used]).sum() / (logs[:used] ** 2).sum(), "used": float(used),
            "left_out": float((~some).sum())}


def cka(x, o):  # [CK1], [CK2]
    a, b = plain(x, "x"), plain(x, "y")
    n = len(a)

    def biased(p, q):
        return (((p - p.mean(0)).T @ (q - q.mean(0))) ** 2).sum() / (n - 1) ** 2

    def unbiased(p, q):
        k, l = p @ p.T * (1 - np.eye(n)), q @ q.T * (1 - np.eye(n))
        rest = k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * k.sum(0) @ l.sum(1)
        return ((k * l).sum() + rest) / (n * (n - 3))

    hsic = unbiased if o["unbiased"] else biased
    out = {"hsic_xy": hsic(a, b), "hsic_xx": hsic(a, a), "hsic_yy": hsic(b, b)}
    return {**out, "cka": out["hsic_xy"] / np.sqrt(out["hsic_xx"] * out["hsic_yy"])}


def human_normalised(x, o):  # [HN1]
    score, human, random = (plain(x, k) for k in ("score", "human", "random"))
    n = 100 * (score - random) / (human - random)
    return {"capped_mean": np.clip(n, 0, o["cap"]).mean(), "superhuman": float((n > 100).sum()), "mean": n.mean(),
            "median": np.median(n), "percentiles": np.percentile(n, o["percentiles"]), "normalised": n}


def interquartile_mean(x, o):  # [IQ1]
    scores = plain(x, "scores")
    ordered, cut = np.sort(scores.reshape(-1)), int(o["trim"] * scores.size)
    return {"iqm": ordered[cut:scores.size - cut].mean(), "mean": scores.mean(), "median": np.median(scores.mean(0)),
            "optimality_gap": o["gamma"] - np.minimum(scores, o["gamma"]).mean()}
