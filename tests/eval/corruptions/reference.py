#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The 19 image corruptions, written a second time: from their description, slowly, in float64, with numpy alone.

    reference.py DIR      writes into DIR the test images, the pictures of frost, and NAME-32.npy [5][32][32][3] and
                          NAME-224.npy [5][66][48] for every corruption, which tests/eval/test_corruption_reference.c
                          compares with the library; jpeg_compression-32-sure.npy and -224-sure.npy are 1 where no
                          coefficient is so near to a rounding tie that another exact DCT may round it otherwise

The random numbers are those of the library: Philox 4x32-10 keyed by (seed, purpose), counted by (corruption and severity,
index of the sample), drawn in the order of the description. So that images can be compared, and not only statistics.
"""
import os
import struct
import sys
import zlib

import numpy as np

NAMES = """gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost fog brightness
contrast elastic_transform pixelate jpeg_compression speckle_noise gaussian_blur spatter saturate""".split()
SEED, INDEX = 20240607, 3
PURPOSE = 7

SETTINGS = {
    "gaussian_noise": ([0.04, 0.06, 0.08, 0.09, 0.10], [0.08, 0.12, 0.18, 0.26, 0.38]),
    "shot_noise": ([500, 250, 100, 75, 50], [60, 25, 12, 5, 3]),
    "impulse_noise": ([0.01, 0.02, 0.03, 0.05, 0.07], [0.03, 0.06, 0.09, 0.17, 0.27]),
    "defocus_blur": ([(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
                     [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)]),
    "glass_blur": ([(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
                   [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)]),
    "motion_blur": ([(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)], [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)]),
    "zoom_blur": ([(0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)],
                  [(0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)]),
    "snow": ([(0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
              (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)],
             [(0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
              (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55)]),
    "frost": ([(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
              [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)]),
    "fog": ([(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)], [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)]),
    "brightness": ([0.05, 0.1, 0.15, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4, 0.5]),
    "contrast": ([0.75, 0.5, 0.4, 0.3, 0.15], [0.4, 0.3, 0.2, 0.1, 0.05]),
    "elastic_transform": ([(0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)],
                          [(2 * 244, 0.7 * 244, 24.4), (2 * 244, 0.08 * 244, 48.8), (0.05 * 244, 2.44, 4.88),
                           (0.07 * 244, 2.44, 4.88), (0.12 * 244, 2.44, 4.88)]),
    "pixelate": ([0.95, 0.9, 0.85, 0.75, 0.65], [0.6, 0.5, 0.4, 0.3, 0.25]),
    "jpeg_compression": ([80, 65, 58, 50, 40], [25, 18, 15, 10, 7]),
    "speckle_noise": ([0.06, 0.1, 0.12, 0.16, 0.2], [0.15, 0.2, 0.35, 0.45, 0.6]),
    "gaussian_blur": ([0.4, 0.6, 0.7, 0.8, 1], [1, 2, 3, 4, 6]),
    "spatter": ([(0.62, 0.1, 0.7, 0.7, 0.5, "water"), (0.65, 0.1, 0.8, 0.7, 0.5, "water"),
                 (0.65, 0.3, 1, 0.69, 0.5, "water"), (0.65, 0.1, 0.7, 0.69, 0.6, "mud"),
                 (0.65, 0.1, 0.5, 0.68, 0.6, "mud")],
                [(0.65, 0.3, 4, 0.69, 0.6, "water"), (0.65, 0.3, 3, 0.68, 0.6, "water"),
                 (0.65, 0.3, 2, 0.68, 0.5, "water"), (0.65, 0.3, 1, 0.65, 1.5, "mud"),
                 (0.67, 0.4, 1, 0.65, 1.5, "mud")]),
    "saturate": ([(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)], [(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)]),
}


# ---- random numbers ----

def philox(counters, key):
    """Blocks of four words: counters [n][4], key two words."""
    c = [counters[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = int(key[0]), int(key[1])
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a = c[0] * np.uint64(0xD2511F53)
        b = c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), b & low, (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), a & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, 1).astype(np.uint32)


class Draws:
    def __init__(self, number, severity, seed=SEED, index=INDEX):
        key = philox(np.array([[PURPOSE, 0, 0, 0]]), (seed & 0xFFFFFFFF, seed >> 32))[0]
        blocks = 1 << 15
        counters = np.zeros((blocks, 4), np.uint64)
        counters[:, 0] = np.arange(blocks)
        counters[:, 1] = (8 * number + severity - 1) << 8
        counters[:, 2], counters[:, 3] = index & 0xFFFFFFFF, index >> 32
        self.word = philox(counters, key).reshape(-1)
        self.used = 0

    def words(self, count):
        self.used += count
        assert self.used <= self.word.size
        return self.word[self.used - count:self.used]

    def uniform(self, low, high, count=1):
        u = (self.words(count) >> 8).astype(np.float32) * np.float32(2.0**-24)
        return (np.float32(low) + (np.float32(high) - np.float32(low)) * u).astype(np.float64)

    def below(self, bound):
        product = int(self.words(1)[0]) * bound
        while product & 0xFFFFFFFF < 2**32 % bound:
            product = int(self.words(1)[0]) * bound
        return product >> 32

    def normal(self, mean, deviation, count):
        w = self.words(count + count % 2).reshape(-1, 2)
        inside = (w[:, 0].astype(np.float32) + np.float32(1)) * np.float32(2.0**-32)
        radius = np.sqrt(-2 * np.log(inside.astype(np.float64)))
        angle = 2 * np.pi * (w[:, 1] >> 8) / 2**24
        pair = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
        return mean + deviation * pair.reshape(-1)[:count]

    def poisson(self, means):
        """By inversion: the smallest count whose distribution function is above the word / 2^32."""
        words = self.words(means.size).reshape(means.shape)
        out = np.zeros(means.shape)
        for mean in np.unique(means):
            chance = [np.exp(-mean)]
            for j in range(1, int(mean + 20 * np.sqrt(mean) + 40)):
                chance.append(chance[-1] * mean / j)
            limits = np.floor(np.minimum(np.cumsum(chance), 1) * 2**32)
            here = means == mean
            out[here] = np.searchsorted(limits, words[here], side="right")
        return out


# ---- what several need ----

WHOLE = 1e-9  # what misses a whole number by rounding noise only is that number; else noise would decide in flat areas


def to_bytes(x):
    return np.trunc(np.clip(x, 0, 1) * 255 + WHOLE).astype(np.uint8)


def pad(x, up, down, left, right, border):
    mode = {"edge": "edge", "mirror": "reflect", "symmetric": "symmetric"}[border]
    return np.pad(x, [(up, down), (left, right)] + [(0, 0)] * (x.ndim - 2), mode)


def gaussian(x, sigma, reach=4, border="edge"):
    r = int(np.floor(reach * sigma + 0.5))
    if r == 0:
        return x
    t = np.arange(-r, r + 1)
    w = np.exp(-t * t / (2 * sigma * sigma))
    w /= w.sum()
    for axis in (0, 1):
        around = [(r, r) if a == axis else (0, 0) for a in range(2)]
        p = pad(x, *around[0], *around[1], border)
        x = sum(w[k] * np.take(p, np.arange(k, k + x.shape[axis]), axis) for k in range(2 * r + 1))
    return x


def correlate(x, kernel, border):
    ry, rx = kernel.shape[0] // 2, kernel.shape[1] // 2
    p = pad(x, ry, ry, rx, rx, border)
    h, w = x.shape[:2]
    return sum(kernel[i, j] * p[i:i + h, j:j + w] for i in range(kernel.shape[0]) for j in range(kernel.shape[1]))


def zoom(a, z):
    for axis in (0, 1):
        n = a.shape[axis]
        m = int(np.ceil(n / z))
        o = int(np.rint(m * z))
        block = np.take(a, np.arange((n - m) // 2, (n - m) // 2 + m), axis)
        at = np.arange(o) * (m - 1) / (o - 1)
        low = np.minimum(np.floor(at).astype(int), m - 1)
        high = np.minimum(low + 1, m - 1)
        part = (at - low).reshape([-1 if k == axis else 1 for k in range(a.ndim)])
        large = np.take(block, low, axis) * (1 - part) + np.take(block, high, axis) * part
        a = np.take(large, np.arange((o - n) // 2, (o - n) // 2 + n), axis)
    return a


def streak(a, r, sigma, theta):
    """Of values 0..255; truncated."""
    i = np.arange(2 * int(np.ceil(r)) + 1)
    w = np.exp(-i * i / (2 * sigma * sigma))
    w /= w.sum()
    rad = np.deg2rad(theta)
    dx = np.ceil(i * np.cos(rad) - 0.5).astype(int)
    dy = np.ceil(i * np.sin(rad) - 0.5).astype(int)
    h, width = a.shape[:2]
    ys, xs = np.arange(h), np.arange(width)
    out = sum(w[k] * a[np.clip(ys + dy[k], 0, h - 1)][:, np.clip(xs + dx[k], 0, width - 1)] for k in i)
    return np.trunc(out + WHOLE)


def bilinear(a, y, x, border):
    h, w = a.shape[:2]

    def index(i, n):
        if border == "mirror":
            i = np.mod(i, 2 * n - 2)
            return np.where(i < n, i, 2 * n - 2 - i)
        i = np.mod(i, 2 * n)
        return np.where(i < n, i, 2 * n - 1 - i)

    y0, x0 = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    fy, fx = (y - y0)[..., None], (x - x0)[..., None]
    ya, yb, xa, xb = index(y0, h), index(y0 + 1, h), index(x0, w), index(x0 + 1, w)
    return (1 - fy) * ((1 - fx) * a[ya, xa] + fx * a[ya, xb]) + fy * ((1 - fx) * a[yb, xa] + fx * a[yb, xb])


# ---- the corruptions: (8-bit RGB image, parameters, draws) -> 8-bit RGB image ----

def gaussian_noise(image, sd, draws):
    return to_bytes(image / 255 + draws.normal(0, sd, image.size).reshape(image.shape))


def shot_noise(image, k, draws):
    return to_bytes(draws.poisson(image / 255 * k) / k)


def impulse_noise(image, p, draws):
    u = draws.words(image.size).reshape(image.shape) / 2**32
    return np.where(u < p / 2, 255, np.where(u < p, 0, image)).astype(np.uint8)


def speckle_noise(image, sd, draws):
    x = image / 255
    return to_bytes(x + x * draws.normal(0, sd, image.size).reshape(image.shape))


def gaussian_blur(image, sigma, draws):
    return to_bytes(gaussian(image / 255, sigma))


def defocus_blur(image, parameters, draws):
    radius, alias = parameters
    g, s = (8, 1) if radius <= 8 else (int(radius), 2)
    t = np.arange(-g, g + 1)
    disk = (t[:, None]**2 + t**2 <= radius * radius).astype(float)
    disk /= disk.sum()
    soft = np.exp(-np.arange(-s, s + 1.0)**2 / (2 * alias * alias))
    soft /= soft.sum()
    return to_bytes(correlate(image / 255, correlate(disk, np.outer(soft, soft), "mirror"), "mirror"))


def glass_blur(image, parameters, draws):
    sigma, d, rounds = parameters
    x = np.trunc(gaussian(image / 255, sigma) * 255 + WHOLE).astype(np.uint8)
    for _ in range(rounds):
        for i in range(x.shape[0] - d, d, -1):
            for j in range(x.shape[1] - d, d, -1):
                dx = draws.below(2 * d) - d
                dy = draws.below(2 * d) - d
                x[i, j] = x[i + dy, j + dx]
    return to_bytes(gaussian(x / 255, sigma))


def motion_blur(image, parameters, draws):
    r, sigma = parameters
    return streak(image.astype(float), r, sigma, draws.uniform(-45, 45)[0]).astype(np.uint8)


def zoom_blur(image, parameters, draws):
    step, count = parameters
    factors = np.arange(1, 1 + step * (count - 0.5), step)
    assert factors.size == count
    x = image / 255
    return to_bytes((x + sum(zoom(x, z) for z in factors)) / (count + 1))


def snow(image, parameters, draws):
    mu, sd, z, cut, r, sigma, keep = parameters
    h, w = image.shape[:2]
    layer = zoom(draws.normal(mu, sd, h * w).reshape(h, w), z)
    layer = np.trunc(np.clip(np.where(layer < cut, 0, layer), 0, 1) * 255)
    layer = streak(layer, r, sigma, draws.uniform(-135, -45)[0]) / 255
    x = image / 255
    grey = x @ [0.299, 0.587, 0.114]
    x = keep * x + (1 - keep) * np.maximum(x, 1.5 * grey[..., None] + 0.5)
    return to_bytes(x + (layer + layer[::-1, ::-1])[..., None])


def enlarged(picture, h, w):
    """A picture with room for an image of h x w to move in: as it is, or bilinearly at 1.1 times what covers it."""
    if picture.shape[0] > h and picture.shape[1] > w:
        return picture.astype(float)
    scale = 1.1 * max(h / picture.shape[0], w / picture.shape[1])
    rows = max(h + 1, int(np.rint(picture.shape[0] * scale)))
    columns = max(w + 1, int(np.rint(picture.shape[1] * scale)))
    y = np.clip((np.arange(rows) + 0.5) / scale - 0.5, 0, picture.shape[0] - 1)
    x = np.clip((np.arange(columns) + 0.5) / scale - 0.5, 0, picture.shape[1] - 1)
    return bilinear(picture.astype(float), *np.meshgrid(y, x, indexing="ij"), "symmetric")


def frost(image, parameters, draws, pictures=None, small=None):
    a, b = parameters
    h, w = image.shape[:2]
    pictures = pictures if pictures is not None else frost_pictures()
    picture = pictures[draws.below(len(pictures))]
    if small if small is not None else max(h, w) <= 64:
        rows, columns = int(np.rint(picture.shape[0] / 5)), int(np.rint(picture.shape[1] / 5))
        picture = picture[2::5, 2::5][:rows, :columns]
    picture = enlarged(picture, h, w)
    y, x = draws.below(picture.shape[0] - h), draws.below(picture.shape[1] - w)
    return np.trunc(np.clip(a * image + b * picture[y:y + h, x:x + w] + WHOLE, 0, 255)).astype(np.uint8)


def plasma(n, decay, draws):
    f = np.zeros((n, n))
    s, amplitude = n, 100.0
    while s >= 2:
        h = s // 2

        def fill(y, x, sources):
            for i in range(0, n, s):
                for j in range(0, n, s):
                    mean = sum(f[(i + dy) % n, (j + dx) % n] for dy, dx in sources) / 4
                    f[(i + y) % n, (j + x) % n] = mean + amplitude**2 * draws.uniform(-1, 1)[0]

        fill(h, h, [(0, 0), (s, 0), (0, s), (s, s)])
        fill(0, h, [(0, 0), (0, s), (-h, h), (h, h)])
        fill(h, 0, [(0, 0), (s, 0), (h, -h), (h, h)])
        s, amplitude = h, amplitude / decay
    f -= f.min()
    return f / f.max()


def fog(image, parameters, draws):
    c, decay = parameters
    h, w = image.shape[:2]
    n = 1 << int(np.ceil(np.log2(max(h, w))))
    x = image / 255
    m = x.max()
    return to_bytes((x + c * plasma(n, decay, draws)[:h, :w, None]) * m / (m + c))


def brightness(image, b, draws):
    h, s, v = to_hsv(image / 255)
    return to_bytes(from_hsv(h, s, np.clip(v + b, 0, 1)))


def contrast(image, c, draws):
    x = image / 255
    mu = x.mean((0, 1))
    return to_bytes((x - mu) * c + mu)


def to_hsv(x):
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    v, delta = x.max(-1), x.max(-1) - x.min(-1)
    some = np.where(delta > 0, delta, 1)
    h = np.where(b == v, 4 + (r - g) / some, np.where(g == v, 2 + (b - r) / some, (g - b) / some)) / 6 % 1
    s = np.where(delta > 0, delta / np.where(v > 0, v, 1), 0)
    return np.where(delta > 0, h, 0), s, v


def from_hsv(h, s, v):
    sixth = np.floor(h * 6)
    f = h * 6 - sixth
    p, q, t = v * (1 - s), v * (1 - f * s), v * (1 - (1 - f) * s)
    k = sixth.astype(int) % 6
    rgb = [[v, t, p], [q, v, p], [p, v, t], [p, q, v], [t, p, v], [v, p, q]]
    return np.stack([np.choose(k, [rgb[i][c] for i in range(6)]) for c in range(3)], -1)


def saturate(image, parameters, draws):
    a, b = parameters
    h, s, v = to_hsv(image / 255)
    return to_bytes(from_hsv(h, np.clip(a * s + b, 0, 1), v))


def resize_box(x, m, axis):
    n = x.shape[axis]
    out = []
    for i in range(m):
        if m <= n:
            inside = [j for j in range(n) if i * n < (j + 0.5) * m <= (i + 1) * n]
        else:
            inside = [-int(-(i + 0.5) * n // m) - 1]
        out.append(np.floor(np.take(x, inside, axis).astype(float).mean(axis) + 0.5))
    return np.stack(out, axis)


def pixelate(image, f, draws):
    h, w = image.shape[:2]
    small = resize_box(resize_box(image, int(w * f), 1), int(h * f), 0)
    return resize_box(resize_box(small, w, 1), h, 0).astype(np.uint8)


LUMINANCE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 18 22 37 56 68
109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
CHROMINANCE = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99""" + " 99" * 32


TIE = 0.1  # error of a coefficient of a DCT with integers, which may so fall on the other side of a rounding tie


def jpeg_plane(plane, table):
    """The decoded plane, and where no coefficient of the block is so near to a tie that it may be rounded otherwise."""
    k = np.arange(8)
    basis = np.sqrt(np.where(k == 0, 1, 2) / 8)[:, None] * np.cos((2 * k + 1) * k[:, None] * np.pi / 16)
    h, w = plane.shape
    blocks = plane.reshape(h // 8, 8, w // 8, 8).transpose(0, 2, 1, 3) - 128
    levels = basis @ blocks @ basis.T / table
    sure = (np.abs(np.abs(levels) % 1 - 0.5) * table > TIE).all((2, 3), keepdims=True) & (blocks == blocks)
    levels = np.sign(levels) * np.floor(np.abs(levels) + 0.5)
    back = basis.T @ (levels * table) @ basis + 128
    whole = lambda x: x.transpose(0, 2, 1, 3).reshape(h, w)
    return whole(np.clip(np.rint(back), 0, 255)), whole(sure)


def jpeg_double(plane):
    p = np.pad(plane, 1, "edge")
    h, w = plane.shape
    out = np.zeros((2 * h, 2 * w))
    for i in range(2):
        for j in range(2):
            near = p[1:-1, 1:-1]
            side = p[1:-1, 2 * j:2 * j + w]
            over = p[2 * i:2 * i + h, 1:-1]
            corner = p[2 * i:2 * i + h, 2 * j:2 * j + w]
            out[i::2, j::2] = np.floor((9 * near + 3 * side + 3 * over + corner + (8 if j == 0 else 7)) / 16)
    return out


def jpeg_compression(image, quality, draws, with_sure=False):
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = [np.clip((np.array(t.split(), float).reshape(8, 8) * scale + 50) // 100, 1, 255)
              for t in (LUMINANCE, CHROMINANCE)]
    h, w = image.shape[:2]
    x = np.pad(image.astype(float), [(0, -h % 16), (0, -w % 16), (0, 0)], "edge")
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    y = np.floor(0.299 * r + 0.587 * g + 0.114 * b + 0.5)
    chroma = [128 - 0.168736 * r - 0.331264 * g + 0.5 * b, 128 + 0.5 * r - 0.418688 * g - 0.081312 * b]
    bias = np.where(np.arange(x.shape[1] // 2) % 2 == 0, 1, 2)
    y, sure = jpeg_plane(y, tables[0])
    difference = []
    for c in chroma:
        c = np.clip(np.ceil(c - 0.5 - 1e-9), 0, 255)  # halves downwards, as libjpeg has it
        c, sure_c = jpeg_plane(np.floor((c[::2, ::2] + c[1::2, ::2] + c[::2, 1::2] + c[1::2, 1::2] + bias) / 4), tables[1])
        difference.append(jpeg_double(c) - 128)
        sure &= jpeg_double(255.0 * sure_c) == 255
    cb, cr = difference
    out = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1)
    out = np.clip(np.floor(out + 0.5), 0, 255).astype(np.uint8)[:h, :w]
    return (out, sure[:h, :w]) if with_sure else out


def elastic_transform(image, parameters, draws):
    alpha, sigma, jitter = parameters
    h, w = image.shape[:2]
    cx, cy, q = w // 2, h // 2, min(h, w) // 3
    points = np.array([(cx + q, cy + q), (cx + q, cy - q), (cx - q, cy - q)], float)
    moved = points + draws.uniform(-jitter, jitter, 6).reshape(3, 2)
    forward = np.eye(3)
    forward[:2] = np.linalg.solve(np.c_[points, np.ones(3)], moved).T
    back = np.linalg.inv(forward)
    y, x = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    out = bilinear(image / 255, back[1, 0] * x + back[1, 1] * y + back[1, 2],
                   back[0, 0] * x + back[0, 1] * y + back[0, 2], "mirror")
    if alpha > 0:
        dx, dy = [alpha * gaussian(draws.uniform(-1, 1, h * w).reshape(h, w), sigma, 3, "symmetric") for _ in range(2)]
        out = bilinear(out, y + dy, x + dx, "symmetric")
    return to_bytes(out)


# ---- spatter ----

def canny(image, weak, strong):
    across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    x = image.astype(int)
    gx, gy = correlate(x, across, "edge"), correlate(x, across.T, "edge")
    magnitude = np.abs(gx) + np.abs(gy)
    m = np.pad(magnitude, 1)
    h, w = image.shape
    kept = np.zeros((h, w), int)
    for i in range(h):
        for j in range(w):
            own, a, b = magnitude[i, j], abs(gx[i, j]), abs(gy[i, j])
            at = lambda di, dj: m[i + 1 + di, j + 1 + dj]
            if own <= weak:
                continue
            if b < np.tan(np.pi / 8) * a:
                keep = own > at(0, -1) and own >= at(0, 1)
            elif b > np.tan(3 * np.pi / 8) * a:
                keep = own > at(-1, 0) and own >= at(1, 0)
            elif (gx[i, j] > 0) == (gy[i, j] > 0):
                keep = own > at(-1, -1) and own > at(1, 1)
            else:
                keep = own > at(-1, 1) and own > at(1, -1)
            kept[i, j] = (2 if own > strong else 1) if keep else 0
    while True:
        sure = np.pad(kept == 2, 1)
        near = sum(sure[i:i + h, j:j + w] for i in range(3) for j in range(3)) > 0
        more = (kept == 1) & near
        if not more.any():
            return kept == 2
        kept[more] = 2


def chamfer(edges):
    """Shortest way over single steps, found by repeating them until nothing changes (two passes find the same)."""
    h, w = edges.shape
    d = np.where(edges, 0.0, 1e9)
    steps = [(i, j, {1: 1.0, 2: 1.4, 5: 2.1969}[i * i + j * j]) for i in range(-2, 3) for j in range(-2, 3)
             if i * i + j * j in (1, 2, 5)]
    while True:
        p = np.pad(d, 2, constant_values=1e9)
        least = np.minimum.reduce([d] + [p[2 + i:2 + i + h, 2 + j:2 + j + w] + s for i, j, s in steps])
        if (least == d).all():
            return np.minimum(d, 20)
        d = least


def spatter(image, parameters, draws):
    mu, sd, s, cut, k, kind = parameters
    h, w = image.shape[:2]
    x = image / 255
    layer = gaussian(draws.normal(mu, sd, h * w).reshape(h, w), s)
    layer[layer < cut] = 0
    if kind == "mud":
        m = gaussian((layer > cut).astype(float), k)
        m[m < 0.8] = 0
        return to_bytes(x * (1 - m[..., None]) + m[..., None] * np.array([63, 42, 20]) / 255)
    l8 = (np.trunc(layer * 255).astype(int) % 256).astype(np.uint8)
    box = np.full((3, 3), 1 / 9)
    depth = np.trunc(correlate(chamfer(canny(l8, 50, 150)), box, "mirror") + 0.0001).astype(int)
    counts = np.bincount(depth.reshape(-1), minlength=256)
    lowest = depth.min()
    if depth.max() > lowest:
        h0, total = counts[lowest], depth.size
        depth = np.rint(255 * (np.cumsum(counts) - h0) / (total - h0)).astype(int)[depth]
    depth = np.clip(correlate(depth, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), "mirror"), 0, 255)
    depth = np.rint(correlate(depth, box, "mirror"))
    m = l8 * depth
    if m.max() > 0:
        m = m / m.max() * k
    return to_bytes(x + m[..., None] * np.array([175, 238, 238]) / 255)


# ---- files ----

def corrupt(name, image, severity, small=None, seed=SEED, index=INDEX, **more):
    """Any image: gray is replicated, corrupted and averaged back."""
    if small is None:
        small = max(image.shape[:2]) <= 64
    parameters = SETTINGS[name][0 if small else 1][severity - 1]
    draws = Draws(NAMES.index(name), severity, seed, index)
    if image.ndim == 2:
        out = globals()[name](np.repeat(image[..., None], 3, -1), parameters, draws, **more)
        return ((out.astype(int).sum(-1) + 1) // 3).astype(np.uint8)
    return globals()[name](image, parameters, draws, **more)


def test_image(h, w, phase):
    """Smooth shades, a bright disk, a dark bar with sharp edges, a checkerboard, some grain, black and white corners."""
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    out = np.stack([0.5 + 0.4 * np.sin(3 * x + 2 * y + phase), 0.3 + 0.5 * y * x + 0.1 * np.cos(9 * y),
                    0.6 - 0.4 * x + 0.2 * np.sin(7 * x * y)], -1)
    out[(y - 0.4)**2 + (x - 0.6)**2 < 0.05] = (0.95, 0.8, 0.3)
    out[(np.abs(y - x * 0.5 - 0.45) < 0.05)] = (0.1, 0.15, 0.2)
    corner = (y > 0.7) & (x < 0.35)
    out[corner] = np.where((np.indices((h, w)).sum(0) // 2 % 2 == 0)[corner][:, None], 0.9, 0.1)
    out += Draws(100, 1, index=int(10 * phase)).normal(0, 0.03, h * w * 3).reshape(h, w, 3)
    out[:3, :3], out[-3:, -3:] = 0, 1
    return np.rint(np.clip(out, 0, 1) * 255).astype(np.uint8)


def frost_pictures():
    """In the order of their names."""
    y, x = np.meshgrid(np.arange(190), np.arange(230), indexing="ij")
    large = np.stack([120 + y // 3 + 40 * (x // 5 % 2), 140 + x // 3 + 0 * y, 150 + (x + y) // 6 + 30 * (y // 5 % 2)], -1)
    y, x = np.meshgrid(np.arange(60), np.arange(80), indexing="ij")
    small = np.stack([90 + 2 * y + 0 * x, 100 + x + y // 2, 255 - x - y], -1)
    return [large.astype(np.uint8), small.astype(np.uint8)]


def write_png(path, image):
    h, w = image.shape[:2]
    rows = b"".join(b"\0" + image[i].tobytes() for i in range(h))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def main(folder):
    os.makedirs(f"{folder}/frost", exist_ok=True)
    for name, picture in zip(("large", "small"), frost_pictures()):
        write_png(f"{folder}/frost/{name}.png", picture)
    colour = test_image(32, 32, 0.3)
    gray = test_image(66, 48, 1.1).astype(int).sum(-1) // 3
    gray = gray.astype(np.uint8)
    np.save(f"{folder}/image-32.npy", colour)
    np.save(f"{folder}/image-224.npy", gray)
    for name in NAMES:
        np.save(f"{folder}/{name}-32.npy", np.stack([corrupt(name, colour, s) for s in range(1, 6)]))
        np.save(f"{folder}/{name}-224.npy", np.stack([corrupt(name, gray, s) for s in range(1, 6)]))
    for size, image, qualities in ((32, colour, SETTINGS["jpeg_compression"][0]),
                                   (224, np.repeat(gray[..., None], 3, -1), SETTINGS["jpeg_compression"][1])):
        sure = [jpeg_compression(image, q, None, with_sure=True)[1] for q in qualities]
        np.save(f"{folder}/jpeg_compression-{size}-sure.npy", np.stack(sure).astype(np.uint8))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1])
