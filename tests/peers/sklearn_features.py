#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`invar probe FILE.npy` against scikit-learn's logistic regression on the same features.

usage: sklearn_features.py [--invar build/invar] [--draws 4]

Features as another framework exports them (a random two-layer network on Gaussian classes, by PyTorch where it is there,
else by NumPy) are saved with numpy.save. The probe chooses its penalty; scikit-learn gets the same one: accuracy on
20,000 test rows must agree within 0.1 %. Exit status 1 where it does not, 77 (skipped) without scikit-learn.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
except ImportError:
    print("skipped: scikit-learn is needed")
    sys.exit(77)
try:
    import torch
except ImportError:
    torch = None

TRAIN, TEST, INPUTS = 2000, 20000, 20


def export(x, weights):
    """h of a network of two layers, float32."""
    first, second = weights
    if torch is None:
        return (np.maximum(x @ first, 0) @ second).astype(np.float32)
    with torch.no_grad():
        return (torch.relu(torch.from_numpy(x) @ torch.from_numpy(first)) @ torch.from_numpy(second)).float().numpy()


def draw(seed):
    random = np.random.default_rng(seed)
    classes, width = int(random.integers(2, 8)), int(random.integers(8, 64))
    means = random.normal(size=(classes, INPUTS)) * 0.6
    labels = random.integers(0, classes, TRAIN + TEST)
    x = means[labels] + random.normal(size=(TRAIN + TEST, INPUTS))
    weights = random.normal(size=(INPUTS, 48)), random.normal(size=(48, width)) * 10.0 ** random.integers(-3, 4)
    return export(x, weights), labels


def compare(invar, folder, seed):
    features, labels = draw(seed)
    for name, rows in (("train", slice(0, TRAIN)), ("test", slice(TRAIN, None))):
        np.save(folder / f"{name}.npy", features[rows])
        np.save(folder / f"{name}_y.npy", labels[rows])
    command = [invar, "probe", folder / "train.npy", "--labels", folder / "train_y.npy", "--test", folder / "test.npy",
               "--test-labels", folder / "test_y.npy", "--json"]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["linear"]
    scale = np.sqrt(np.mean(features[:TRAIN].astype(np.float64) ** 2))  # the probe's unit, docs/evaluation.md
    scaled = features.astype(np.float64) / scale
    theirs = LogisticRegression(C=1 / (ours["l2"] * TRAIN), tol=1e-8, max_iter=20000)
    theirs.fit(scaled[:TRAIN], labels[:TRAIN])
    accuracy = 100 * theirs.score(scaled[TRAIN:], labels[TRAIN:])
    print(f"seed {seed}: {features.shape[1]} features, l2 {ours['l2']:g}: invar {ours['top1']:.3f} %, "
          f"scikit-learn {accuracy:.3f} %")
    return abs(accuracy - ours["top1"]) <= 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--invar", default="build/invar")
    parser.add_argument("--draws", type=int, default=4)
    arguments = parser.parse_args()
    print("features by", "PyTorch" if torch else "NumPy; PyTorch is not there")
    with tempfile.TemporaryDirectory() as folder:
        good = [compare(arguments.invar, pathlib.Path(folder), seed) for seed in range(arguments.draws)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
