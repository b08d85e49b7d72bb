#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints invar's and PyTorch's times of every term side by side, as fractions of the matrix peak and of a ResNet-18 step.

usage: terms_report.py STEP INVAR TORCH text|json COMMAND
"""
import json
import sys

rate = json.load(open(sys.argv[1]))["float32"]["samples_per_s"]
machine, *ours = [json.loads(line) for line in open(sys.argv[2])]
theirs = {(t["case"], t["width"]): t for t in (json.loads(line) for line in open(sys.argv[3]))}
step = ours[0]["samples"] / rate
for term in ours:
    peer = theirs.get((term["case"], term["width"]))
    term["fraction_of_peak"] = term["operations"] / term["seconds"] / machine["matrix_peak_flops"]
    term["fraction_of_step"] = term["seconds"] / step
    if peer:
        term["torch_s"], term["torch_median_s"] = peer["seconds"], peer["median_s"]
        term["torch_form"] = f"{peer['form']}, {peer['way']}"
        term["torch_over_invar"] = peer["seconds"] / term["seconds"]
        # the same work, or the times say nothing
        for key in ("loss", "gradient_norm"):
            if not abs(peer[key] - term[key]) <= 1e-4 * abs(term[key]):
                sys.exit(f"{term['case']}: {key} is {term[key]} with invar and {peer[key]} with PyTorch")
if sys.argv[4] == "json":
    print(json.dumps({"command": sys.argv[5]} | machine | {"step_samples_per_s": rate, "step_s": step, "terms": ours}, indent=1))
    sys.exit()
version = next(iter(theirs.values()))["torch"] if theirs else "missing"
print(f"{sys.argv[5]}\n{machine['device']}; PyTorch {version}")
print(f"{ours[0]['samples']} samples in 2 views, float32 in and out, value and gradient, the best of the repetitions, ms")
print(f"matrix product of n = 2048: {machine['matrix_peak_flops'] / 1e9:.1f} GFLOP/s; ResNet-18 step: {step:.1f} s, "
      f"from {rate:.2f} samples/s at 256\n")
print(f"{'term':24} {'d':>4} {'invar':>8} {'PyTorch':>8} {'ratio':>6} {'GFLOP':>6} {'of peak':>8} {'of step':>8}"
      "   PyTorch's fastest")
for t in ours:
    peak = f"{100 * t['fraction_of_peak']:6.0f} %" if t["operations"] else "-"
    work = f"{t['operations'] / 1e9:.2f}" if t["operations"] else "-"
    torch = f"{1e3 * t['torch_s']:8.2f} {t['torch_over_invar']:6.2f}" if "torch_s" in t else f"{'-':>8} {'-':>6}"
    print(f"{t['case']:24} {t['width']:4} {1e3 * t['seconds']:8.2f} {torch} {work:>6} {peak:>8} "
          f"{100 * t['fraction_of_step']:6.3f} %   {t.get('torch_form', '')}")
