#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints invar's and PyTorch's figures for the same step side by side, the ratio, and where invar's time goes."""
import json
import sys

invar = json.load(open(sys.argv[1]))
torch = [json.loads(line) for line in open(sys.argv[2])]
print(invar["device"])
for precision in ("float32", "bfloat16"):
    if precision not in invar:
        print(f"\n{precision}: this processor has none")
        continue
    ours = invar[precision]
    print(f"\n{precision:10} {'samples/s':>10} {'step s':>8} {'peak MiB':>9}")
    print(f"{'invar':10} {ours['samples_per_s']:10.2f} {ours['step_s']:8.3f} {ours['peak_resident_bytes'] / 2**20:9.0f}")
    theirs = [t for t in torch if t["precision"] == precision]
    for t in theirs:
        name = "compiled" if t["compiled"] else "eager"
        print(f"{name:10} {t['samples_per_s']:10.2f} {t['step_s']:8.3f} {t['peak_resident_bytes'] / 2**20:9.0f}"
              f"   PyTorch {t['torch']}, views {t['views_s']:.3f} s")
    if theirs:
        best = max(t["samples_per_s"] for t in theirs)
        print(f"invar / the better PyTorch: {ours['samples_per_s'] / best:.2f}")
    print(f"{ours['flops'] / 1e9:.1f} GFLOP/s, {100 * ours['fraction_of_peak']:.0f} % of the {ours['matrix_peak_flops'] / 1e9:.1f} "
          "of a matrix product")
    for name, seconds in sorted(ours["seconds_by_work"].items(), key=lambda item: -item[1]):
        if seconds > 0:
            print(f"  {100 * seconds / ours['step_s']:5.1f} %  {name}")
