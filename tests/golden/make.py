#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes golden cases: from the inputs and options of a case (README.md), what it expects and its gradients.

    make.py                  compares every case with what is made of it, to 1e-12; status 1 where they differ
    make.py --write NAME ..  writes what is made into the case.json and .npy files of these cases

A new case is a folder with its inputs (float64 that float32 holds exactly) and a case.json with everything but the
numbers: `expected` with any values, and the names of the files. It needs NumPy alone (status 77 where there is none)
and knows nothing of the C code: make_terms.py, make_more.py and make_tools.py have the formulas of docs/objectives.md and README.md,
in float64, written for reading; gradients come from make_reverse.py."""
import json
import sys
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("golden_make: there is no NumPy here: apt-get install python3-numpy")
    sys.exit(77)

import make_measures
import make_more
import make_terms
import make_tools
from make_reverse import Var, differentiate

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-12
NAMES = {"logdet": "logdet_entropy", "softmax_ce": "cross_entropy"}


def make(folder, case):
    """(expected, expected_arrays, gradients), each {name: array}."""
    x = {Path(f).stem: Var(np.load(folder / f)) for f in case["inputs"]}
    name = NAMES.get(case["term"], case["term"])
    out = next(getattr(m, name) for m in (make_terms, make_more, make_measures, make_tools) if hasattr(m, name))
    out = {k: v if isinstance(v, Var) else Var(v) for k, v in out(x, case["options"]).items()}
    gradients = {}
    if case["gradient_of"]:
        of = case["gradient_of"]
        if of.startswith("sum("):
            y, dy = of[4:-1].split("*")
            scalar = (out[y] * x[dy].value).sum()
        else:
            scalar = out[of]
        differentiate(scalar, x.values())
        gradients = {k: x[k].gradient for k in case["gradients"]}
        for k in case["no_gradient"]:
            assert not np.any(x[k].gradient), f"{folder.name}: {k} is a constant but has a gradient"
    return ({k: out[k].value for k in case["expected"]}, {k: out[k].value for k in case["expected_arrays"]}, gradients)


def apart(made, stored, floor):
    """|made - stored| / |stored| as vectors, |stored| no less than the floor of the case."""
    if made.shape != stored.shape or not np.isfinite(made).all():
        return np.inf
    return np.linalg.norm(made - stored) / max(np.linalg.norm(stored), floor)


def compare(folder, case):
    scalars, arrays, gradients = make(folder, case)
    pairs = [(k, v, np.asarray(case["expected"][k], float)) for k, v in scalars.items()]
    pairs += [(k, v, np.load(folder / case["expected_arrays"][k])) for k, v in arrays.items()]
    pairs += [("the gradient of " + k, v, np.load(folder / case["gradients"][k])) for k, v in gradients.items()]
    errors = [(what, apart(made, stored, case["floor"])) for what, made, stored in pairs]
    return [f"{folder.name}: {what} is {e:.2e} apart" for what, e in errors if not e <= TOLERANCE], len(pairs)


def write(folder, case):
    scalars, arrays, gradients = make(folder, case)
    case["expected"] = {k: float(v) for k, v in scalars.items()}
    for files, values in ((case["expected_arrays"], arrays), (case["gradients"], gradients)):
        for k, v in values.items():
            whole = k in ("classes", "predictions", "confusion", "counts", "groups", "state.position", "state.count")
            whole = whole or k.startswith("neighbours")
            np.save(folder / files[k], v.astype("<i8" if whole else "<f8"))
    (folder / "case.json").write_text(json.dumps(case, indent=2, ensure_ascii=False) + "\n")


def main(arguments):
    if arguments[:1] == ["--write"] and arguments[1:]:
        for name in arguments[1:]:
            write(HERE / name, json.loads((HERE / name / "case.json").read_text()))
        return 0
    if arguments:
        print(__doc__)
        return 2
    wrong, results, cases = [], 0, sorted(HERE.glob("*/case.json"))
    for path in cases:
        found, count = compare(path.parent, json.loads(path.read_text()))
        wrong, results = wrong + found, results + count
    print("\n".join(wrong + [f"{len(cases)} cases, {results} results, {len(wrong)} more than {TOLERANCE} apart"]))
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
