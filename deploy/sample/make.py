#!/usr/bin/env python3
"""Renders the sample picture, a mug on a table, and the mask that it was made from.

    python3 make.py        (needs numpy and Pillow; writes mug.jpg and mug-mask.png beside itself)

The mug is traced analytically: a cylinder with a rounded rim, hollow, with a torus for its handle, lit by a soft key light
and a sky. The mask is the set of pixels whose ray hits the mug, so that a cut can be judged by something other than itself.
"""

import pathlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1000, 800
SAMPLES = 3  # a side, per pixel
GLAZE = np.array([0.78, 0.10, 0.06])
BAND = np.array([0.93, 0.88, 0.78])
INSIDE = np.array([0.92, 0.88, 0.80])
LIGHT = np.array([-0.55, 0.75, 0.62])
LIGHT = LIGHT / np.linalg.norm(LIGHT)
RADIUS, TOP, WALL = 0.82, 2.0, 0.08
HANDLE = dict(centre=np.array([0.93, 1.02, 0.0]), ring=0.50, tube=0.125)


def mug_distance(p):
    """Signed distance from points (n, 3) to the mug, and to the handle alone."""
    radial = np.hypot(p[:, 0], p[:, 2])
    # A rounded cylinder, its inside taken out.
    outside = rounded_box(radial, p[:, 1] - TOP / 2, RADIUS, TOP / 2, 0.09)
    hollow = rounded_box(radial, p[:, 1] - TOP / 2 - 0.25, RADIUS - WALL, TOP / 2, 0.06)
    cup = smooth_max(outside, -hollow, 0.03)
    q = p - HANDLE["centre"]
    ring = np.hypot(q[:, 0], q[:, 1] / 1.15) - HANDLE["ring"]
    handle = np.hypot(ring, q[:, 2] / 1.2) - HANDLE["tube"]
    handle = np.maximum(handle, -(radial - RADIUS + 0.06))
    return smooth_min(cup, handle * 0.85, 0.06), handle


def rounded_box(x, y, half_x, half_y, radius):
    dx, dy = x - half_x + radius, np.abs(y) - half_y + radius
    return np.minimum(np.maximum(dx, dy), 0) + np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) - radius


def smooth_min(a, b, k):
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def smooth_max(a, b, k):
    return -smooth_min(-a, -b, k)


def march(origin, direction, far, steps=110):
    """How far each ray goes until it hits the mug; infinity where it does not."""
    t = np.zeros(len(direction))
    alive = np.arange(len(direction))
    hit = np.full(len(direction), np.inf)
    for _ in range(steps):
        d, _ = mug_distance(origin[alive] + direction[alive] * t[alive, None])
        hit[alive[d < 4e-4]] = t[alive[d < 4e-4]]
        t[alive] += d * 0.9
        alive = alive[(d >= 4e-4) & (t[alive] < far)]
        if not len(alive):
            break
    return hit


def occlusion(p, direction, reach, softness):
    """1 where nothing stands between the point and the light, towards 0 in the soft shadow."""
    lit = np.ones(len(p))
    t = np.full(len(p), 0.03)
    for _ in range(42):
        d, _ = mug_distance(p + direction * t[:, None])
        lit = np.minimum(lit, np.clip(0.5 + 0.5 * softness * d / t, 0, 1))
        t += np.clip(np.abs(d), 0.03, 0.2)
        if (t > reach).all():
            break
    return lit * lit * (3 - 2 * lit)


def normal(p):
    e = 1e-3
    axes = np.eye(3) * e
    n = np.stack([mug_distance(p + a)[0] - mug_distance(p - a)[0] for a in axes], axis=1)
    return n / np.linalg.norm(n, axis=1, keepdims=True)


def noise(x, y, seed):
    """Smooth value noise in [0, 1)."""
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)

    def corner(i, j):
        return np.mod(np.sin((x0 + i) * 127.1 + (y0 + j) * 311.7 + seed * 74.7) * 43758.5453, 1.0)

    low = corner(0, 0) * (1 - fx) + corner(1, 0) * fx
    high = corner(0, 1) * (1 - fx) + corner(1, 1) * fx
    return low * (1 - fy) + high * fy


def table_colour(p):
    """Planks of warm wood."""
    x, z = p[:, 0], p[:, 2]
    plank = np.floor(z / 0.9 + 40)
    along = x * 0.8 + plank * 3.7
    grain = noise(along * 1.3, z * 22, 1) * 0.5 + noise(along * 3, z * 60, 2) * 0.3
    tone = 0.55 + 0.16 * (grain - 0.4) + 0.07 * (np.mod(plank * 0.618, 1) - 0.5)
    seam = np.exp(-((np.mod(z / 0.9 + 40, 1.0) - 0.5) ** 2 - 0.25) ** 2 * 9e3) * 0.25
    return np.array([1.0, 0.68, 0.40]) * (tone * (1 - seam))[:, None]


def wall_colour(direction):
    """A wall out of focus: a gradient with a few soft lights."""
    u, v = direction[:, 0] / -direction[:, 2], direction[:, 1] / -direction[:, 2]
    colour = np.array([0.26, 0.40, 0.47]) * (0.95 + 0.9 * (v + 0.15) + 0.12 * (noise(u * 3, v * 3, 5) - 0.5))[:, None]
    for x, y, size, strength in [(-0.52, 0.16, 0.09, 0.30), (-0.30, 0.26, 0.06, 0.2), (0.5, 0.22, 0.11, 0.24)]:
        glow = 1 / (1 + np.exp((np.hypot(u - x, v - y) - size) * 60))
        colour += glow[:, None] * strength * np.array([1.0, 0.9, 0.7])
    return colour


def shade_mug(p, direction):
    n = normal(p)
    radial = np.hypot(p[:, 0], p[:, 2])
    inside = (radial < RADIUS - 0.035) & (p[:, 1] > 0.1)
    band = (np.abs(p[:, 1] - 1.02) < 0.2) & (radial > RADIUS - 0.03) & (mug_distance(p)[1] > 0.03)
    base = np.where(inside[:, None], INSIDE, np.where(band[:, None], BAND, GLAZE))
    lit = occlusion(p + n * 0.01, LIGHT, 4, 14)
    diffuse = np.clip(n @ LIGHT, 0, 1) * lit
    sky = 0.5 + 0.5 * n[:, 1]
    bounce = np.clip(-n[:, 1] + 0.3, 0, 1) * np.exp(-p[:, 1] * 1.5)
    depth = np.where(inside, np.clip((p[:, 1] - 0.3) / (TOP - 0.3), 0.25, 1), 1)
    colour = base * (0.86 * diffuse + (0.24 * sky + 0.05) * depth)[:, None]
    colour += base * bounce[:, None] * np.array([0.5, 0.36, 0.22])
    half = LIGHT - direction
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.clip((n * half).sum(1), 0, 1) ** 90 * 0.75 * lit
    edge = (1 - np.clip(-(n * direction).sum(1), 0, 1)) ** 4 * 0.16 * depth
    return colour + (gloss + edge)[:, None]


def shade_table(p):
    lit = occlusion(p + [0, 1e-3, 0], LIGHT, 6, 7)
    contact = np.clip(mug_distance(p + [0, 0.02, 0])[0] / 0.45, 0, 1) ** 0.6
    pool = np.exp(-((p[:, 0] + 0.4) ** 2 + (p[:, 2] - 0.2) ** 2) / 16)
    return table_colour(p) * ((0.32 + 0.62 * lit) * (0.45 + 0.55 * contact) * (0.55 + 0.55 * pool))[:, None]


def camera(x, y):
    eye, target = np.array([0.55, 2.75, 5.6]), np.array([0.12, 0.93, 0.0])
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    u, v = (x / WIDTH - 0.5) * WIDTH / HEIGHT, 0.5 - y / HEIGHT
    direction = forward + 0.62 * (u[:, None] * right + v[:, None] * up)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.broadcast_to(eye, direction.shape), direction


def trace(x, y):
    origin, direction = camera(x, y)
    mug = march(origin, direction, 12)
    with np.errstate(divide="ignore"):
        table = np.where(direction[:, 1] < 0, -origin[:, 1] / direction[:, 1], np.inf)
    edge = origin[:, 2] + direction[:, 2] * np.minimum(table, 1e3)
    table = np.where(edge > -4.2, table, np.inf)
    colour = wall_colour(direction)
    on_table = table < mug
    colour[on_table] = shade_table((origin + direction * table[:, None])[on_table])
    on_mug = mug < table
    colour[on_mug] = shade_mug((origin + direction * mug[:, None])[on_mug], direction[on_mug])
    return colour, on_mug


def main():
    here = pathlib.Path(__file__).parent
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    colour, cover = np.zeros((HEIGHT * WIDTH, 3)), np.zeros(HEIGHT * WIDTH)
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            c, m = trace(xs.ravel() + (i + 0.5) / SAMPLES, ys.ravel() + (j + 0.5) / SAMPLES)
            colour += np.clip(c, 0, 1.2) / SAMPLES**2
            cover += m / SAMPLES**2
    colour = colour.reshape(HEIGHT, WIDTH, 3)
    vignette = 1 - 0.28 * (((xs / WIDTH - 0.5) ** 2 + (ys / HEIGHT - 0.5) ** 2) / 0.5)
    grain = np.random.default_rng(7).normal(0, 0.006, (HEIGHT, WIDTH, 1))
    # Linear light to sRGB, with a soft shoulder.
    light = np.clip(colour * vignette[:, :, None], 0, None)
    srgb = np.clip(1 - np.exp(-light * 1.3), 0, 1) ** (1 / 2.2) + grain
    Image.fromarray((np.clip(srgb, 0, 1) * 255).round().astype(np.uint8)).save(here / "mug.jpg", quality=88)
    mask = Image.fromarray((cover.reshape(HEIGHT, WIDTH) * 255).round().astype(np.uint8))
    mask.save(here / "mug-mask.png", optimize=True)


if __name__ == "__main__":
    main()
