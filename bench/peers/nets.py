# SPDX-License-Identifier: Apache-2.0
"""invar's nets in PyTorch, layer for layer (bench/run compares the numbers of parameters)."""
import torch.nn.functional as F
from torch import nn


def conv_norm(i, o, kernel, stride):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o))


class Block(nn.Module):
    """kernels: 3 3 for a basic block, 1 3 1 for a bottleneck; the 3x3 convolution that comes first has the stride."""

    def __init__(self, i, widths, kernels, stride):
        super().__init__()
        layers, channels, place = [], i, kernels.index(3)
        for k, (width, kernel) in enumerate(zip(widths, kernels)):
            layers += [nn.ReLU(inplace=True)] if k else []
            layers.append(conv_norm(channels, width, kernel, stride if k == place else 1))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.shortcut = conv_norm(i, channels, 1, stride) if stride != 1 or i != channels else nn.Identity()

    def forward(self, x):
        return F.relu(self.layers(x) + self.shortcut(x), inplace=True)


def pooled(layers, side):
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(side), nn.Flatten())


def resnet(blocks, bottleneck, small_stem, channels=3):
    layers = [conv_norm(channels, 64, 3 if small_stem else 7, 1 if small_stem else 2), nn.ReLU(inplace=True)]
    layers += [] if small_stem else [nn.MaxPool2d(3, 2, 1)]
    i = 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        widths, kernels = ((width, width, 4 * width), (1, 3, 1)) if bottleneck else ((width, width), (3, 3))
        for k in range(count):
            layers.append(Block(i, widths, kernels, 2 if stage and k == 0 else 1))
            i = widths[-1]
    return pooled(layers, 1)


def small_resnet(widths, pool, channels=1):
    layers, i = [conv_norm(channels, widths[0], 3, 2), nn.ReLU(inplace=True)], widths[0]
    for k, width in enumerate(widths):
        layers.append(Block(i, (width, width), (3, 3), 2 if k else 1))
        i = width
    return pooled(layers, pool)


def mlp(i, widths, output=None):
    layers = []
    for width in widths:
        layers += [nn.Linear(i, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        i = width
    return nn.Sequential(*layers, *([nn.Linear(i, output)] if output else []))


ENCODERS = {
    "resnet18": lambda: resnet([2, 2, 2, 2], False, True),
    "resnet50": lambda: resnet([3, 4, 6, 3], True, False),
    "quickstart": lambda: small_resnet([16, 32, 128], 2),
    "audio": lambda: small_resnet([16, 32, 64, 128], 1),
    "table": lambda: mlp(16, [256, 256, 256]),
}
PROJECTORS = {
    "resnet18": lambda: mlp(512, [256], 128),
    "resnet50": lambda: mlp(2048, [256], 128),
    "quickstart": lambda: mlp(512, [256], 128),
    "audio": lambda: mlp(128, [128], 64),
    "table": lambda: mlp(256, [256, 256], 128),
}
