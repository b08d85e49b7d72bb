# SPDX-License-Identifier: Apache-2.0
"""The objectives of the recipes that are measured, in their fastest form in PyTorch."""
import torch
import torch.nn.functional as F


def relic(z1, z2, tau=0.2, alpha=1.0):
    """[R3] with h = f and two views."""
    q1, q2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    s = q1 @ q2.T / tau
    p12, p21 = F.log_softmax(s, 1), F.log_softmax(s.T, 1)
    contrast = -(p12.diagonal() + p21.diagonal()).mean()
    kl = ((p12.exp() - p21.exp()) * (p12 - p21)).sum(1).mean()
    return contrast + alpha * kl


def ntxent(z1, z2, tau=0.2):
    n = len(z1)
    q = F.normalize(torch.cat([z1, z2]), dim=1)
    s = (q @ q.T / tau).masked_fill(torch.eye(2 * n, dtype=torch.bool), float("-inf"))
    other = torch.arange(2 * n).roll(n)
    return F.cross_entropy(s, other)


def aplr(z, z_tilde):
    """Reconstruction of the clean view's embedding, and its orthonormality."""
    centred = z - z.mean(0)
    c = centred.T @ centred / (len(z) - 1)
    return ((z - z_tilde) ** 2).sum(1).mean() + ((c - torch.eye(len(c))) ** 2).sum() / len(c)


LOSSES = {"resnet18": relic, "resnet50": relic, "quickstart": relic, "audio": ntxent, "table": aplr}
