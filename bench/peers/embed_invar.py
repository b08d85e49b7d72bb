#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`invar embed` (or, with --corrupt, `invar robustness`) of a run on noise, served to bench/run: speed depends neither
on weights nor on pixels. What does not depend on the number of images is left out: of embed, as the difference of two
commands; of robustness, the probe.
"""
import argparse
import json
import os
import pathlib
import resource
import struct
import subprocess
import tempfile
import time

from serve import serve

FEW = 256
DATA = {"resnet18": (32, 3), "quickstart": (28, 1)}
ENCODERS = {"resnet18": "{kind: resnet18, stem: small}",
            "quickstart": "{kind: small-resnet, widths: [16, 32, 128], pool: 2}"}
RECIPE = """
data: {{source: "idx:{folder}", channels: {channels}}}
encoder: {encoder}
projector: {{hidden: [], output: 64}}
terms: {{ntxent: {{}}}}
optimiser: {{kind: sgd, lr: 1e-6}}
training: {{steps: 1, batch: 64, precision: float32}}
"""


def make_run(invar, case, folder, units=FEW, corrupt=False):
    """A run in FOLDER/run on noise in FOLDER: few training images, and of test images so many more."""
    side, channels = DATA[case]
    write_images(folder, "train", FEW, side)
    write_images(folder, "t10k", FEW if corrupt else FEW + units, side)
    recipe = pathlib.Path(f"{folder}/recipe.yaml")
    recipe.write_text(RECIPE.format(folder=folder, channels=channels, encoder=ENCODERS[case]))
    invar("pretrain", str(recipe), "--run", f"{folder}/run")


def write_images(folder, split, count, side):
    with open(f"{folder}/{split}-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">IIII", 0x803, count, side, side) + os.urandom(count * side * side))
    with open(f"{folder}/{split}-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count)))


class Child:
    """Peak memory of the commands that were run."""

    def report(self):
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return {"step_resident_bytes": peak, "peak_resident_bytes": peak}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("case", choices=list(DATA))
    p.add_argument("--invar", required=True)
    p.add_argument("--threads", type=int, required=True)
    p.add_argument("--units", type=int, required=True, help="images of a request")
    p.add_argument("--corrupt", action="store_true")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"

        def invar(*words):
            command = [a.invar, *words, "--threads", str(a.threads)]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")

        def embed_seconds(split):
            start = time.perf_counter()
            invar("embed", run, f"idx:{folder}", "--split", split, "-o", f"{folder}/h.npy")
            return time.perf_counter() - start

        def seconds_of(units):
            if a.corrupt:
                pathlib.Path(f"{run}/robustness.json").unlink(missing_ok=True)
                invar("robustness", run, "--corruption", "gaussian_noise", "--limit", str(FEW), "l2=1", "iterations=10")
                report = json.loads(pathlib.Path(f"{run}/robustness.json").read_text())
                return units / report["images_per_s"]
            return embed_seconds("test") - embed_seconds("train")

        make_run(invar, a.case, folder, a.units, a.corrupt)
        serve(seconds_of, Child())


if __name__ == "__main__":
    main()
