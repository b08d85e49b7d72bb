#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""encoder.safetensors against torchvision: the same weights give the same features on both sides.

usage: encoder_torch.py [--invar build/invar] [--threads N]
       encoder_torch.py --encoder FILE.safetensors --images FILE.npy --features FILE.npy

The first form trains encoders for some steps on images it draws, loads each encoder.safetensors into torchvision's model
(strictly: nothing missing, nothing left over but num_batches_tracked) and compares its features with those of `invar
embed`: relative error at most 1e-4. Then it writes torchvision's own weights, starts invar from them (init=FILE) at a
learning rate of 0, and finds the same weights in the new encoder.safetensors, bit for bit.
The second form compares features that are there already: images are uint8 [n][h][w][c], n as in the features.
Exit status 1 where something differs, 77 (skipped) without PyTorch and torchvision.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import torchvision
except ImportError:
    print("skipped: PyTorch, torchvision and numpy are needed")
    sys.exit(77)

TOLERANCE = 1e-4
SIDE = 32


def read_safetensors(path):
    """(arrays, metadata) of float32 arrays."""
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        if entry["dtype"] != "F32":
            raise RuntimeError(f"{name} is of type {entry['dtype']}")
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        arrays[name] = torch.from_numpy(np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy())
    return arrays, metadata


def write_safetensors(path, arrays):
    types = {torch.float32: "F32", torch.int64: "I64"}
    header, blocks, end = {}, [], 0
    for name, array in arrays.items():
        blocks.append(array.numpy().tobytes())
        header[name] = {"dtype": types[array.dtype], "shape": list(array.shape),
                        "data_offsets": [end, end + len(blocks[-1])]}
        end += len(blocks[-1])
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def model_of(kind, stem):
    model = getattr(torchvision.models, kind)()
    if stem == "small":
        model.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        torch.nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
        model.maxpool = torch.nn.Identity()
    return model


def load(path):
    """torchvision's model with the weights of a file, and the file's metadata."""
    arrays, metadata = read_safetensors(path)
    model = model_of(metadata["invar.kind"], "small" if "stem: small" in metadata["invar.options"] else "imagenet")
    model.fc = torch.nn.Identity()
    found = model.load_state_dict(arrays, strict=False)
    missing = [name for name in found.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or found.unexpected_keys:
        raise RuntimeError(f"missing {missing}, not in torchvision {found.unexpected_keys}")
    return model.eval(), metadata


def feature_error(path, images, features):
    """Largest relative error of a row."""
    model, metadata = load(path)
    mean, deviation = (torch.tensor([float(x) for x in metadata[f"invar.{key}"].split()]).view(1, -1, 1, 1)
                       for key in ("mean", "deviation"))
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / deviation
    with torch.no_grad():
        expected = torch.cat([model(part) for part in x.split(64)]).numpy()
    if expected.shape != features.shape:
        raise RuntimeError(f"features of shape {features.shape}, expected {expected.shape}")
    errors = np.linalg.norm(features - expected, axis=1) / np.linalg.norm(expected, axis=1)
    return float(errors.max())


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")


def write_images(folder, rng):
    """CIFAR-10's files, small: smooth images that differ from each other. The test images, [n][h][w][c]."""
    folder.mkdir()
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        coarse = torch.from_numpy(rng.random((8, 3, 5, 5), "f4"))
        planes = torch.nn.functional.interpolate(coarse, SIDE, mode="bicubic").clamp(0, 1).mul(255).byte().numpy()
        labels = rng.integers(0, 10, (8, 1), "u1")
        (folder / name).write_bytes(np.concatenate([labels, planes.reshape(8, -1)], axis=1).tobytes())
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def train(arguments, folder, name, kind, stem, changes):
    """The run's encoder file and the features of the test images."""
    common = ["--threads", arguments.threads]
    run([arguments.invar, "pretrain", "relic-cifar10", f"data.source=cifar10:{folder / 'data'}", f"encoder.kind={kind}",
         f"encoder.stem={stem}", "training.batch=20", "training.precision=float32", *changes,
         "--run", folder / name, *common])
    run([arguments.invar, "embed", folder / name, f"cifar10:{folder / 'data'}", "--split", "test", "-o",
         folder / f"{name}.npy", *common])
    return folder / name / "encoder.safetensors", np.load(folder / f"{name}.npy")


def check_init(arguments, folder, images, kind, stem):
    """(feature error, number of arrays that changed) after a start from torchvision's weights."""
    model = model_of(kind, stem)
    name = f"{kind}-{stem}-init"
    write_safetensors(folder / f"{name}.safetensors", model.state_dict())
    encoder, features = train(arguments, folder, name, kind, stem,
                              [f"init={folder / name}.safetensors", "optimiser.lr=0", "training.epochs=1"])
    arrays, _ = read_safetensors(encoder)
    changed = [key for key, array in model.state_dict().items()
               if "running_" not in key and key in arrays and not torch.equal(array, arrays[key])]
    return feature_error(encoder, images, features), changed


def whole(arguments, folder):
    torch.manual_seed(1)
    images = write_images(folder / "data", np.random.default_rng(1))
    failed = False
    kinds = ("resnet18", "small"), ("resnet18", "imagenet"), ("resnet34", "imagenet"), ("resnet50", "imagenet")
    for kind, stem in kinds:
        if stem == "small":
            encoder, features = train(arguments, folder, f"{kind}-{stem}", kind, stem, ["training.epochs=2"])
            error = feature_error(encoder, images, features)
            failed |= not error <= TOLERANCE
            print(f"{kind}, {stem} stem, trained by invar: features differ by {error:.2e}")
        error, changed = check_init(arguments, folder, images, kind, stem)
        failed |= not error <= TOLERANCE or bool(changed)
        print(f"{kind}, {stem} stem, from torchvision's weights: features differ by {error:.2e}, "
              f"{len(changed)} weight arrays differ {' '.join(changed[:3])}")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--invar", default="build/invar")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--encoder")
    parser.add_argument("--images")
    parser.add_argument("--features")
    arguments = parser.parse_args()
    if arguments.encoder:
        error = feature_error(arguments.encoder, np.load(arguments.images), np.load(arguments.features))
        print(f"features differ by {error:.2e}")
        return 0 if error <= TOLERANCE else 1
    torch.set_num_threads(int(arguments.threads))
    with tempfile.TemporaryDirectory() as folder:
        return 1 if whole(arguments, pathlib.Path(folder)) else 0


if __name__ == "__main__":
    sys.exit(main())
