#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Value and gradient of the terms that bench_terms has timed, in PyTorch: same inputs, options, threads, float32.

The formulas are those of tests/peers/loss_torch.py, with what is written there for reading alone made fast: off-diagonal sums
without an index, distances from one product. Beside them the forms that do less: ReLIC's logits multiplied once, N x N matrices
for covariances, correlations and determinants where N is the smaller. The fastest counts. Reads bench_terms' lines and the
folder of its inputs; prints one JSON object a line.
usage: terms_torch.py LINES FOLDER [--repeats N] [--compile]
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy as np
import torch

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "tests/peers"), str(pathlib.Path(__file__).parent)]
import loss_torch  # noqa: E402
import losses  # noqa: E402
import more_terms  # noqa: E402


def off_diagonal_squares(c):
    n = len(c)
    return (c.flatten()[:-1].view(n - 1, n + 1)[:, 1:] ** 2).sum()


def squared_distances(z):
    squares = (z**2).sum(1)
    return (squares[:, None] + squares - 2 * (z @ z.T)).clamp_min(0)


def smaller_log_determinant(z, beta):
    z = z - z.mean(0)
    c = z @ z.T if len(z) < z.shape[1] else z.T @ z
    return torch.logdet(torch.eye(len(c)) + beta / (len(z) - 1) * c)


def cholesky_log_determinant(z, beta):
    z = z - z.mean(0)
    c = z @ z.T if len(z) < z.shape[1] else z.T @ z
    factor = torch.linalg.cholesky(torch.eye(len(c)) + beta / (len(z) - 1) * c)
    return 2 * factor.diagonal().log().sum()


def covariance_by_rows(inputs, options, _):
    parts = []
    for z in loss_torch.views_of(inputs, "z"):
        z = z - z.mean(0)
        g = z @ z.T / (len(z) - 1)
        parts.append(((g**2).sum() - (z.var(0) ** 2).sum()) / z.shape[1])
    return {"loss": sum(parts)}


def barlow_by_rows(inputs, options, _):
    a, b = [(z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for z in loss_torch.views_of(inputs, "z")]
    n = len(a)
    c = (a * b).mean(0)
    off = ((a @ a.T) * (b @ b.T)).sum() / n**2 - (c**2).sum()
    return {"loss": ((1 - c) ** 2).sum() + 0.0051 * off}


def relic_once(inputs, options, _):
    return {"loss": losses.relic(inputs["z1"], inputs["z2"], options["tau"], 1.0)}


def forms(term, options, fewer_rows):
    """Functions of inputs to a loss, all of the same value."""
    if term in more_terms.TERMS:
        state = {}
        yield "formula", lambda inputs: more_terms.TERMS[term](inputs, options, state)
        if term in more_terms.OTHER_FORMS:
            name, other = more_terms.OTHER_FORMS[term]
            yield name, lambda inputs: other(inputs, options, state)
        return

    def transcribed(inputs):
        return loss_torch.TERMS[term](inputs, options, None)["loss"]

    def with_other(name, other):
        def run(inputs):
            before = getattr(loss_torch, name)
            setattr(loss_torch, name, other)
            try:
                return transcribed(inputs)
            finally:
                setattr(loss_torch, name, before)
        return run

    yield "formula", transcribed
    if term in ("logdet", "entropy_invariance"):
        yield "smaller side", with_other("log_determinant", smaller_log_determinant)
        yield "smaller side, Cholesky", with_other("log_determinant", cholesky_log_determinant)
    if term in ("covariance", "vicreg") and fewer_rows:
        yield "N x N", with_other("covariance", covariance_by_rows) if term == "vicreg" else (
            lambda inputs: covariance_by_rows(inputs, options, None)["loss"])
    if term == "barlow" and fewer_rows:
        yield "N x N", lambda inputs: barlow_by_rows(inputs, options, None)["loss"]
    if term == "relic" and not options.get("target"):
        yield "one product", lambda inputs: relic_once(inputs, options, None)["loss"]


def measure(run, inputs, repeats):
    seconds = []
    for i in range(-1, repeats):
        for x in inputs.values():
            x.grad = None
        start = time.perf_counter()
        loss = run(inputs)
        loss.backward()
        value = loss.item()
        if i >= 0:
            seconds.append(time.perf_counter() - start)
    norm = sum(float((x.grad.double() ** 2).sum()) for x in inputs.values() if x.grad is not None) ** 0.5
    return {"seconds": min(seconds), "median_s": statistics.median(seconds), "loss": value, "gradient_norm": norm}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lines")
    parser.add_argument("folder")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    machine, *cases = [json.loads(line) for line in open(arguments.lines)]
    torch.set_num_threads(machine["threads"])
    loss_torch.off_diagonal_squares = off_diagonal_squares
    loss_torch.squared_distances = squared_distances
    loaded = {}
    for case in cases:
        width, term, options = case["width"], case["term"], case["options"]
        letters = more_terms.LETTERS.get(term) or ("pt" if term == "byol" else "qt" if options.get("target") else "z")
        inputs = {}
        names = more_terms.ONLY.get(term) or [f"{letter}{view}" for letter in letters for view in (1, 2)]
        for name in [*names, *(["slices"] if term in ("sigreg", "visreg") else [])]:
            file = f"{name.replace('p', 'q')}-{width}.npy"
            if file not in loaded:
                loaded[file] = torch.tensor(np.load(f"{arguments.folder}/{file}"))
            inputs[name] = loaded[file].clone().requires_grad_(name[0] not in "ts" + more_terms.CONSTANT.get(term, ""))
        best = None
        for form, run in forms(term, options, case["samples"] < width):
            ways = [("eager", run)]
            if arguments.compile:
                torch._dynamo.reset()
                ways.append(("compiled", torch.compile(run, dynamic=False)))
            for way, function in ways:
                found = measure(function, inputs, arguments.repeats) | {"form": form, "way": way}
                best = min(best or found, found, key=lambda result: result["seconds"])
        print(json.dumps({"case": case["case"], "width": width, "torch": torch.__version__} | best), flush=True)


if __name__ == "__main__":
    main()
