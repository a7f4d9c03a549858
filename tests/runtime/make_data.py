"""Makes data/: small images of every kind that the runtime reads. They are
committed, so that the tests of malformed files need no Python; run this only to
change them (needs Pillow and numpy)."""
import pathlib

import numpy as np
from PIL import Image

here = pathlib.Path(__file__).parent / "data"
here.mkdir(exist_ok=True)
rng = np.random.default_rng(1)
y, x = np.mgrid[0:9, 0:13]
rgb = np.stack([x * 19, y * 28, 255 - x * 10 - y * 5], -1).astype(np.uint8)
gray = rgb[..., 0] // 2 + rng.integers(0, 99, (9, 13), dtype=np.uint8)
alpha = np.dstack([rgb, 255 - rgb[..., 0]])

Image.fromarray(rgb).save(here / "rgb.png")
Image.fromarray(gray).save(here / "gray.png")
Image.fromarray(alpha, "RGBA").save(here / "alpha.png")
Image.fromarray(rgb).quantize(16).save(here / "palette.png")
Image.fromarray(gray > 99).save(here / "one_bit.png")
Image.fromarray(gray.astype(np.uint16) * 256 + 77).save(here / "sixteen_bit.png")
for name, options in {
    "rgb": {},
    "progressive": {"progressive": True},
    "full_chroma": {"subsampling": 0},
}.items():
    Image.fromarray(rgb).save(here / f"{name}.jpg", quality=90, optimize=True,
                              **options)
Image.fromarray(gray).save(here / "gray.jpg", quality=90)
Image.fromarray(rgb).save(here / "rgb.ppm")
Image.fromarray(gray).save(here / "gray.pgm")
