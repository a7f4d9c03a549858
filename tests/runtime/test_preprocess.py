"""Preprocessing against Pillow (and, for the arithmetic, numpy): the same bits.

    test_preprocess.py DRIVER DATA        skipped (77) without Pillow or numpy
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

DRIVER, DATA = sys.argv[1:3]
WORK = tempfile.TemporaryDirectory(prefix="vtc_preprocess_")
FILTERS = {"bilinear": (0, Image.BILINEAR), "nearest": (1, Image.NEAREST)}
ORDERS = {"rgb": 0, "bgr": 1, "gray": 2}
seed = int(os.environ.get("VTC_SEED", "1"))
rng = np.random.default_rng(seed)
cases = failures = 0


def reference(image, order, short, exact, filter_name, crop, invert, mean, std,
              dtype):
    """What torchvision's Resize, CenterCrop, ToTensor and Normalize do."""
    image = image.convert("L" if order == "gray" else "RGB")
    w, h = image.size
    if short:
        exact = ((int(short * h / w), short) if w <= h
                 else (short, int(short * w / h)))
    if exact:
        image = image.resize((exact[1], exact[0]), FILTERS[filter_name][1])
    pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if crop:
        top = int(round((pixels.shape[0] - crop[0]) / 2.0))
        left = int(round((pixels.shape[1] - crop[1]) / 2.0))
        pixels = pixels[top:top + crop[0], left:left + crop[1]]
    if order == "bgr":
        pixels = pixels[..., ::-1]
    if invert:
        pixels = 255 - pixels
    pixels = pixels.transpose(2, 0, 1)
    if dtype == "u8":
        return pixels
    c = pixels.shape[0]
    f = np.float32
    return ((pixels.astype(f) / f(255) - np.array(mean[:c], f)[:, None, None])
            / np.array(std[:c], f)[:, None, None])


def compare(path, tolerance=0, order="rgb", short=0, exact=None,
            filter_name="bilinear", crop=None, invert=0,
            mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
            dtype="f32"):
    global cases, failures
    cases += 1
    expected = reference(Image.open(path), order, short, exact, filter_name,
                         crop, invert, mean, std, dtype)
    out = os.path.join(WORK.name, "out")
    options = dict(resize_short=short, order=ORDERS[order], invert=invert,
                   filter=FILTERS[filter_name][0])
    if exact:
        options.update(resize_h=exact[0], resize_w=exact[1])
    if crop:
        options.update(crop_h=crop[0], crop_w=crop[1])
    for i in range(3):
        options[f"mean{i}"], options[f"std{i}"] = mean[i], std[i]
    run = subprocess.run(
        [DRIVER, path, out, *map(str, expected.shape),
         "4" if dtype == "u8" else "0",
         *(f"{key}={value}" for key, value in options.items())],
        capture_output=True, text=True)
    got = np.fromfile(out, np.uint8 if dtype == "u8" else np.float32)
    good = run.returncode == 0 and got.size == expected.size
    error = float("nan")
    if good:
        difference = (got.reshape(expected.shape).astype(np.float64)
                      - expected.astype(np.float64))
        error = np.abs(difference).max()
        good = error <= tolerance
    if not good:
        failures += 1
        print(f"FAILED: seed {seed} {path} {options} {expected.shape}: "
              f"exit {run.returncode} {run.stderr.strip()} error {error}")


def image_file(width, height, kind="noise", gray=False):
    shape = (height, width) if gray else (height, width, 3)
    if kind == "noise":
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    else:  # extremes: where rounding and clipping show
        pixels = (rng.integers(0, 2, shape) * 255).astype(np.uint8)
    path = os.path.join(WORK.name, "in.pgm" if gray else "in.ppm")
    Image.fromarray(pixels).save(path)
    return path


def test_resizes():
    sizes = [(1, 1), (7, 5), (16, 16), (33, 17), (5, 64), (64, 48)]
    for width, height in sizes:
        for to in (1, 1), (3, 8), (16, 16), (17, 31), (50, 7):
            for name in FILTERS:
                compare(image_file(width, height), exact=to, filter_name=name)
                compare(image_file(width, height, "extreme"), exact=to,
                        filter_name=name, dtype="u8")


def test_shorter_side():
    for width, height in (31, 20), (20, 31), (100, 64), (64, 100), (8, 8), (9, 8):
        for short in 7, 8, 16:
            for name in FILTERS:
                compare(image_file(width, height), short=short, filter_name=name)


def test_crops():
    for width in range(8, 14):
        for height in range(8, 14):
            compare(image_file(width, height), crop=(8, 7), dtype="u8")
    compare(image_file(300, 260), short=256, crop=(224, 224))
    compare(image_file(341, 256), short=256, crop=(224, 224))


def test_orders():
    for gray in False, True:
        for order in ORDERS:
            for invert in 0, 1:
                for dtype in "f32", "u8":
                    compare(image_file(19, 11, gray=gray), order=order,
                            invert=invert, dtype=dtype, exact=(6, 9))


def test_every_luma():
    """Gray of all combinations of a grid of colours."""
    grid = np.array([0, 1, 2, 63, 64, 127, 128, 200, 254, 255], np.uint8)
    colours = np.stack(np.meshgrid(grid, grid, grid), -1).reshape(25, 40, 3)
    path = os.path.join(WORK.name, "luma.ppm")
    Image.fromarray(colours).save(path)
    compare(path, order="gray", dtype="u8")


def test_files():
    for name in ("rgb.png", "gray.png", "alpha.png", "palette.png",
                 "one_bit.png"):
        for order in "rgb", "gray":
            compare(os.path.join(DATA, name), order=order, dtype="u8")
    # Decoders of JPEG may differ by rounding.
    for name in "rgb.jpg", "full_chroma.jpg", "progressive.jpg", "gray.jpg":
        compare(os.path.join(DATA, name), tolerance=4, dtype="u8")


def test_random():
    for _ in range(100):
        w, h, w2, h2 = rng.integers(1, 70, 4)
        compare(image_file(int(w), int(h), rng.choice(["noise", "extreme"]),
                           bool(rng.integers(2))),
                exact=(int(h2), int(w2)), order=str(rng.choice(list(ORDERS))),
                invert=int(rng.integers(2)),
                filter_name=str(rng.choice(list(FILTERS))))


def refused(shape, message, width=8, height=8, **options):
    global cases, failures
    cases += 1
    run = subprocess.run(
        [DRIVER, image_file(width, height), os.path.join(WORK.name, "out"),
         *map(str, shape), "0", *(f"{k}={v}" for k, v in options.items())],
        capture_output=True, text=True)
    if run.returncode in (0, 99) or message not in run.stderr:
        failures += 1
        print(f"FAILED: {shape} {options}: exit {run.returncode} {run.stderr}")


def test_refused():
    refused((3, 9, 9), "smaller than the crop of 9 x 9", crop_h=9, crop_w=9)
    refused((3, 9, 8), "smaller than the crop of 8 x 9", crop_h=9, crop_w=8)
    refused((3, 8, 9), "smaller than the crop of 9 x 8", crop_h=8, crop_w=9)
    refused((3, 8, 9), "3 x 8 x 8 (channels, height, width)")
    refused((3, 8, 8), "1 x 8 x 8", order=2)
    refused((3, 9, 8), "input 'x' is 3 x 9 x 8")
    refused((3, 8, 8), "pixels", width=3000, height=1, resize_short=256)
    refused((3, 8, 8), "pixels", resize_h=100000, resize_w=100000)


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
print(f"{cases} cases, {failures} failed (Pillow {Image.__version__})")
sys.exit(failures > 0)
