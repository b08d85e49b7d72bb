#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures of predictions, ridge and neighbour regression of libinvar against scikit-learn and SciPy.

usage: sklearn_measures.py [--library build/libinvar.so] [--invar build/invar] [--draws 40] [--seed 0]

Random labels, scores (with ties and absent classes), targets and features go to the library's functions and to
scikit-learn's: measures agree to 1e-9, R2 of ridge regression to 1e-4. `invar probe` on a table of numbers is held
beside Ridge on the representations that `invar embed` gives. Exit status 1 where something differs, 77 (skipped)
without scikit-learn.
"""

import argparse
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from scipy.stats import spearmanr
    from sklearn import metrics
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError:
    print("skipped: scikit-learn is needed")
    sys.exit(77)

DTYPES = {np.dtype("float32"): 0, np.dtype("float64"): 1}
INT64_P, DOUBLE_P = ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_double)
LOGITS, VOTES = 0, 1


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 4096)]


class Matrix(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("rows", ctypes.c_int64), ("cols", ctypes.c_int64), ("data", ctypes.c_void_p)]


class Classification(ctypes.Structure):
    _fields_ = [("classes", ctypes.c_int), ("count", ctypes.c_int64), ("accuracy", ctypes.c_double),
                ("balanced_accuracy", ctypes.c_double), ("macro_f1", ctypes.c_double), ("recall", DOUBLE_P),
                ("f1", DOUBLE_P), ("confusion", INT64_P)]


class Auroc(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int), ("label", INT64_P), ("each", DOUBLE_P), ("mean", ctypes.c_double)]


class Calibration(ctypes.Structure):
    _fields_ = [("bins", ctypes.c_int), ("ece", ctypes.c_double), ("mce", ctypes.c_double), ("count", INT64_P),
                ("accuracy", DOUBLE_P), ("confidence", DOUBLE_P)]


class GroupAccuracy(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int64), ("group", INT64_P), ("samples", INT64_P), ("accuracy", DOUBLE_P),
                ("all", ctypes.c_double), ("worst", ctypes.c_double), ("mean", ctypes.c_double)]


class Regression(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int64), ("targets", ctypes.c_int64), ("r2", ctypes.c_double),
                ("mse", ctypes.c_double), ("mae", ctypes.c_double), ("spearman", ctypes.c_double), ("r2_each", DOUBLE_P)]


class RealList(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int), ("value", ctypes.c_double * 16)]


class RidgeOptions(ctypes.Structure):
    _fields_ = [("alpha", RealList), ("folds", ctypes.c_int64), ("seed", ctypes.c_int64)]


class RidgeResult(ctypes.Structure):
    _fields_ = [("train_count", ctypes.c_int64), ("test_count", ctypes.c_int64), ("dimensions", ctypes.c_int64),
                ("alpha", ctypes.c_double), ("chosen", ctypes.c_bool), ("held_out_r2", ctypes.c_double),
                ("weight", DOUBLE_P), ("bias", ctypes.c_double), ("predictions", DOUBLE_P), ("test", Regression),
                ("seconds", ctypes.c_double)]


def matrix(array):
    return Matrix(DTYPES[array.dtype], array.shape[0], array.shape[1], array.ctypes.data)


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


class Check:
    """Calls of the library, and comparisons that are counted."""

    def __init__(self, library):
        self.shared = ctypes.CDLL(str(library))
        self.compared, self.wrong = {}, 0

    def call(self, name, *arguments):
        error = Error()
        function = getattr(self.shared, name)
        function.restype = ctypes.c_bool
        if not function(*arguments, ctypes.byref(error)):
            sys.exit(f"{name}: {error.message.decode()}")

    def near(self, what, ours, theirs, tolerance=1e-9):
        ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
        self.compared[what] = self.compared.get(what, 0) + 1
        difference = np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)) if theirs.size else 0
        if ours.shape != theirs.shape or not difference <= tolerance:
            print(f"FAIL {what}: invar {ours}, scikit-learn {theirs}")
            self.wrong += 1


def classification(check, labels, scores):
    predictions = np.empty(len(labels), dtype=np.int64)
    check.call("invar_predict", ctypes.byref(matrix(scores)), pointer(predictions))
    check.near("prediction", predictions, np.argmax(scores, axis=1))
    result = Classification()
    check.call("invar_classification_measure", pointer(predictions), pointer(labels), ctypes.c_int64(len(labels)),
               ctypes.c_int(scores.shape[1]), ctypes.byref(result))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check.near("accuracy", result.accuracy, metrics.accuracy_score(labels, predictions))
        check.near("balanced accuracy", result.balanced_accuracy, metrics.balanced_accuracy_score(labels, predictions))
        check.near("macro F1", result.macro_f1, metrics.f1_score(labels, predictions, average="macro"))
        every = list(range(scores.shape[1]))
        check.near("recall", result.recall[:len(every)],
                   metrics.recall_score(labels, predictions, labels=every, average=None, zero_division=0))
        check.near("F1", result.f1[:len(every)],
                   metrics.f1_score(labels, predictions, labels=every, average=None, zero_division=0))
        check.near("confusion", result.confusion[:len(every) ** 2],
                   metrics.confusion_matrix(labels, predictions, labels=every).ravel())
    return predictions


def auroc(check, labels, scores, kind):
    probabilities = np.empty(scores.shape)
    check.call("invar_probabilities", ctypes.byref(matrix(scores)), ctypes.c_int(kind), pointer(probabilities))
    x = scores.astype(np.float64)
    e = np.exp(x - x.max(axis=1, keepdims=True)) if kind == LOGITS else x
    check.near("probabilities", probabilities, e / e.sum(axis=1, keepdims=True))
    result = Auroc()
    check.call("invar_auroc_measure", ctypes.byref(matrix(probabilities)), pointer(labels), ctypes.byref(result))
    known = [c for c in range(scores.shape[1]) if 0 < np.sum(labels == c) < len(labels)]
    check.near("classes of AUROC", result.label[:result.count], known)
    each = [metrics.roc_auc_score(labels == c, probabilities[:, c]) for c in known]
    check.near("AUROC of each class", result.each[:result.count], each)
    check.near("AUROC", result.mean, np.mean(each))
    if len(known) == scores.shape[1] > 2:
        check.near("AUROC, ovr", result.mean, metrics.roc_auc_score(labels, probabilities, multi_class="ovr"))
    if scores.shape[1] == 2 and len(known) == 2:
        check.near("AUROC of two classes", result.mean, metrics.roc_auc_score(labels, probabilities[:, 1]), 1e-6)
    return probabilities


def calibration(check, labels, probabilities, bins):
    result = Calibration()
    check.call("invar_calibration_measure", ctypes.byref(matrix(probabilities)), pointer(labels), ctypes.c_int(bins),
               ctypes.byref(result))
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    ece = 0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            ece += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())
    check.near("ECE", result.ece, ece)


def groups(check, random, labels, predictions):
    group = random.integers(-2, 4, len(labels))
    result = GroupAccuracy()
    check.call("invar_group_accuracy_measure", pointer(predictions), pointer(labels), pointer(group),
               ctypes.c_int64(len(labels)), ctypes.byref(result))
    each = [metrics.accuracy_score(labels[group == g], predictions[group == g]) for g in np.unique(group)]
    check.near("accuracy by group", result.accuracy[:result.count], each)
    check.near("worst group", result.worst, np.min(each))
    check.near("mean over groups", result.mean, np.mean(each))


def draw_classes(check, random, draw):
    classes, rows = random.integers(2, 8), random.integers(20, 400)
    present = max(2, classes - random.integers(0, 3))
    labels = random.integers(0, present, rows)
    labels[:2] = [0, 1]
    scores = random.normal(size=(rows, classes)) + (np.arange(classes) == labels[:, None])
    if draw % 3 == 0:
        scores = np.round(2 * scores) / 2  # ties
    if draw % 4 == 1:
        scores = scores.astype(np.float32)
    votes = np.maximum(scores, 0) + (0.25 if draw % 2 else 0.001)
    predictions = classification(check, labels, scores)
    groups(check, random, labels, predictions)
    for values, kind in [(scores, LOGITS), (votes, VOTES)]:
        calibration(check, labels, auroc(check, labels, values, kind), [15, 15, 10, 32][draw % 4])


def regression(check, random, draw):
    rows, targets = random.integers(5, 300), random.integers(1, 4)
    y = random.normal(size=(rows, targets)) * 10 ** random.uniform(-3, 3) + random.normal() * 100
    p = y + random.normal(size=y.shape) * y.std()
    if draw % 2:
        y, p = np.round(y, 1), np.round(p, 1)
    if (y.max(axis=0) <= y.min(axis=0)).any():  # scikit-learn divides by what rounding leaves of the mean
        y, p = y + np.arange(rows)[:, None], p + np.arange(rows)[:, None]
    result = Regression()
    check.call("invar_regression_measure", ctypes.byref(matrix(p)), ctypes.byref(matrix(y)), ctypes.byref(result))
    check.near("R2", result.r2, metrics.r2_score(y, p))
    check.near("R2 of each", result.r2_each[:targets], metrics.r2_score(y, p, multioutput="raw_values"))
    check.near("MSE", result.mse, metrics.mean_squared_error(y, p))
    check.near("MAE", result.mae, metrics.mean_absolute_error(y, p))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rho = [spearmanr(y[:, t], p[:, t]).statistic for t in range(targets)]
    rho = [r for r in rho if not np.isnan(r)]
    if rho:
        check.near("Spearman", result.spearman, np.mean(rho))


def features(random, draw):
    rows, cols = [(400, 30), (120, 120), (60, 200), (900, 5)][draw % 4]
    x = random.normal(size=(rows + 80, cols)) * 10 ** random.uniform(-4, 4, cols) + random.normal(size=cols) * 10
    x[:, 0] = 0.1
    x = x.astype(np.float32) if draw % 2 else x
    z = StandardScaler().fit_transform(x.astype(np.float64))
    y = 5 + z[:, : cols // 2].sum(axis=1) + random.normal(size=len(z)) * 10 ** random.uniform(-2, 1)
    return x[:rows].copy(), y[:rows].copy(), x[rows:].copy(), y[rows:].copy()


def ridge(check, random, draw):
    train, y, test, t = features(random, draw)
    alpha = 10.0 ** random.integers(-3, 6)
    chosen = draw % 3 == 0
    options = RidgeOptions(RealList(3 if chosen else 1, (alpha, alpha * 10, alpha * 100)), 5, 1)
    result = RidgeResult()
    check.call("invar_ridge_fit", ctypes.byref(matrix(train)), pointer(y), ctypes.byref(matrix(test)), pointer(t),
               ctypes.byref(options), ctypes.byref(result))
    model = make_pipeline(StandardScaler(), Ridge(alpha=result.alpha)).fit(train.astype(np.float64), y)
    p = model.predict(test.astype(np.float64))
    check.near("ridge, predictions", result.predictions[:len(t)], p, 1e-6)
    check.near("ridge, R2", result.test.r2, metrics.r2_score(t, p), 1e-4)
    check.near("ridge, R2 closely", result.test.r2, metrics.r2_score(t, p), 1e-7)


def neighbours(check, random, draw):
    train, y, test, t = features(random, draw)
    train, test = train.astype(np.float64), test.astype(np.float64)
    k, temperature = int(random.integers(1, 30)), 10 ** random.uniform(-1, 0)
    index, similarity = np.empty((len(test), k), dtype=np.int64), np.empty((len(test), k))
    check.call("invar_neighbours_find", ctypes.byref(matrix(train)), ctypes.byref(matrix(test)), ctypes.c_int64(k),
               pointer(index), pointer(similarity))
    average = check.shared.invar_neighbours_average
    average.restype = ctypes.c_double
    ours = [average(pointer(index[i]), pointer(similarity[i]), ctypes.c_int64(k), pointer(y),
                    ctypes.c_double(temperature)) for i in range(len(test))]
    model = KNeighborsRegressor(k, metric="cosine", algorithm="brute",
                                weights=lambda distance: np.exp(-distance / temperature))
    check.near("neighbours' mean", ours, model.fit(train, y).predict(test), 1e-7)


def live(check, invar):
    """A table whose label is a number, some of them missing, from pretraining to R2."""
    random = np.random.default_rng(5)
    x = random.normal(size=(900, 6))
    y = x[:, 0] * x[:, 1] + x[:, 2] + 0.1 * random.normal(size=900)
    known = random.random(900) < 0.5
    rows = [",".join(f"{v:.6f}" for v in x[i]) + "," + (f"{y[i]:.6f}" if known[i] else "") for i in range(900)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "t.csv").write_text("a,b,c,d,e,f,y\n" + "\n".join(rows) + "\n")

        def run(*arguments):
            done = subprocess.run([invar, *arguments, "--threads", "1"], cwd=folder, capture_output=True, text=True,
                                  check=False)
            if done.returncode != 0:
                sys.exit(f"invar {' '.join(arguments)}: {done.stderr}")
            return done.stdout

        run("pretrain", "simclr-table", "data.source=csv:t.csv", "data.label=y", "data.test_rows=last:300",
            "training.steps=20", "training.batch=128", "training.precision=float32", "--run", "run")
        result = json.loads(run("probe", "run", "--json"))["linear"]
        for split in ["train", "test"]:
            run("embed", "run", "csv:t.csv", "--split", split, "-o", f"{split}.npy")
        train, test = [np.load(folder / f"{split}.npy").astype(np.float64) for split in ["train", "test"]]
        if len(test) != 300:  # a source that is given has no split of its own
            train, test = np.concatenate([train, test])[:600], np.concatenate([train, test])[600:]
        y = np.round(y, 6)
        a, b = known[:600], known[600:]
        model = make_pipeline(StandardScaler(), Ridge(alpha=result["alpha"])).fit(train[a], y[:600][a])
        p, t = model.predict(test[b]), y[600:][b]
        check.near("invar probe, rows", [result["train_count"], result["test_count"]], [a.sum(), b.sum()])
        check.near("invar probe, R2", result["r2"], metrics.r2_score(t, p), 1e-4)
        check.near("invar probe, MAE", result["mae"], metrics.mean_absolute_error(t, p), 1e-4)
        check.near("invar probe, Spearman", result["spearman"], spearmanr(t, p).statistic, 1e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", dest="so", type=pathlib.Path, default="build/libinvar.so")
    parser.add_argument("--invar", type=pathlib.Path, default="build/invar")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    check = Check(arguments.so.resolve())
    random = np.random.default_rng(arguments.seed)
    for draw in range(arguments.draws):
        draw_classes(check, random, draw)
        regression(check, random, draw)
        ridge(check, random, draw)
        neighbours(check, random, draw)
    live(check, str(arguments.invar.resolve()))
    for what, count in check.compared.items():
        print(f"{what}: {count} compared")
    print(f"{sum(check.compared.values())} comparisons, {check.wrong} wrong")
    sys.exit(1 if check.wrong else 0)


if __name__ == "__main__":
    main()
