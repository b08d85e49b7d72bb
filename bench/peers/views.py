# SPDX-License-Identifier: Apache-2.0
"""Views of the same kinds as invar's, vectorised over the batch, so that Python does not hold PyTorch back."""
import math

import torch
import torch.nn.functional as F


def uniform(n, low, high):
    return torch.rand(n) * (high - low) + low


def by_sample(x):
    return x.view(-1, 1, 1, 1)


def gray(x):
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True) if x.shape[1] == 3 else x


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


def crop(x, area):
    """Random resized crop and flip in one resampling."""
    n = len(x)
    area = uniform(n, area, 1.0)
    aspect = torch.exp(uniform(n, math.log(3 / 4), math.log(4 / 3)))
    w, h = torch.sqrt(area * aspect).clamp(max=1), torch.sqrt(area / aspect).clamp(max=1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = w * torch.where(torch.rand(n) < 0.5, -1.0, 1.0), h
    theta[:, 0, 2], theta[:, 1, 2] = (torch.rand(n) * 2 - 1) * (1 - w), (torch.rand(n) * 2 - 1) * (1 - h)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="border")


def blend(x, other, factor):
    return (x * factor + other * (1 - factor)).clamp(0, 1)


class Images:
    """Crop, flip, jitter (0.8; 0.4 0.4 0.2 0.1), grayscale 0.2, standardised; of one channel brightness and contrast."""

    def __init__(self, channels, side, area):
        count = max(64, min(4096, 2**24 // (channels * side * side)))
        self.data = torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8)
        self.area = area

    def draw(self, n):
        return self.data[torch.randint(0, len(self.data), (n,))]

    def view(self, images):
        n, channels = images.shape[:2]
        x = crop(images.float() / 255, self.area)
        y = (x * by_sample(uniform(n, 0.6, 1.4))).clamp(0, 1)
        y = blend(y, gray(y).mean((2, 3), keepdim=True), by_sample(uniform(n, 0.6, 1.4)))
        if channels == 3:
            y = hue(blend(y, gray(y), by_sample(uniform(n, 0.8, 1.2))), uniform(n, -0.1, 0.1))
        x = torch.where(by_sample(torch.rand(n) < 0.8), y, x)
        if channels == 3:
            x = torch.where(by_sample(torch.rand(n) < 0.2), gray(x).expand_as(x), x)
        return (x - 0.5) / 0.29

    def views(self, n):
        images = self.draw(n)
        return self.view(images), self.view(images)


class Table:
    """A row as it is, and one of whose columns 30 % are those of other rows."""

    def __init__(self, columns=16, count=16384):
        self.data, self.columns = torch.randn(count, columns), torch.arange(columns)

    def views(self, n):
        x = self.data[torch.randint(0, len(self.data), (n,))]
        other = self.data[torch.randint(0, len(self.data), x.shape), self.columns]
        return x, torch.where(torch.rand(x.shape) < 0.3, other, x)


class Clips:
    """A window moved by up to a tenth, white noise (0.5; 10 to 40 dB), gain of up to 6 dB, log-mel, one mask along time
    and one along frequency, standardised."""

    rate, n_fft, hop, mels, frames = 8000, 256, 80, 40, 64

    def __init__(self, count=512):
        self.lengths = torch.randint(self.rate // 4, 3 * self.rate // 4, (count,))
        self.data = (torch.rand(count, 3 * self.rate // 4) - 0.5) * (
            torch.arange(3 * self.rate // 4) < self.lengths[:, None])
        self.span = self.n_fft + (self.frames - 1) * self.hop
        self.window = torch.hann_window(self.n_fft, periodic=True)
        self.bank = self.triangles()

    def triangles(self):
        points = 700 * (10 ** (torch.linspace(0, 2595 * math.log10(1 + self.rate / 2 / 700), self.mels + 2) / 2595) - 1)
        f = torch.arange(self.n_fft // 2 + 1)[:, None] * self.rate / self.n_fft
        rise = (f - points[:-2]) / (points[1:-1] - points[:-2])
        fall = (points[2:] - f) / (points[2:] - points[1:-1])
        return torch.minimum(rise, fall).clamp(min=0)

    def view(self, index):
        n, lengths = len(index), self.lengths[index]
        start = (torch.rand(n) * (lengths - self.span).clamp(min=0)).floor()
        start = (start + (uniform(n, -0.1, 0.1) * self.span).round()).long()
        at = start[:, None] + torch.arange(self.span)
        inside = (at >= 0) & (at < lengths[:, None])
        wave = self.data[index[:, None], at.clamp(0, self.data.shape[1] - 1)] * inside
        noisy = (torch.rand(n) < 0.5).nonzero().squeeze(1)
        power = wave[noisy].square().mean(1) * 10 ** (-uniform(len(noisy), 10, 40) / 10)
        wave[noisy] += torch.randn(len(noisy), self.span) * power.sqrt()[:, None]
        wave *= (10 ** (uniform(n, -6, 6) / 20))[:, None]
        spectrum = torch.fft.rfft(wave.unfold(1, self.n_fft, self.hop) * self.window)
        mel = ((spectrum.real.square() + spectrum.imag.square()) @ self.bank + 1e-6).log().transpose(1, 2)
        for side, dim in ((self.frames, 2), (self.mels, 1)):
            width = (torch.rand(n) * 0.2 * side).round()
            first = (torch.rand(n) * (side - width + 1)).floor()
            place = torch.arange(side)
            run = (place >= first[:, None]) & (place < (first + width)[:, None])
            mel = mel.masked_fill(run.unsqueeze(3 - dim), -4.0)
        return ((mel + 4.0) / 3.0).unsqueeze(1)

    def views(self, n):
        index = torch.randint(0, len(self.data), (n,))
        return self.view(index), self.view(index)


DATA = {
    "resnet18": lambda: Images(3, 32, 0.2),
    "resnet50": lambda: Images(3, 224, 0.2),
    "quickstart": lambda: Images(1, 28, 0.5),
    "audio": Clips,
    "table": Table,
}
