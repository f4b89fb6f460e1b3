"""Augmentation steps for fixed parameters by numpy, scipy, Pillow and colorsys, for
toolkit/data/tests/fixtures/augment.json.

    pip install numpy==2.4.6 scipy==1.17.1 pillow==13.0.0
    python tests/python/make_augment_fixtures.py
"""

import colorsys
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from scipy.interpolate import CubicSpline
from scipy.ndimage import affine_transform, convolve1d

TO = Path(__file__).parents[2] / "toolkit/data/tests/fixtures/augment.json"


def inverse_matrix(center, angle, translate, scale, shear):
    """(T C R SHy SHx S C^-1)^-1, as torchvision's documentation of its affine matrix has it."""
    rot, (sx, sy) = math.radians(angle), map(math.radians, shear)
    (cx, cy), (tx, ty) = center, translate
    move = lambda x, y: np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
    turn = np.array([[math.cos(rot), -math.sin(rot), 0], [math.sin(rot), math.cos(rot), 0], [0, 0, 1]])
    shear_y = np.array([[1, 0, 0], [-math.tan(sy), 1, 0], [0, 0, 1]])
    shear_x = np.array([[1, -math.tan(sx), 0], [0, 1, 0], [0, 0, 1]])
    rss = turn @ shear_y @ shear_x @ np.diag([scale, scale, 1])
    return np.linalg.inv(move(tx, ty) @ move(cx, cy) @ rss @ move(-cx, -cy))


def warped(image, placement):
    _, height, width = image.shape
    center = ((width - 1) / 2, (height - 1) / 2)
    m = inverse_matrix(center, **placement)
    # scipy's coordinates are (y, x).
    matrix = np.array([[m[1, 1], m[1, 0]], [m[0, 1], m[0, 0]]])
    offset = [m[1, 2], m[0, 2]]
    out = np.stack(
        [affine_transform(p, matrix, offset, order=1, mode="grid-constant", cval=0.0) for p in image]
    )
    # Pillow's pixels have their centre at a half, and it repeats the border instead of fading out.
    half = inverse_matrix((width / 2, height / 2), **placement)
    for plane, ours in zip(image, out):
        pil = Image.fromarray(plane.astype(np.float32), "F").transform(
            (width, height), Image.AFFINE, half[:2].flatten().tolist(), Image.BILINEAR
        )
        y, x = np.mgrid[:height, :width]
        fx = m[0, 0] * x + m[0, 1] * y + m[0, 2]
        fy = m[1, 0] * x + m[1, 1] * y + m[1, 2]
        inside = (fx >= 0) & (fx <= width - 1) & (fy >= 0) & (fy <= height - 1)
        assert inside.sum() > inside.size / 5
        assert np.abs(np.asarray(pil) - ours)[inside].max() < 1e-3
    return out


def numbers(array):
    return [float(np.float32(x)) for x in np.asarray(array).flatten()]


def main():
    rng = np.random.default_rng(1)
    image = rng.uniform(0.2, 0.8, (3, 7, 9)).astype(np.float32).astype(np.float64)
    series = rng.normal(0, 1, (2, 23)).astype(np.float32).astype(np.float64)
    out = {
        "image": {"shape": list(image.shape), "numbers": numbers(image)},
        "series": {"shape": list(series.shape), "numbers": numbers(series)},
    }

    placements = [
        {"angle": 30.0, "translate": [0.0, 0.0], "scale": 1.0, "shear": [0.0, 0.0]},
        {"angle": -12.5, "translate": [2.0, -1.0], "scale": 1.2, "shear": [0.0, 0.0]},
        {"angle": 7.0, "translate": [-1.0, 0.0], "scale": 0.8, "shear": [11.0, -6.0]},
    ]
    out["affine"] = [{"placement": p, "expected": numbers(warped(image, p))} for p in placements]

    crops = []
    for fill, mode in [("zeros", "constant"), ("reflect", "reflect")]:
        for padding, top, left in [(2, 0, 3), (3, 6, 1)]:
            padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)), mode=mode)
            piece = padded[:, top : top + 7, left : left + 9]
            crops.append(
                {"fill": fill, "padding": padding, "top": top, "left": left, "expected": numbers(piece)}
            )
    out["crop"] = crops
    out["flip_horizontal"] = numbers(image[:, :, ::-1])
    out["flip_vertical"] = numbers(image[:, ::-1])

    blurs = []
    for kernel, sigma in [(3, 0.7), (7, 2.0)]:
        x = np.arange(kernel) - kernel // 2
        weights = np.exp(-0.5 * (x / sigma) ** 2)
        weights /= weights.sum()
        done = convolve1d(convolve1d(image, weights, axis=1, mode="mirror"), weights, axis=2, mode="mirror")
        blurs.append({"kernel": kernel, "sigma": sigma, "expected": numbers(done)})
    out["blur"] = blurs

    # Pillow's enhancers take bytes; they agree with the formulas below to its rounding of grey and mean.
    grey = 0.2989 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    bytes_ = Image.fromarray((image * 255).round().astype(np.uint8).transpose(1, 2, 0), "RGB")
    formulas = {
        "brighten": (ImageEnhance.Brightness, lambda f: image * f),
        "contrast": (ImageEnhance.Contrast, lambda f: f * image + (1 - f) * grey.mean()),
        "saturate": (ImageEnhance.Color, lambda f: f * image + (1 - f) * grey),
    }
    for name, (enhancer, formula) in formulas.items():
        out[name] = []
        for factor in [0.7, 1.2]:
            pil = np.asarray(enhancer(bytes_).enhance(factor)).transpose(2, 0, 1) / 255
            assert np.abs(pil - formula(factor).clip(0, 1)).max() < 1.6 / 255
            out[name].append({"factor": factor, "expected": numbers(formula(factor))})
    turns = []
    for turn in [-0.4, 0.1, 0.5]:
        done = np.empty_like(image)
        for y in range(7):
            for x in range(9):
                h, s, v = colorsys.rgb_to_hsv(*image[:, y, x])
                done[:, y, x] = colorsys.hsv_to_rgb((h + turn) % 1.0, s, v)
        turns.append({"factor": turn, "expected": numbers(done)})
    out["turn_hue"] = turns

    length = series.shape[1]
    curves = []
    for knots in [4, 5, 6, 9]:
        y = rng.normal(1, 0.2, knots).astype(np.float32).astype(np.float64)
        x = np.linspace(0, length - 1, knots)
        curve = CubicSpline(x, y)(np.arange(length))
        time = np.concatenate([[0.0], np.cumsum(curve[1:])])
        time *= (length - 1) / time[-1]
        assert (np.diff(time) > 0.05 * (length - 1) / curve[1:].sum()).all()
        warp = [np.interp(time, np.arange(length), channel) for channel in series]
        curves.append({"knots": numbers(y), "curve": curve.tolist(), "warped": numbers(warp)})
    out["curves"] = curves
    slices = []
    for begin, window in [(0, 17), (5, 18), (22, 1)]:
        places = np.linspace(0, window - 1, length)
        done = [np.interp(places, np.arange(window), c[begin : begin + window]) for c in series]
        slices.append({"begin": begin, "window": window, "expected": numbers(done)})
    out["slice"] = slices
    out["permute"] = []
    for order in [[1, 0], [3, 1, 0, 2], [4, 2, 0, 3, 1]]:
        pieces = np.array_split(series, len(order), axis=1)
        done = np.concatenate([pieces[at] for at in order], axis=1)
        out["permute"].append({"order": order, "expected": numbers(done)})
    out["shift"] = []
    for by in [-4, 3]:
        padded = np.pad(series, ((0, 0), (max(by, 0), max(-by, 0))), mode="edge")
        done = padded[:, :length] if by > 0 else padded[:, -length:]
        out["shift"].append({"by": by, "expected": numbers(done)})

    TO.write_text(json.dumps(out) + "\n")


main()
