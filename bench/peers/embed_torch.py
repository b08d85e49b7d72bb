#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inference of a run's encoder in PyTorch: as many samples as asked for, uint8 in memory, standardised, in batches of 256.

The encoder is ResNet-18 with the small stem (3x3 convolution, no pooling). With --corrupt, Gaussian
noise at severity 3 comes before every batch (one of the cheapest corruptions, vectorised), to compare with `invar robustness`. Prints one JSON object.
"""
import argparse
import json
import time

import torch
import torchvision


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--samples", type=int, default=10000)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--compile", action="store_true")
    p.add_argument("--corrupt", action="store_true")
    return p.parse_args()


def main():
    a = parse()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    encoder = torchvision.models.resnet18()
    encoder.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    encoder.maxpool = torch.nn.Identity()
    encoder.fc = torch.nn.Identity()
    encoder = encoder.eval().to(memory_format=torch.channels_last)
    run = torch.compile(encoder) if a.compile else encoder
    data = torch.randint(0, 256, (max(a.batch, min(a.samples, 2560)), 3, 32, 32), dtype=torch.uint8)

    def batch(first, count):
        x = data[torch.arange(first, first + count) % len(data)].float() / 255
        if a.corrupt:
            x = ((x + 0.08 * torch.randn_like(x)).clamp(0, 1) * 255).floor() / 255
        return ((x - 0.5) / 0.29).contiguous(memory_format=torch.channels_last)

    with torch.inference_mode():
        run(batch(0, a.batch))
        start = time.perf_counter()
        done = 0
        while done < a.samples:
            count = min(a.batch, a.samples - done)
            run(batch(done, count))
            done += count
        seconds = time.perf_counter() - start
    print(json.dumps({"torch": torch.__version__, "compiled": a.compile, "corrupted": a.corrupt, "samples": a.samples,
                      "samples_per_s": a.samples / seconds}))


if __name__ == "__main__":
    main()
