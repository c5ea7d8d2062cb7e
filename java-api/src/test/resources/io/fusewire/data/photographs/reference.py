# SPDX-License-Identifier: Apache-2.0
"""Writes the photographs' crops and what Pillow and torchvision make of them. See README.md."""

import bz2
import math
import pathlib
import sys

import numpy
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms.functional import resized_crop

SCIPY, SKIMAGE = map(pathlib.Path, sys.argv[1:])
HERE = pathlib.Path(__file__).parent
FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}

pixels = bz2.decompress((SCIPY / "misc/face.dat").read_bytes())
raccoon = Image.fromarray(numpy.frombuffer(pixels, numpy.uint8).reshape(768, 1024, 3))
# Without chroma subsampling, which JPEG decoders interpolate each in its own way.
raccoon.resize((480, 360), Image.LANCZOS).save(HERE / "raccoon.jpg", quality=75, subsampling=0, optimize=True)
cat = Image.open(SKIMAGE / "data/chelsea.png").convert("RGB")
cat.crop((130, 20, 261, 201)).save(HERE / "cat.png", optimize=True)
coffee = Image.open(SKIMAGE / "data/coffee.png").convert("RGB")
coffee.crop((300, 150, 361, 192)).save(HERE / "coffee.png", optimize=True)

# photograph, resolution, crop fraction: shrunk a lot, shrunk a little, enlarged; wide and tall.
CENTRED = [("raccoon.jpg", 64, 0.875), ("raccoon.jpg", 57, 1.0), ("cat.png", 72, 0.934), ("coffee.png", 80, 0.882)]
for name, resolution, fraction in CENTRED:
    image = Image.open(HERE / name).convert("RGB")
    for word, mode in FILTERS.items():
        transform = Compose([Resize(math.floor(resolution / fraction), interpolation=mode), CenterCrop(resolution)])
        transform(image).save(
            HERE / f"{pathlib.Path(name).stem}-{resolution}-{fraction}-{word}.png", optimize=True)

# A window, as training draws them: top, left, height, width.
WINDOW = (37, 51, 140, 77)
for word, mode in FILTERS.items():
    resized_crop(Image.open(HERE / "cat.png").convert("RGB"), *WINDOW, [48, 48], mode).save(
        HERE / f"cat-window-48-{word}.png", optimize=True)
