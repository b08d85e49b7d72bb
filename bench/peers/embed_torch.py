#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inference of an encoder in PyTorch or ONNX Runtime: uint8 in memory, standardised, in batches of 256; served to
bench/run.

Modes: eager; channels-last; compiled (channels-last, frozen: norms folded into weights); onnx: in ONNX Runtime;
exported: there too, but the file that `invar export` writes of its own encoder.
With --corrupt, Gaussian noise at severity 3 comes before every batch (one of the cheapest corruptions, vectorised), to
compare with `invar robustness`. An export to ONNX is a process of its own, so that memory is the runtime's alone.
"""
import argparse
import subprocess
import sys
import tempfile

BATCH = 256
SHAPES = {"resnet18": (3, 32, 32), "quickstart": (1, 28, 28)}


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("case", choices=list(SHAPES))
    p.add_argument("--mode", choices=["eager", "channels-last", "compiled", "onnx", "exported"], default="eager")
    p.add_argument("--corrupt", action="store_true")
    p.add_argument("--invar", help="the command, for what it exports")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--export", metavar="FILE", help="write the model as ONNX and be done")
    return p.parse_args()


def make_model(case):
    import torch
    from nets import ENCODERS

    class Standardised(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = ENCODERS[case]()

        def forward(self, x):
            return self.encoder((x.to(torch.float32) / 255 - 0.5) / 0.29)

    torch.manual_seed(1)
    return Standardised().eval()


def export(case, path):
    import torch

    images = torch.randint(0, 256, (BATCH, *SHAPES[case]), dtype=torch.uint8)
    torch.onnx.export(make_model(case), (images,), path, dynamo=True)


def run(command):
    """Ends with the last line of what the command said where it fails."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit((done.stderr.strip() or "ended without a word").splitlines()[-1])


def with_onnx(a):
    import numpy
    import onnxruntime
    from serve import Memory, serve, timed

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        images = numpy.random.default_rng(1).integers(0, 256, (BATCH, *SHAPES[a.case]), dtype=numpy.uint8)
        if a.mode == "exported":
            from embed_invar import make_run

            def invar(*words):
                run([a.invar, *words])

            make_run(invar, a.case, folder)
            invar("export", f"{folder}/run", "-o", path)
            images = images.astype("f4") / 255
        else:
            run([sys.executable, __file__, a.case, "--export", path])
        memory = Memory()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = a.threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def embed(count):
        for _ in range(0, count, BATCH):
            session.run(None, {name: images})

    embed(BATCH)
    serve(timed(embed), memory, version=f"ONNX Runtime {onnxruntime.__version__}")


def with_torch(a):
    import torch
    import torch._inductor.config
    from serve import Memory, serve, timed

    if a.threads:
        torch.set_num_threads(a.threads)
    images = torch.randint(0, 256, (BATCH, *SHAPES[a.case]), dtype=torch.uint8)
    memory = Memory()
    model = make_model(a.case)
    if a.mode != "eager":
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if a.mode == "compiled":
        torch._inductor.config.freezing = True
        model = torch.compile(model)

    def embed(count):
        with torch.no_grad():
            for _ in range(0, count, BATCH):
                x = images
                if a.corrupt:
                    x = (x.float() / 255 + 0.08 * torch.randn(x.shape)).clamp(0, 1).mul(255).to(torch.uint8)
                    x = x.contiguous(memory_format=torch.preserve_format if a.mode == "eager" else torch.channels_last)
                model(x)

    embed(2 * BATCH)
    serve(timed(embed), memory, version=f"PyTorch {torch.__version__}",
          parameters=sum(p.numel() for p in model.parameters()))


def main():
    a = parse()
    if a.export:
        export(a.case, a.export)
    elif a.mode in ("onnx", "exported"):
        with_onnx(a)
    else:
        with_torch(a)


if __name__ == "__main__":
    main()
