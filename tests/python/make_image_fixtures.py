"""Tiny image files, and what Pillow decodes and resizes them to, for toolkit/data/tests/fixtures/images
and images.json beside it.

    pip install numpy==2.4.6 pillow==13.0.0
    python tests/python/make_image_fixtures.py
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path(__file__).parents[2] / "toolkit/data/tests/fixtures"


def picture(height, width, phase):
    """Smooth, so that a JPEG file of it is nearly what it was."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 3 + phase), np.cos(y / 4 + x / 7), np.sin((x - y) / 5 - phase)]
    return Image.fromarray((127.5 + 110 * np.stack(waves, -1)).round().astype(np.uint8), "RGB")


def planes(image):
    array = np.asarray(image)
    return (array[None] if array.ndim == 2 else array.transpose(2, 0, 1)).flatten().tolist()


def center_crop(image, height, width):
    left, top = int(round((image.width - width) / 2)), int(round((image.height - height) / 2))
    return image.crop((left, top, left + width, top + height))


def main():
    files = {
        "apple/a.png": lambda to: picture(14, 20, 0).save(to),
        "apple/b.JPG": lambda to: picture(17, 13, 1).save(to, "JPEG", quality=95, subsampling=0),
        "apple/deeper/turned.jpeg": lambda to: turned(picture(12, 18, 2), to),
        "pear/bitmap.bmp": lambda to: picture(9, 9, 3).save(to),
        "pear/grey.png": lambda to: picture(16, 11, 4).convert("L").save(to),
        "pear/palette.gif": lambda to: picture(10, 12, 5).quantize(32).save(to),
        "pear/transparent.png": lambda to: transparent(picture(8, 21, 6)).save(to),
        "quince/web.webp": lambda to: picture(13, 15, 7).save(to, lossless=True),
    }

    def turned(image, to):
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise by a quarter
        image.save(to, quality=95, subsampling=0, exif=exif)

    def transparent(image):
        image.putalpha(Image.fromarray(np.full((image.height, image.width), 100, np.uint8)))
        return image

    out = []
    for name, save in files.items():
        path = OUT / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path)
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        bilinear = Image.Resampling.BILINEAR
        smaller = image.resize((11, 9), bilinear)
        out.append({
            "file": name,
            "size": [image.height, image.width],
            "rgb": planes(image),
            "grey": planes(image.convert("L")),
            "smaller_9_11": planes(smaller),
            "larger_30_24": planes(image.resize((24, 30), bilinear)),
            "grey_5_6": planes(image.convert("L").resize((6, 5), bilinear)),
            "smaller_9_11_middle_4_6": planes(center_crop(smaller, 4, 6)),
        })
    (OUT / "images/.hidden.png").write_text("not an image\n")
    (OUT / "images/apple/notes.txt").write_text("not an image\n")
    (OUT / "images.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
