#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same training step as `invar bench`, in PyTorch: ReLIC, ResNet-18 (small stem), 3x32x32, N samples in 2 views, AdamW.

The data are uint8 tensors in memory and the views are vectorised over the batch (one grid_sample and batched colour operations), so that Python does not
hold PyTorch back. Prints one JSON object.
"""
import argparse
import json
import math
import resource
import time

import torch
import torch.nn.functional as F
import torchvision


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    p.add_argument("--compile", action="store_true")
    return p.parse_args()


def uniform(n, low, high):
    return torch.rand(n) * (high - low) + low


def gray(x):
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def hue(x, shift):
    """HSV round trip with a shift of the hue in turns, all samples at once."""
    maximum, minimum = x.amax(1), x.amin(1)
    delta = maximum - minimum
    safe = torch.where(delta == 0, torch.ones_like(delta), delta)
    r, g, b = x.unbind(1)
    h = torch.where(maximum == r, (g - b) / safe, torch.where(maximum == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    h = torch.where(delta == 0, torch.zeros_like(h), h) / 6 + shift.view(-1, 1, 1)
    h = (h - h.floor()).unsqueeze(1)
    k = (torch.tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1) + h * 6) % 6
    return maximum.unsqueeze(1) - delta.unsqueeze(1) * torch.clamp(torch.minimum(k, 4 - k), 0, 1)


def views(images, mean, deviation):
    """Crop 20 to 100 %, flip, jitter 0.8 (0.4 0.4 0.2 0.1), grayscale 0.2, standardise."""
    n = images.shape[0]
    x = images.float() / 255
    area = uniform(n, 0.2, 1.0)
    aspect = torch.exp(uniform(n, math.log(3 / 4), math.log(4 / 3)))
    w, h = torch.sqrt(area * aspect).clamp(max=1), torch.sqrt(area / aspect).clamp(max=1)
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = w * flip, h
    theta[:, 0, 2], theta[:, 1, 2] = (torch.rand(n) * 2 - 1) * (1 - w), (torch.rand(n) * 2 - 1) * (1 - h)
    x = F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False,
                      padding_mode="border")
    jitter = (torch.rand(n) < 0.8).view(-1, 1, 1, 1)
    y = (x * uniform(n, 0.6, 1.4).view(-1, 1, 1, 1)).clamp(0, 1)
    c = uniform(n, 0.6, 1.4).view(-1, 1, 1, 1)
    y = (y * c + gray(y).mean((2, 3), keepdim=True) * (1 - c)).clamp(0, 1)
    s = uniform(n, 0.8, 1.2).view(-1, 1, 1, 1)
    y = (y * s + gray(y) * (1 - s)).clamp(0, 1)
    y = hue(y, uniform(n, -0.1, 0.1))
    x = torch.where(jitter, y, x)
    x = torch.where((torch.rand(n) < 0.2).view(-1, 1, 1, 1), gray(x).expand_as(x), x)
    return (x - mean) / deviation


def relic(z1, z2, tau, alpha):
    """[R3] with h = f and two views."""
    q1, q2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    s = q1 @ q2.T / tau
    p12, p21 = F.log_softmax(s, 1), F.log_softmax(s.T, 1)
    contrast = -(p12.diagonal() + p21.diagonal()).mean()
    kl = ((p12.exp() - p21.exp()) * (p12 - p21)).sum(1).mean()
    return contrast + alpha * kl


def main():
    a = parse()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    encoder = torchvision.models.resnet18()
    encoder.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    encoder.maxpool = torch.nn.Identity()
    encoder.fc = torch.nn.Identity()
    projector = torch.nn.Sequential(torch.nn.Linear(512, 256, bias=False), torch.nn.BatchNorm1d(256), torch.nn.ReLU(),
                                    torch.nn.Linear(256, 128))
    model = torch.nn.Sequential(encoder, projector).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-4, foreach=True)
    run = torch.compile(model) if a.compile else model
    data = torch.randint(0, 256, (2560, 3, 32, 32), dtype=torch.uint8)
    mean, deviation = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), 0.29)
    seconds_views = 0.0

    def step():
        nonlocal seconds_views
        start = time.perf_counter()
        x = data[torch.randint(0, len(data), (a.batch,))]
        x1, x2 = (views(x, mean, deviation).contiguous(memory_format=torch.channels_last) for _ in range(2))
        seconds_views += time.perf_counter() - start
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bfloat16"):
            z1, z2 = run(x1), run(x2)
        loss = relic(z1.float(), z2.float(), 0.2, 1.0)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.item()

    for _ in range(2 if a.compile else 1):
        step()
    seconds_views = 0.0
    start = time.perf_counter()
    for _ in range(a.steps):
        loss = step()
    seconds = (time.perf_counter() - start) / a.steps
    print(json.dumps({"torch": torch.__version__, "precision": a.precision, "compiled": a.compile, "step_s": seconds,
                      "samples_per_s": a.batch / seconds, "views_s": seconds_views / a.steps, "loss": loss,
                      "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
