#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The golden cases of LSTMs against torch.nn.LSTM: outputs, last states and gradients, to 1e-10.

Exit status 1 where something differs, 77 (skipped) without PyTorch."""
import json
import pathlib
import sys

try:
    import numpy as np
    import torch
except ImportError:
    print("skipped: PyTorch and numpy are needed")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


def check(folder):
    case = json.loads((folder / "case.json").read_text())
    x = {pathlib.Path(f).stem: torch.from_numpy(np.load(folder / f)) for f in case["inputs"]}
    steps, (rows, width) = case["options"]["steps"], x["h0"].shape
    lstm = torch.nn.LSTM(x["x"].shape[1], width, dtype=torch.float64)
    lstm.load_state_dict({k: x[k] for k in lstm.state_dict()})
    given = x["x"].clone().requires_grad_()
    y, (hn, cn) = lstm(given.reshape(steps, rows, -1), (x["h0"][None], x["c0"][None]))
    (y.reshape(-1, width) * x["dy"]).sum().backward()
    made = {"y": y.reshape(-1, width), "hn": hn[0], "cn": cn[0], "x": given.grad}
    made.update({k: v.grad for k, v in lstm.named_parameters()})
    files = case["expected_arrays"] | case["gradients"]
    apart = {k: float((made[k].detach() - torch.from_numpy(np.load(folder / f))).abs().max()) for k, f in files.items()}
    return [f"{folder.name}: {k} is {v:.1e} apart" for k, v in apart.items() if not v <= 1e-10]


cases = sorted(f.parent for f in GOLDEN.glob("lstm*/case.json"))
wrong = [line for folder in cases for line in check(folder)]
print("\n".join(wrong) or f"{len(cases)} cases agree with torch.nn.LSTM of PyTorch {torch.__version__}")
sys.exit(1 if wrong or not cases else 0)
