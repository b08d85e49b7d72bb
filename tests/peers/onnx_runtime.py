#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exported ONNX files in ONNX Runtime against `invar embed`: the same representations of the same data.

usage: onnx_runtime.py [--invar build/invar] [--make-data build/tests/make_data]

Every encoder that ships is trained for a step or some on tiny data, on images, clips, arrays and a table with cells that
are missing, exported, and run on the test samples in batches of one and of all: the largest difference is at most 1e-5 of
the largest number. Exit status 1 where something differs, 77 (skipped) without ONNX Runtime.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
except ImportError:
    print("skipped: ONNX Runtime and NumPy are needed (pip install onnxruntime numpy)")
    sys.exit(77)

TOLERANCE = 1e-5
SIDE = 16


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")


class Bench:
    def __init__(self, arguments, folder):
        self.invar, self.make_data, self.folder = arguments.invar, arguments.make_data, folder
        self.failed = False

    def train(self, name, recipe, *changes):
        """A run, exported; its session."""
        run(self.invar, "pretrain", recipe, *changes, "--run", self.folder / name, "--threads", 1)
        run(self.invar, "export", self.folder / name, "-o", self.folder / f"{name}.onnx")
        return onnxruntime.InferenceSession(self.folder / f"{name}.onnx", providers=["CPUExecutionProvider"])

    def embed(self, name, source, *options):
        run(self.invar, "embed", self.folder / name, source, "-o", self.folder / f"{name}.npy", *options, "--threads", 1)
        return np.load(self.folder / f"{name}.npy")

    def compare(self, name, session, inputs, expected):
        got = session.run(None, inputs)[0]
        single = session.run(None, {key: value[:1] for key, value in inputs.items()})[0]
        error = max(np.abs(got - expected).max(), np.abs(single - expected[:1]).max()) / np.abs(expected).max()
        self.failed |= got.shape != expected.shape or not error <= TOLERANCE
        print(f"{name}: {got.shape[0]} x {got.shape[1]}, differs by {error:.1e} of the largest")


def images(bench):
    data = bench.folder / "data"
    run(bench.make_data, "idx", data, 64, 32, SIDE, 4)
    pixels = np.frombuffer((data / "t10k-images-idx3-ubyte").read_bytes()[16:], "u1").reshape(-1, 1, SIDE, SIDE)
    inputs = {"image": pixels.astype("f4") / 255}
    encoders = [("resnet18", ["encoder.width=8"]), ("resnet34", ["encoder.width=8", "encoder.stem=small"]),
                ("resnet50", ["encoder.width=8", "encoder.stem=small", "encoder.pool=2"]),
                ("small-resnet", ["encoder.widths=[8, 12]"]), ("mlp", ["encoder.widths=[32, 16]"]),
                ("nature", ["encoder.channels=[8, 8]", "encoder.kernels=[4, 3]", "encoder.strides=[2, 1]", "encoder.width=32"]),
                ("data-efficient", ["encoder.channels=[8, 8]", "encoder.kernels=[5, 3]", "encoder.strides=[3, 1]"])]
    for kind, changes in encoders:
        source = f"idx:{data}"
        session = bench.train(kind, "relic-fashion-mnist", f"data.source={source}", "encoder=null",
                              f"encoder.kind={kind}", *changes, "training.steps=3", "training.batch=16", "init=")
        bench.compare(kind, session, inputs, bench.embed(kind, source, "--split", "test"))


def arrays(bench):
    rows = np.random.default_rng(1).normal(5, 2, (120, 6))
    rows[::7, 2] = np.nan
    np.save(bench.folder / "rows.npy", rows)
    source = f"npy:{bench.folder / 'rows.npy'}"
    session = bench.train("array", "simclr-table", f"data.source={source}", "data.label=", "training.steps=5",
                          "training.batch=32", "encoder.widths=[16]")
    bench.compare("array", session, {"numbers": rows}, bench.embed("array", source, "test_fraction=0"))


def table(bench):
    rng = np.random.default_rng(2)
    path = bench.folder / "table.csv"
    jobs = ["clerk", "blue, collar", "é", "3"]
    rows = [["" if i % 13 == 0 else f"{rng.normal(40, 9):.2f}", "" if i % 11 == 0 else jobs[rng.integers(4)],
             f"{1e9 + rng.integers(100)}", "ab"[rng.integers(2)], "xyz"[i % 3]] for i in range(200)]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["age", "job", "large", "tag", "kind"], *rows])
    session = bench.train("table", "simclr-table", f"data.source=csv:{path}", "data.label=kind", "training.steps=5",
                          "training.batch=32", "encoder.widths=[16]")
    rows.append(["31", "never seen", "1000000007", "a", "x"])
    with open(path, "a", newline="") as file:
        csv.writer(file).writerow(rows[-1])
    kept = session.get_modelmeta().custom_metadata_map
    names = ["age", "job", "large", "tag"]
    numbers, texts = (json.loads(kept[key]) for key in ("numbers", "categories"))
    inputs = {"numbers": np.array([[float(row[names.index(c)] or "nan") for c in numbers] for row in rows]),
              "categories": np.array([[row[names.index(c)] for c in texts] for row in rows], object)}
    bench.compare("table", session, inputs, bench.embed("table", f"csv:{path}"))


def clips(bench):
    """Spectrograms are made inside invar, where nobody gets at them: those that are drawn here go through the exported C
    instead, which tests/cli/export.bats compares with `invar embed`."""
    data = bench.folder / "clips"
    run(bench.make_data, "clips", data, 2, 3, 6)
    session = bench.train("audio", "simclr-audio", f"data.source=audio:{data}", "data.mels=16", "data.frames=16",
                          "encoder.widths=[4, 8]", "training.steps=3", "training.batch=8", "training.epochs=1")
    maps = np.random.default_rng(3).normal(-5, 2, (9, 1, 16, 16)).astype("f4")
    run(bench.invar, "export", bench.folder / "audio", "-o", bench.folder / "audio.c")
    (bench.folder / "main.c").write_text("""#include "audio.h"
#include <stdio.h>
int main(void)
{
    static float in[AUDIO_HEIGHT * AUDIO_WIDTH], out[AUDIO_FEATURES], work[AUDIO_WORK];
    while (fread(in, sizeof in, 1, stdin) == 1) {
        audio_embed(in, out, work);
        fwrite(out, sizeof out, 1, stdout);
    }
    return 0;
}
""")
    run("cc", "-O1", bench.folder / "audio.c", bench.folder / "main.c", "-o", bench.folder / "audio-c")
    done = subprocess.run([bench.folder / "audio-c"], input=maps.tobytes(), capture_output=True, check=True)
    bench.compare("audio", session, {"spectrogram": maps}, np.frombuffer(done.stdout, "f4").reshape(9, -1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--invar", default="build/invar")
    parser.add_argument("--make-data", default="build/tests/make_data")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, pathlib.Path(folder))
        for part in images, arrays, table, clips:
            part(bench)
    return bench.failed


if __name__ == "__main__":
    sys.exit(main())
