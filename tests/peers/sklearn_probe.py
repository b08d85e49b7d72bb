#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The linear probe and the nearest neighbours against scikit-learn on the same features.

usage: sklearn_probe.py [--invar build/invar] [--write FOLDER]

Trains a tiny run on generated images, takes its representations with `invar embed`, and fits scikit-learn's
LogisticRegression and KNeighborsClassifier on them: accuracies within 0.1 %, the objective of the probe within 1e-4.
--write FOLDER instead makes the features of tests/eval/test_sklearn.c, with scikit-learn's numbers on them.
Exit status 1 where something differs, 77 (skipped) without scikit-learn.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import sklearn
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
except ImportError:
    print("skipped: scikit-learn is needed")
    sys.exit(77)

CLASSES = 5
STRENGTHS = [0.1, 0.01, 0.001]
NEIGHBOURS = [(1, 0.07), (20, 0.07), (200, 0.1)]


def fit_logistic(train, labels, test, test_labels, l2):
    """Minimises mean cross-entropy + l2/2 |W|^2 on features of unit mean square, as docs/evaluation.md has it."""
    scale = 1 / np.sqrt(np.mean(np.square(train, dtype=np.float64)))
    x, t = train.astype(np.float64) * scale, test.astype(np.float64) * scale
    model = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-10, max_iter=100000).fit(x, labels)
    log_p = model.predict_log_proba(x)
    cross_entropy = -np.mean(log_p[np.arange(len(x)), labels])
    objective = cross_entropy + l2 / 2 * np.sum(model.coef_**2)
    return {
        "l2": l2,
        "objective": float(objective),
        "cross_entropy": float(cross_entropy),
        "top1": 100 * float(model.score(t, test_labels)),
    }


def fit_neighbours(train, labels, test, test_labels, k, temperature):
    model = KNeighborsClassifier(
        n_neighbors=min(k, len(train)),
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp((1 - distance) / temperature),
    ).fit(train.astype(np.float64), labels)
    return {
        "k": k,
        "temperature": temperature,
        "top1": 100 * float(model.score(test.astype(np.float64), test_labels)),
    }


def make_features(seed, rows):
    """Classes that overlap, columns of different scales and a common offset, rectified as representations are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(CLASSES, 24)) * 0.7
    labels = np.arange(rows) % CLASSES
    x = centres[labels] + random.normal(size=(rows, 24)) + 0.3
    x *= np.linspace(0.2, 3, 24)
    return np.maximum(x, 0).astype("<f4"), labels.astype("<i8")


def write(folder):
    train, labels = make_features(1, 600)
    test, test_labels = make_features(2, 400)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in [("train", train), ("train_labels", labels), ("test", test), ("test_labels", test_labels)]:
        np.save(folder / f"{name}.npy", array)
    expected = {
        "made_by": f"tests/peers/sklearn_probe.py --write, scikit-learn {sklearn.__version__}",
        "classes": CLASSES,
        "logistic": [fit_logistic(train, labels, test, test_labels, l2) for l2 in STRENGTHS],
        "neighbours": [fit_neighbours(train, labels, test, test_labels, k, t) for k, t in NEIGHBOURS],
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def make_images(folder):
    """Blobs whose place says the class, in noise."""
    folder.mkdir()
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:16, 0:16]
    for prefix, rows in [("train", 1000), ("t10k", 400)]:
        labels = np.arange(rows) % CLASSES
        angle = 2 * np.pi * labels / CLASSES + random.normal(size=rows) * 0.35
        cx, cy = 7.5 + 4 * np.cos(angle), 7.5 + 4 * np.sin(angle)
        blob = np.exp(-((x - cx[:, None, None]) ** 2 + (y - cy[:, None, None]) ** 2) / 8)
        images = np.clip(120 * blob + random.normal(size=(rows, 16, 16)) * 40 + 60, 0, 255)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)


RECIPE = """data: {source: "idx:data"}
views: {count: 2, crop: [0.6, 1], flip: 0}
encoder: {kind: small-resnet, widths: [8, 16]}
projector: {hidden: [32], output: 16}
terms: {ntxent: {tau: 0.2}}
optimiser: {kind: adamw, lr: 2e-3}
training: {epochs: 3, batch: 64, precision: float32}
"""


def compare(what, ours, theirs, tolerance):
    good = abs(ours - theirs) <= tolerance
    print(f"{'ok  ' if good else 'FAIL'} {what}: invar {ours:.6g}, scikit-learn {theirs:.6g}")
    return good


def live(invar):
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_images(folder / "data")
        (folder / "recipe.yaml").write_text(RECIPE)

        def run(*arguments):
            done = subprocess.run([invar, *arguments], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"invar {' '.join(arguments)}: {done.stderr}")
            return done.stdout

        run("pretrain", "recipe.yaml", "--run", "run", "--threads", "1")
        arrays = []
        for split in ["train", "test"]:
            run("embed", "run", "idx:data", "--split", split, "-o", "h.npy", "--labels", "y.npy", "--threads", "1")
            arrays += [np.load(folder / "h.npy"), np.load(folder / "y.npy")]
        for l2 in STRENGTHS:
            ours = json.loads(run("probe", "run", "--threads", "1", "--json", f"l2={l2}", "tolerance=1e-6"))["linear"]
            theirs = fit_logistic(*arrays, l2)
            for key, tolerance in [("objective", 1e-4), ("cross_entropy", 1e-4), ("top1", 0.1)]:
                good &= compare(f"linear, l2 {l2}: {key}", ours[key], theirs[key], tolerance)
        for k, temperature in NEIGHBOURS:
            result = run("probe", "run", "--threads", "1", "--json", "--method", "neighbours", f"k={k}",
                         f"temperature={temperature}")
            theirs = fit_neighbours(*arrays, k, temperature)
            good &= compare(f"neighbours, k {k}: top1", json.loads(result)["neighbours"]["top1"], theirs["top1"], 0.1)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invar", default="build/invar")
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write)
    elif not live(str(pathlib.Path(arguments.invar).resolve())):
        sys.exit(1)


if __name__ == "__main__":
    main()
