#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TensorBoard's own readers on what a run leaves: scalars, pictures of views, hyperparameters, and the projector's files.

    tests/peers/tensorboard_reads.py --invar build/invar

Exits with 77 (skipped) where TensorBoard is missing.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

SKIPPED = 77
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2
except ImportError:
    print("skipped: this Python has no tensorboard (pip install tensorboard)")
    sys.exit(SKIPPED)

RECIPE = """
name: tensorboard
data: {source: "idx:data"}
views: {count: 2, crop: [0.5, 1], flip: 0.5}
encoder: {kind: small-resnet, widths: [4, 8]}
projector: {hidden: [16], output: 8}
adversary: {kind: cnn, views: [1], eps: 0.1}
terms: {relic: {tau: 0.2}}
optimiser: {kind: adamw, lr: 1e-3}
training: {epochs: 4, batch: 16, log_interval: 1, measure_interval: 4, precision: float32}
"""


def check_scalars(run, events):
    rows = [json.loads(line) for line in open(os.path.join(run, "metrics.jsonl"))]
    keys = {key for row in rows for key, value in row.items() if value is not None} - {"step", "epoch"}
    assert keys == set(events.Tags()["scalars"]), (keys, events.Tags()["scalars"])
    for key in keys:
        expected = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
        got = [(event.step, event.value) for event in events.Scalars(key)]
        assert len(got) == len(expected), key
        for (step, value), (read_step, read) in zip(expected, got):
            assert step == read_step and abs(read - value) <= 1e-6 * max(1, abs(value)), (key, step, value, read)
    print(f"scalars: {len(keys)} series of {len(rows)} steps")


def check_pictures(events, last_step):
    tags = events.Tags()["images"]
    assert set(tags) == {"views/clean", "views/0", "views/1", "views/1 perturbed"}, tags
    seen = {}
    for tag in tags:
        pictures = events.Images(tag)
        assert pictures[0].step == 1 and 2 <= len(pictures) <= 10 and pictures[-1].step <= last_step
        for picture in pictures:
            assert picture.encoded_image_string.startswith(b"\x89PNG\r\n\x1a\n")
            width, height = (int.from_bytes(picture.encoded_image_string[at : at + 4], "big") for at in (16, 20))
            assert (picture.width, picture.height) == (width, height) and width > height > 50
        seen[tag] = pictures[0].encoded_image_string
    assert len(set(seen.values())) == len(seen), "two kinds of view look the same"
    print(f"pictures: {sorted(tags)}")


def check_settings(events):
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert content.plugin_name == "hparams"
    data = plugin_data_pb2.HParamsPluginData.FromString(content.content)
    options = data.session_start_info.hparams
    assert options["training.batch"].number_value == 16 and options["terms.relic.tau"].number_value == 0.2
    assert options["encoder.kind"].string_value == "small-resnet" and options["target.enabled"].bool_value is False
    assert options["encoder.widths"].string_value == "[4, 8]"
    assert data.session_start_info.group_name.startswith("tensorboard ")
    print(f"hyperparameters: {len(options)}")


def check_projector(folder, count):
    from google.protobuf import text_format
    from tensorboard.plugins.projector import projector_config_pb2, projector_plugin

    with open(os.path.join(folder, "projector_config.pbtxt")) as stream:
        config = text_format.Parse(stream.read(), projector_config_pb2.ProjectorConfig())
    (embedding,) = config.embeddings
    path = os.path.join(folder, embedding.tensor_path)
    tensor = projector_plugin._read_tensor_binary_file(path, embedding.tensor_shape)
    assert tensor.shape == tuple(embedding.tensor_shape) and tensor.shape[0] == count and (tensor != 0).any()
    with open(os.path.join(folder, embedding.metadata_path)) as stream:
        lines = stream.read().splitlines()
    assert lines[0] == "label\tindex" and len(lines) == 1 + count, lines[:2]
    with open(os.path.join(folder, embedding.sprite.image_path), "rb") as stream:
        sprite = stream.read()
    width, height = (int.from_bytes(sprite[at : at + 4], "big") for at in (16, 20))
    side_width, side_height = embedding.sprite.single_image_dim
    assert width % side_width == 0 and height % side_height == 0
    assert (width // side_width) * (height // side_height) >= count and max(width, height) <= 8192
    return tensor


def check_whole(invar, folder, run):
    import numpy

    subprocess.run([invar, "embed", run, "idx:data", "-o", "h.npy", "--split", "test", "--threads", "1",
                    "--projector", run], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    h = numpy.load(os.path.join(folder, "h.npy"))
    tensor = check_projector(os.path.join(folder, run), len(h))
    assert (tensor == h).all(), "the projector shows other numbers than embed writes"
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
    from werkzeug.test import Client
    from werkzeug.wrappers import Response

    multiplexer = EventMultiplexer().AddRunsFromDirectory(folder)
    multiplexer.Reload()
    context = base_plugin.TBContext(logdir=folder, data_provider=MultiplexerDataProvider(multiplexer, folder),
                                    multiplexer=multiplexer)
    apps = ProjectorPlugin(context).get_plugin_apps()

    def ask(route, **arguments):
        response = Client(apps[route], Response).get("/?" + urllib.parse.urlencode(arguments))
        assert response.status_code == 200, (route, response.status_code, response.data[:300])
        return response.data

    assert json.loads(ask("/runs")) == [run]
    (embedding,) = json.loads(ask("/info", run=run))["embeddings"]
    assert embedding["tensorShape"] == list(h.shape), embedding
    served = numpy.frombuffer(ask("/tensor", run=run, name=embedding["tensorName"]), numpy.float32)
    assert (served.reshape(h.shape) == h).all()
    assert ask("/metadata", run=run, name=embedding["tensorName"]).startswith(b"label\tindex\n")
    assert ask("/sprite_image", run=run, name=embedding["tensorName"]).startswith(b"\x89PNG")
    print(f"projector: {len(h)} x {h.shape[1]}, served by TensorBoard's plugin")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--invar", default="build/invar")
    invar = os.path.abspath(parser.parse_args().invar)
    make_data = os.path.join(os.path.dirname(invar), "tests", "make_data")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([make_data, "idx", "data", "64", "32", "16", "4"], cwd=folder, check=True)
        with open(os.path.join(folder, "recipe.yaml"), "w") as stream:
            stream.write(RECIPE)
        subprocess.run([invar, "pretrain", "recipe.yaml", "--run", "run", "--threads", "1"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run = os.path.join(folder, "run")
        events = EventAccumulator(run, size_guidance={"scalars": 0, "images": 0, "tensors": 0})
        events.Reload()
        check_scalars(run, events)
        check_pictures(events, 16)
        check_settings(events)
        check_whole(invar, folder, "run")


if __name__ == "__main__":
    main()
