#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`invar loss` against PyTorch: the formulas of docs/objectives.md and docs/objectives_more.md, differentiated automatically.

usage: loss_torch.py [--invar build/invar] [--golden tests/golden] [--draws N] [--seed N]

Runs the golden inputs of every term and fresh random inputs of many shapes and options through the command, and
compares every value and gradient: relative error at most 1e-5 in float32, 1e-10 in float64. Exit status 1 where
one differs, 77 (skipped) without PyTorch.
"""

import argparse
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError:
    print("skipped: PyTorch and numpy are needed")
    sys.exit(77)


def normalise(x):
    return x / x.norm(dim=1, keepdim=True).clamp_min(1e-12)


def group_log_softmax(logits, groups):
    """log p of [R2], summed over groups where there are any; second: the column of each row's own group."""
    log_p = torch.log_softmax(logits, dim=1)
    if groups is None:
        return log_p, torch.arange(len(logits))
    ids, own = torch.unique(groups, return_inverse=True)
    columns = [torch.logsumexp(log_p[:, own == c], dim=1) for c in range(len(ids))]
    return torch.stack(columns, dim=1), own


def relic(inputs, options, groups):
    views = len([name for name in inputs if name[0] in "zq"])
    online = "q" if options.get("target") else "z"
    target = "t" if options.get("target") else "z"
    unit = normalise if options.get("normalise", True) else (lambda x: x)
    appendix_b = options.get("invariance") == "appendix_b"
    if appendix_b:  # of h, no longer than the bound; view 1 is the clean sample
        short = lambda x: x * (options["bound"] / x.norm(dim=1, keepdim=True)).clamp_max(1)
        clean, *q = [short(x) for x in views_of(inputs, "h")]
        t, views = q, len(q)
    else:
        q = [unit(inputs[f"{online}{v + 1}"]) for v in range(views)]
        t = [unit(inputs[f"{target}{v + 1}"]) for v in range(views)]
    n = len(q[0])
    pairs = [(l, k) for l in range(views) for k in range(views) if l != k]
    log_p = {}
    for l, k in pairs:
        log_p[l, k], own = group_log_softmax(q[l] @ t[k].T / options.get("tau", 0.1), groups)
    contrast = -sum(log_p[p][torch.arange(n), own].sum() for p in pairs) / n
    if appendix_b:
        compared, invariance = [], sum(((clean - x) ** 2).sum() for x in q) / n
    elif options.get("invariance", "kl") == "euclidean":
        h = [normalise(inputs[f"h{v + 1}"]) for v in range(views)]
        compared = list(itertools.combinations(range(views), 2))
        invariance = sum(((h[a] - h[b]) ** 2).sum() for a, b in compared) / n
    else:
        if options.get("pairs", "all") == "all":
            compared = [(a, b) for a in pairs for b in pairs if a != b]
        else:
            compared = list(zip(pairs, pairs[1:] + pairs[:1]))
        invariance = 0
        for a, b in compared:
            first = log_p[a].detach() if options.get("kl_stop_gradient") == "first" else log_p[a]
            invariance = invariance + (first.exp() * (first - log_p[b])).sum() / n
    if options.get("normalise_pairs"):
        contrast = contrast / len(pairs)
        invariance = invariance / len(compared)
    loss = contrast + options.get("alpha", 1.0) * invariance
    return {"loss": loss, "contrast": contrast, "invariance": invariance}


def ntxent(inputs, options, _):
    z = normalise(torch.cat([inputs["z1"], inputs["z2"]]))
    n, rows = len(z) // 2, torch.arange(len(z))
    match = (rows + n) % (2 * n)
    raw = z @ z.T / options.get("tau", 0.5)
    weight = torch.ones(n, dtype=z.dtype)
    if options.get("dclw_sigma"):
        weight = 2 - n * torch.softmax((z[:n] * z[n:]).sum(1).detach() / options["dclw_sigma"], 0)
    out = torch.eye(2 * n, dtype=torch.bool)
    if not options.get("positive_in_denominator", True):
        out[rows, match] = True
    all_of = torch.logsumexp(raw.masked_fill(out, float("-inf")), dim=1)
    return {"loss": (all_of - raw[rows, match] * weight.repeat(2)).mean()}


def views_of(inputs, letter):
    return [inputs[name] for name in sorted(inputs) if name[0] == letter]


def over_views(values, options, key="over_views", default="sum"):
    return sum(values) / (len(values) if options.get(key, default) == "mean" else 1)


def byol(inputs, options, _):
    unit = normalise if options.get("normalise", True) else (lambda x: x)
    p, t = [[unit(x) for x in views_of(inputs, letter)] for letter in "pt"]
    pairs = [(l, k) for l in range(len(p)) for k in range(len(p)) if l != k]
    loss = sum(((p[l] - t[k]) ** 2).sum(dim=1).mean() for l, k in pairs)
    return {"loss": loss / (len(pairs) if options.get("normalise_pairs") else 1)}


def off_diagonal_squares(c):
    return (c[~torch.eye(len(c), dtype=torch.bool)] ** 2).sum()


def barlow(inputs, options, _):
    z = views_of(inputs, "z")
    n = len(z[0])
    unbiased = options.get("variance", "biased") == "unbiased"
    s = [(x - x.mean(0)) / (x.var(0, unbiased=unbiased) + options.get("eps", 1e-5)).sqrt() for x in z]
    pairs = list(itertools.combinations(s, 2))
    divisor = n - 1 if options.get("correlation_divisor", "N") == "N-1" else n
    share = 1 / len(pairs) if options.get("normalise_pairs") else 1
    on, off = 0, 0
    for a, b in pairs:
        c = a.T @ b / divisor
        on = on + share * ((1 - c.diagonal()) ** 2).sum()
        off = off + share * off_diagonal_squares(c)
    return {"loss": on + options.get("lambda_offdiag", 0.0051) * off, "on_diagonal": on, "off_diagonal": off}


def invariance(inputs, options, _):
    unit = normalise if options.get("normalise") else (lambda x: x)
    pairs = list(itertools.combinations([unit(z) for z in views_of(inputs, "z")], 2))
    size = len(pairs[0][0]) if options.get("divide_by", "nd") == "n" else pairs[0][0].numel()
    loss = sum(((a - b) ** 2).sum() / size for a, b in pairs)
    return {"loss": loss / (len(pairs) if options.get("normalise_pairs") else 1)}


def variance(inputs, options, _):
    gamma, eps = options.get("gamma", 1.0), options.get("eps", 1e-4)
    hinges = [torch.relu(gamma - (z.var(0) + eps).sqrt()).mean() for z in views_of(inputs, "z")]
    return {"loss": over_views(hinges, options, default="mean")}


def covariance(inputs, options, _):
    parts = []
    for z in views_of(inputs, "z"):
        c = torch.cov(z.T).reshape(z.shape[1], z.shape[1])
        parts.append(off_diagonal_squares(c) / len(c))
    return {"loss": over_views(parts, options)}


def vicreg(inputs, options, _):
    own = options | {"over_views": options.get("variance_over_views", "mean")}
    parts = {"invariance": invariance(inputs, options, _)["loss"], "variance": variance(inputs, own, _)["loss"]}
    own = {"over_views": options.get("covariance_over_views", "sum")}
    parts["covariance"] = covariance(inputs, own, _)["loss"]
    weights = [options.get("lambda", 25), options.get("mu", 25), options.get("nu", 1)]
    return {"loss": sum(weight * part for weight, part in zip(weights, parts.values()))} | parts


def log_determinant(z, beta):
    """log det(I + beta C) from singular values: the determinant of a d x d matrix of few samples would be mostly rounding."""
    return torch.log1p(beta / (len(z) - 1) * torch.linalg.svdvals(z - z.mean(0)) ** 2).sum()


def logdet_nats(z, options):
    if options.get("convention") == "ridge":
        z = normalise(z) if options.get("normalise") else z
        return torch.logdet(torch.cov(z.T) + options["ridge"] * torch.eye(z.shape[1], dtype=z.dtype)) / 2
    return log_determinant(normalise(z) if options.get("normalise") else z, options.get("beta", 1.0)) / 2


def squared_distances(z):
    return ((z[:, None] - z[None]) ** 2).sum(dim=2)


def pairdist_nats(z, options):
    """Without H(Z|C)."""
    z = normalise(z) if options.get("normalise") else z
    alpha = options.get("chernoff_alpha", 0.5)
    factor = {"kl": 1 / 2, "bhattacharyya": 1 / 8, "chernoff": alpha * (1 - alpha) / 2}[options.get("distance", "kl")]
    apart = squared_distances(z) * factor / options.get("sigma", 1.0) ** 2
    return -torch.logsumexp(-apart, dim=1).mean() + np.log(len(z))


def logdet(inputs, options, _):
    entropy = over_views([logdet_nats(z, options) for z in views_of(inputs, "z")], options)
    loss = entropy / (inputs[min(inputs)].shape[1] if options.get("divide_by", "d") == "d" else 1)
    return {"loss": loss, "entropy": entropy, "entropy_loss": loss}


def pairdist(inputs, options, _):
    z = views_of(inputs, "z")
    d = z[0].shape[1]
    entropy = over_views([pairdist_nats(x, options) for x in z], options)
    each = d / 2 * np.log(2 * np.pi * np.e * options.get("sigma", 1.0) ** 2)
    conditional = over_views([torch.tensor(each) for _ in z], options)
    loss = entropy / (d if options.get("divide_by", "none") == "d" else 1)
    return {"loss": loss, "entropy": entropy + conditional, "entropy_loss": loss, "conditional_entropy": conditional}


def entropy_invariance(inputs, options, _):
    z = views_of(inputs, "z")
    estimator = options.get("entropy", "logdet")
    divide_by = options.get("divide_by", "auto")
    by_d = divide_by == "d" or (divide_by == "auto" and estimator == "logdet")
    nats = logdet_nats if estimator == "logdet" else pairdist_nats
    parts = {f"entropy_z{v + 1}": nats(x, options) / (x.shape[1] if by_d else 1) for v, x in enumerate(z)}
    own = {"divide_by": options.get("invariance_divide_by", "nd"), "normalise": options.get("invariance_normalise")}
    distance = invariance(inputs, own, _)["loss"]
    loss = options.get("weight_invariance", 1) * distance - options.get("weight_entropy", 1) * sum(parts.values())
    return {"loss": loss, "invariance": distance} | parts


def spread(z, options):
    count = options.get("global_views") or len(z)
    centre = sum(z[:count]) / count
    return sum(((x - centre) ** 2).mean() for x in z) / len(z)


def directions(inputs):
    return inputs["slices"] / inputs["slices"].norm(dim=0)


def sigreg(inputs, options, _):
    z = views_of(inputs, "z")
    t = torch.linspace(0, options.get("t_max", 3), options.get("knots", 17), dtype=z[0].dtype)
    normal, sketches = torch.exp(-t * t / 2), []
    for x in z if options.get("views", "separate") == "separate" else [torch.cat(z)]:
        angle = (x @ directions(inputs))[..., None] * t
        apart = (angle.cos().mean(0) - normal) ** 2 + angle.sin().mean(0) ** 2
        sketches.append(2 * len(x) * torch.trapezoid(apart * normal, t).mean())
    sketch, distance, weight = sum(sketches) / len(sketches), spread(z, options), options.get("lambda", 0.05)
    rest = 1 if options.get("invariance_weight") == "one" else 1 - weight
    return {"loss": weight * sketch + rest * distance, "sigreg": sketch, "invariance": distance}


def visreg(inputs, options, _):
    z, parts = views_of(inputs, "z"), {"centre": 0, "scale": 0, "shape": 0}
    n = len(z[0])
    goal = torch.special.ndtri(torch.arange(1, n + 1, dtype=z[0].dtype) / (n + 1))[:, None]
    for x in z:
        deviation = x.var(0, unbiased=False).clamp_min(1e-300).sqrt()
        p = ((x - x.mean(0)) / (deviation.detach() + options.get("eps", 1e-4))) @ directions(inputs)
        parts["centre"] += (x.mean(0) ** 2).mean() / len(z)
        parts["scale"] += ((1 - deviation) ** 2).mean() / len(z)
        parts["shape"] += ((p.sort(0).values - goal) ** 2).mean() / len(z)
    weight, distance = options.get("lambda", 0.9), spread(z, options)
    sketch = sum(options.get(f"weight_{key}", 1) * value for key, value in parts.items())
    return {"loss": (1 - weight) * distance + weight * sketch, "invariance": distance} | parts


def mmcr(inputs, options, _):
    u = [normalise(z) if options.get("normalise", True) else z for z in views_of(inputs, "z")]
    whole = torch.linalg.svdvals(sum(u) / len(u)).sum()
    local = torch.linalg.svdvals(torch.stack(u, 1)).sum(1).mean()
    return {"loss": options.get("lambda", 0) * local - whole, "global_nuclear": whole, "local_nuclear": local}


def corinfomax(inputs, options, _):
    """Of the first step, whose past is I and 0."""
    z = [normalise(x) if options.get("normalise", True) else x for x in views_of(inputs, "z")]
    n, d = z[0].shape
    eye, old = torch.eye(d, dtype=z[0].dtype), options.get("lambda_r", 0.01)
    away = [x - (1 - options.get("lambda_mu", 0.01)) * x.mean(0) for x in z]
    r = [old * eye + (1 - old) / n * x.T @ x for x in away]
    apart = -sum(torch.logdet(x + options.get("eps", 1e-8) * eye) for x in r) / d
    distance = ((z[0] - z[1]) ** 2).mean()
    return {"loss": apart + options.get("weight_invariance", 250) * distance, "spread": apart, "invariance": distance}


def swav(inputs, options, _):
    q, assigned = views_of(inputs, "q"), []
    for s in q[:options.get("assign_views", 2)]:
        log_a = s.detach() / options.get("epsilon", 0.05)
        for _ in range(options.get("iterations", 3)):
            log_a = torch.log_softmax(torch.log_softmax(log_a, dim=0), dim=1)
        assigned.append(log_a.exp())
    pairs = [(a, s) for i, a in enumerate(assigned) for j, s in enumerate(q) if i != j]
    tau = options.get("tau", 0.1)
    return {"loss": sum(-(a * torch.log_softmax(s / tau, dim=1)).sum(1).mean() for a, s in pairs) / len(pairs)}


def moco(inputs, options, _):
    """Behind the queues of a golden case: rows beyond count hold nothing."""
    count = int(inputs["state.count"])
    ways = [(1, 2), (2, 1)] if options.get("symmetric", True) else [(1, 2)]
    loss = 0
    for a, b in ways:
        q, t = normalise(inputs[f"q{a}"]), normalise(inputs[f"t{b}"])
        others = q @ inputs[f"state.queue{b}"][:count].T
        logits = torch.cat([(q * t).sum(1, keepdim=True), others], dim=1) / options.get("tau", 0.2)
        loss = loss - torch.log_softmax(logits, dim=1)[:, 0].mean() / len(ways)
    return {"loss": loss}


# terms whose value depends on what they keep, which `invar loss` begins without: the golden cases have it, and build/tests/golden
# holds invar to them
WITH_STATE = {"moco": moco}

# where every sample is in one group the gradient is 0 up to rounding: below this an error is not relative
FLOOR = 1e-4
TERMS = {function.__name__: function for function in (
    relic, ntxent, byol, barlow, vicreg, invariance, variance, covariance, logdet, pairdist, entropy_invariance,
    sigreg, visreg, mmcr, corinfomax, swav)}


def write_option(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def run_invar(invar, term, arrays, options, wide, folder):
    command = [invar, "loss", term, "--json", "--grad", str(folder / "gradients")]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        command += ["--in", f"{name}={folder / name}.npy"]
    command += [f"{key}={write_option(value)}" for key, value in options.items()]
    done = subprocess.run(command + (["--float64"] if wide else []), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    gradients = {path.stem[5:]: np.load(path) for path in (folder / "gradients").iterdir()}
    return json.loads(done.stdout), gradients


def error_of(got, expected):
    return float(np.linalg.norm(np.asarray(got, "f8") - expected) / max(np.linalg.norm(expected), FLOOR))


def compare(invar, term, arrays, options):
    """Largest relative error of float32 and of float64."""
    groups = torch.tensor(arrays["groups"]) if "groups" in arrays else None
    inputs = {name: torch.tensor(array, dtype=torch.float64, requires_grad=name[0] not in "ts")
              for name, array in arrays.items() if name != "groups"}
    expected = TERMS[term](inputs, options, groups)
    expected["loss"].backward()
    worst = []
    for wide in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            values, gradients = run_invar(invar, term, arrays, options, wide, pathlib.Path(folder))
        errors = [error_of(values[name], float(value.detach())) for name, value in expected.items()]
        wanted = {name: x.grad.numpy() for name, x in inputs.items() if x.requires_grad}
        gradients.pop("slices", None)  # which no gradient goes to
        if wanted.keys() != gradients.keys():
            raise RuntimeError(f"gradients of {sorted(gradients)}, expected {sorted(wanted)}")
        errors += [error_of(gradients[name], gradient) for name, gradient in wanted.items()]
        worst.append(max(errors))
    return worst


def draw_options(term, rng):
    """Roles, number of views and options of a random case. sigma None: in units of the size of z, which draw knows."""
    flag = lambda: rng.random() < 0.3
    views = rng.choice([2, 2, 3])
    entropy = {"beta": rng.choice([0.1, 1, 10, 100]), "normalise": flag(), "over_views": rng.choice(["sum", "mean"])}
    kernel = {"distance": rng.choice(["kl", "bhattacharyya", "chernoff"]), "chernoff_alpha": rng.choice([0.2, 0.5])}
    hinge = {"gamma": rng.choice([1, 1.4, 3]), "eps": rng.choice([1e-4, 0.1])}
    own = {
        "ntxent": (["z"], 2, {"tau": rng.choice([0.1, 0.2, 0.5, 1.0]), "positive_in_denominator": not flag(),
                              "dclw_sigma": rng.choice([0, 0, 0.5])}),
        "sigreg": (["z"], views, {"knots": rng.choice([9, 17]), "global_views": rng.choice([0, 1]),
                                  "views": rng.choice(["separate", "joined"]), "lambda": rng.choice([0.05, 0.5])}),
        "visreg": (["z"], views, {"lambda": rng.choice([0.6, 0.9]), "global_views": rng.choice([0, 1])}),
        "mmcr": (["z"], views, {"lambda": rng.choice([0, 0.005, 1]), "normalise": not flag()}),
        "corinfomax": (["z"], 2, {"lambda_r": rng.choice([0.01, 0.5]), "normalise": not flag(),
                                  "lambda_mu": rng.choice([0.01, 0.9]), "eps": rng.choice([1e-6, 1e-3])}),
        "swav": (["q"], views, {"iterations": rng.choice([1, 3]), "epsilon": rng.choice([0.2, 1.0]), "tau": 0.5}),
        "byol": (["p", "t"], views, {"normalise": not flag(), "normalise_pairs": flag()}),
        "barlow": (["z"], views, {"lambda_offdiag": rng.choice([0, 0.0051, 1]), "eps": rng.choice([1e-5, 0.1]),
                                  "variance": rng.choice(["biased", "unbiased"]), "normalise_pairs": flag(),
                                  "correlation_divisor": rng.choice(["N", "N-1"])}),
        "vicreg": (["z"], views, hinge | {"lambda": rng.choice([0, 25]), "mu": rng.choice([1, 25]), "nu": 1,
                                          "variance_over_views": rng.choice(["sum", "mean"]),
                                          "divide_by": rng.choice(["n", "nd"])}),
        "invariance": (["z"], views, {"divide_by": rng.choice(["n", "nd"]), "normalise": flag(),
                                      "normalise_pairs": flag()}),
        "variance": (["z"], rng.choice([1, 2, 3]), hinge | {"over_views": rng.choice(["sum", "mean"])}),
        "covariance": (["z"], rng.choice([1, 2, 3]), {"over_views": rng.choice(["sum", "mean"])}),
        "logdet": (["z"], rng.choice([1, 2, 3]), entropy | {"divide_by": rng.choice(["d", "none"])}),
        "pairdist": (["z"], rng.choice([1, 2, 3]), kernel | {"normalise": flag(), "sigma": None,
                                                             "divide_by": rng.choice(["d", "none"])}),
        "entropy_invariance": (["z"], views, kernel | {
            "entropy": rng.choice(["logdet", "pairdist"]), "beta": entropy["beta"], "sigma": None,
            "normalise": flag(), "invariance_normalise": flag(), "weight_invariance": rng.choice([0, 1, 25]),
            "divide_by": rng.choice(["auto", "d", "none"]), "invariance_divide_by": rng.choice(["n", "nd"])}),
    }
    return own[term]


def draw_relic(rng, d):
    options = {"tau": rng.choice([0.1, 0.2, 0.5, 1.0]), "alpha": rng.choice([0, 0.5, 1, 5]),
               "pairs": rng.choice(["all", "adjacent"]), "normalise_pairs": rng.random() < 0.3,
               "target": rng.random() < 0.5, "invariance": rng.choice(["kl", "kl", "euclidean"]),
               "kl_stop_gradient": rng.choice(["none", "first"]), "groups": rng.random() < 0.3}
    if rng.random() < 0.2:
        options |= {"normalise": False, "tau": float(d)}
    roles = (["q", "t"] if options["target"] else ["z"]) + (["h"] if options["invariance"] == "euclidean" else [])
    return roles, rng.choice([2, 2, 3, 4]), options


def draw(rng):
    """One random set of inputs and options."""
    term = rng.choice(["relic", "relic", *TERMS])
    n, d = rng.choice([2, 3, 8, 33, 64, 128, 257]), rng.choice([2, 3, 16, 64, 128])
    if term == "barlow":
        n = max(n, 8)  # two standardised rows are signs, whose gradient is made of eps alone
    roles, views, options = draw_relic(rng, d) if term == "relic" else draw_options(term, rng)
    if "sigma" in options:
        options["sigma"] = rng.choice([0.5, 1]) if options["normalise"] else rng.choice([0.5, 1]) * d**0.5
    numbers = np.random.default_rng(rng.getrandbits(32))
    arrays = {}
    for role in roles:
        shared = numbers.standard_normal((n, d))
        for view in range(views):
            arrays[f"{role}{view + 1}"] = (shared + numbers.standard_normal((n, d))).astype("f4").astype("f8")
    if term in ("sigreg", "visreg"):
        arrays["slices"] = numbers.standard_normal((d, rng.choice([1, 7, 32]))).astype("f4").astype("f8")
    if options.get("groups"):
        arrays["groups"] = numbers.integers(-3, max(2, n // 2), n)
    return term, arrays, options


def errors_with_state(folder):
    """Name and largest relative error of every golden case of WITH_STATE, in float64."""
    for path in sorted(pathlib.Path(folder).glob("*/case.json")):
        case = json.loads(path.read_text())
        if case["term"] not in WITH_STATE:
            continue
        inputs = {name[:-4]: torch.tensor(np.load(path.parent / name)) for name in case["inputs"]}
        wanted = {name: np.load(path.parent / file) for name, file in case["gradients"].items()}
        for name in wanted:
            inputs[name].requires_grad_(True)
        got = WITH_STATE[case["term"]](inputs, case["options"], None)
        got["loss"].backward()
        errors = [error_of(float(got[name].detach()), value) for name, value in case["expected"].items() if name in got]
        yield case["name"], max(errors + [error_of(inputs[name].grad.numpy(), wanted[name]) for name in wanted])


def golden_cases(folder):
    for path in sorted(pathlib.Path(folder).glob("*/case.json")):
        case = json.loads(path.read_text())
        first = not any(name.startswith(("state.", "prototypes")) for name in case["inputs"])
        if case["term"] in TERMS and first:
            arrays = {name[:-4]: np.load(path.parent / name) for name in case["inputs"]}
            yield case["name"], case["term"], arrays, case["options"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--invar", default="build/invar")
    parser.add_argument("--golden", default="tests/golden")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    cases = list(golden_cases(arguments.golden))
    cases += [(f"draw {i}", *draw(rng)) for i in range(arguments.draws)]
    failed, worst = 0, [0.0, 0.0]
    for name, term, arrays, options in cases:
        errors = compare(arguments.invar, term, arrays, options)
        worst = [max(pair) for pair in zip(worst, errors)]
        if not (errors[0] <= 1e-5 and errors[1] <= 1e-10):
            failed += 1
            shapes = {key: value.shape for key, value in arrays.items()}
            print(f"{name}: {term} {options} {shapes}: off by {errors[0]:.2e} (float32), {errors[1]:.2e} (float64)")
    for name, error in errors_with_state(arguments.golden):
        cases.append(name)
        if not error <= 1e-10:
            failed += 1
            print(f"{name}: the transcription is off by {error:.2e} (float64)")
    print(f"{len(cases)} cases, {failed} failed; largest relative error {worst[0]:.2e} (float32), "
          f"{worst[1]:.2e} (float64)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
