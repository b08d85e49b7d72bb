# SPDX-License-Identifier: Apache-2.0
"""What is measured: cases by part, and for each who takes part."""
import dataclasses
import os

STEP_MODES = ["eager", "channels-last", "compiled"]
NET = ["encoder.widths=null", "encoder.pool=null"]


@dataclasses.dataclass
class Case:
    part: str
    name: str
    what: str
    units: int  # steps, or images, that are timed in a round
    batch: int = 0
    recipe: list = dataclasses.field(default_factory=list)  # words of `invar bench`
    modes: list = dataclasses.field(default_factory=lambda: STEP_MODES)
    peer: str = ""  # what the peers call it; empty: name
    precisions: tuple = ("float32", "bfloat16")
    corrupt: bool = False

    @property
    def samples(self):
        return self.units * (self.batch or 1)


CASES = [
    Case("step", "resnet18", "ReLIC, ResNet-18 (small stem), 3x32x32, 128 samples in 2 views, AdamW", 1, 128,
         ["relic-cifar10", "encoder.kind=resnet18", "encoder.stem=small", *NET]),
    Case("step", "resnet18-products", "the same, 3x3 convolutions by products of bfloat16", 1, 128,
         ["relic-cifar10", "encoder.kind=resnet18", "encoder.stem=small", "device.convolution=winograd-bfloat16", *NET],
         peer="resnet18", precisions=("bfloat16",)),
    Case("step", "resnet50", "ReLIC, ResNet-50 (imagenet stem), 3x224x224, 16 samples in 2 views, AdamW", 1, 16,
         ["relic-cifar10", "encoder.kind=resnet50", "encoder.stem=imagenet", "data.size=224", *NET]),
    Case("small", "quickstart", "relic-fashion-mnist: small ResNet, 1x28x28, 128 samples in 2 views", 40, 128,
         ["relic-fashion-mnist"]),
    Case("small", "table", "aplr-table: MLP and generator, 16 columns, 256 samples in 2 views", 100, 256,
         ["aplr-table"], ["eager", "compiled"]),
    Case("small", "audio", "simclr-audio: small ResNet, log-mel 40x64, 64 clips in 2 views", 30, 64, ["simclr-audio"]),
    Case("embed", "embed-resnet18", "inference, ResNet-18 (small stem), 3x32x32", 512,
         modes=[*STEP_MODES, "onnx", "exported"], peer="resnet18", precisions=("float32",)),
    Case("embed", "embed-quickstart", "inference, small ResNet of the quickstart, 1x28x28", 16384,
         modes=[*STEP_MODES, "onnx", "exported"], peer="quickstart", precisions=("float32",)),
    Case("embed", "robustness-resnet18", "gaussian noise, then inference, ResNet-18 (small stem), 3x32x32", 512,
         peer="resnet18", precisions=("float32",), corrupt=True),
]


def find(words):
    """Cases by their names and those of parts; all without words."""
    known = {case.name for case in CASES} | {case.part for case in CASES}
    for word in words:
        if word not in known:
            raise SystemExit(f"bench: {word}: expected terms or some of {', '.join(sorted(known))}")
    return [case for case in CASES if not words or case.name in words or case.part in words]


def commands(case, precision, threads, python, invar, modes):
    """(name, command) of everyone who takes part; invar comes first. modes: some of the case's, by commas, or None."""
    peers = os.path.join(os.path.dirname(__file__), "..", "peers")
    name, common = case.peer or case.name, ["--threads", str(threads)]
    if case.part == "embed":
        corrupt = ["--corrupt"] if case.corrupt else []
        script, extra = f"{peers}/embed_torch.py", corrupt
        yield "invar", [python, f"{peers}/embed_invar.py", name, "--invar", invar, "--units", str(case.units), *common,
                        *corrupt]
    else:
        script, extra = f"{peers}/step_torch.py", ["--batch", str(case.batch), "--precision", precision]
        yield "invar", [invar, "bench", *case.recipe, f"training.batch={case.batch}", "--steps", str(case.units),
                        "--precision", precision, "--wait", "--json", *common]
    for mode in case.modes:
        if modes and mode not in modes.split(","):
            continue
        names = {"onnx": "ONNX Runtime", "exported": "ONNX Runtime, exported"}
        own = ["--invar", invar] if mode == "exported" else []
        yield names.get(mode, f"PyTorch {mode}"), [python, script, name, "--mode", mode, *common, *extra, *own]
