#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training step of a case in PyTorch, end to end: batch, views, nets, loss, optimiser; served to bench/run.

The data are tensors in memory. Modes: eager; channels-last; compiled (channels-last, forward and loss as one graph).
"""
import argparse
import math

import torch
from torch import nn

from losses import LOSSES
from nets import ENCODERS, PROJECTORS, mlp
from serve import Memory, serve, timed
from views import DATA

RATES = {"resnet18": 2e-3, "resnet50": 2e-3, "quickstart": 4e-3, "audio": 4e-3, "table": 1e-3}
COLUMNS = 16  # of the table, and numbers of noise that its generator reads


class Reverse(torch.autograd.Function):
    """The generator ascends what the encoder descends."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


def perturbed(x, raw):
    norm = torch.linalg.vector_norm(raw, dim=1, keepdim=True).clamp(min=1e-12)
    return x + Reverse.apply(raw / norm * (0.1 * math.sqrt(COLUMNS)))


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("case", choices=list(ENCODERS))
    p.add_argument("--mode", choices=["eager", "channels-last", "compiled"], default="eager")
    p.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--batch", type=int, required=True)
    return p.parse_args()


def main():
    a = parse()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    data = DATA[a.case]()
    memory = Memory()
    model = nn.Sequential(ENCODERS[a.case](), PROJECTORS[a.case]())
    generator = mlp(2 * COLUMNS, [128, 128], COLUMNS) if a.case == "table" else None
    maps = a.case != "table" and a.mode != "eager"
    if maps:
        model = model.to(memory_format=torch.channels_last)
    optimisers = [torch.optim.AdamW(model.parameters(), RATES[a.case], weight_decay=1e-4, fused=True)]
    if generator:
        optimisers.append(torch.optim.Adam(generator.parameters(), 1e-3, fused=True))

    def loss_of(x1, x2, noise):
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bfloat16"):
            if generator:
                x2 = perturbed(x2, generator(torch.cat([x2, noise], 1)).float())
            z1, z2 = model(x1), model(x2)
        return LOSSES[a.case](z1.float(), z2.float())

    run = torch.compile(loss_of) if a.mode == "compiled" else loss_of

    def step():
        x1, x2 = data.views(a.batch)
        if maps:
            x1, x2 = (x.contiguous(memory_format=torch.channels_last) for x in (x1, x2))
        loss = run(x1, x2, torch.randn(a.batch, COLUMNS) if generator else None)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        return loss.item()

    def steps(count):
        for _ in range(count):
            step()

    steps(2 if a.mode == "compiled" else 1)
    parameters = sum(p.numel() for net in (model, generator) if net for p in net.parameters())
    serve(timed(steps), memory, version=f"PyTorch {torch.__version__}", parameters=parameters, batch=a.batch)


if __name__ == "__main__":
    main()
