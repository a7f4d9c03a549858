"""Scenes composed from Fashion-MNIST: what the segmentation networks learn from.

    /usr/bin/python3 models/train/scenes.py DIR [--count N]

A scene is a grey canvas of 96x96: a slope of light with noise, and on it four to
eight items of 1 to 1.7 times their size, some mirrored, dimmed, cut by the border
or by items laid over them. Its label map says for each pixel what lies on top: 0
background, 1 + c an item of class c. Scene i of a part is made from seed (part, i)
alone, so any machine makes the same scenes; training scenes take items of the
training images, test scenes those of the test images.

DIR gets N (500) test scenes: scenes.npy (u8 [N, 96, 96, 1]), maps.npy (i32 [N, 96,
96]) and the first ones as scene-0.png ... scene-3.png.
"""
import argparse
import os

import numpy as np

import fashion_data

SIDE, CLASSES = 96, 11
PARTS = {"train": 1, "t10k": 2}
INK = 12  # item pixels brighter than this cover what lies below
MEAN, STD = 0.35, 0.26


class Scenes:
    """The scenes of one part, made when asked for."""

    def __init__(self, part):
        n, pixels, labels = fashion_data.load(part)
        self.seed = PARTS[part]
        self.images = np.frombuffer(pixels, np.uint8).reshape(n, 28, 28)
        self.labels = np.frombuffer(labels, np.uint8)

    def scene(self, index):
        """Pixels and classes of scene `index`, both u8 [96, 96]."""
        random = np.random.RandomState([self.seed, index])
        canvas = background(random)
        classes = np.zeros((SIDE, SIDE), np.uint8)
        for _ in range(random.randint(4, 9)):
            pick = random.randint(len(self.images))
            item = vary(self.images[pick], random)
            lay(canvas, classes, item, 1 + self.labels[pick], random)
        noise = random.randint(-8, 9, canvas.shape)
        return np.clip(canvas + noise, 0, 255).astype(np.uint8), classes

    def batch(self, first, count):
        """Scenes first .. first + count - 1: pixels and classes [count, 96, 96]."""
        pairs = [self.scene(first + i) for i in range(count)]
        return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])


def background(random):
    """A slope of light, rough at the scale of single pixels. i32 [96, 96]."""
    level, down, across = random.randint(20, 110), *random.randint(-60, 61, 2)
    ramp = np.arange(SIDE)
    slope = level + (down * ramp[:, None] + across * ramp[None, :]) // SIDE
    return slope + random.randint(-20, 21, (SIDE, SIDE))


def vary(image, random):
    """An item enlarged, mirrored or not, and dimmed: i32 [side, side]."""
    side = random.randint(28, 49)
    dim = random.randint(150, 257)
    if random.randint(2):
        image = image[:, ::-1]
    return enlarge(image.astype(np.int32), side) * dim // 256


def enlarge(image, side):
    """Bilinear in whole numbers, so that no machine rounds otherwise."""
    for axis in range(2):
        n = image.shape[axis]
        at = np.arange(side) * (n - 1) * 256 // (side - 1)
        low, part = at // 256, at % 256
        high = np.minimum(low + 1, n - 1)
        part = part[:, None] if axis == 0 else part[None, :]
        image = (image.take(low, axis) * (256 - part)
                 + image.take(high, axis) * part) // 256
    return image


def lay(canvas, classes, item, label, random):
    """Puts an item on the canvas; up to a third of it may be outside."""
    side = len(item)
    top, left = random.randint(-side // 3, SIDE - side + side // 3, 2)
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + side, SIDE), min(left + side, SIDE)
    seen = item[y0 - top:y1 - top, x0 - left:x1 - left]
    cover = seen > INK
    canvas[y0:y1, x0:x1][cover] = seen[cover]
    classes[y0:y1, x0:x1][cover] = label


def confusion(truth, found):
    """How many pixels of class row were found to be of class column."""
    pairs = truth.astype(np.int64).ravel() * CLASSES + found.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=CLASSES ** 2).reshape(CLASSES, CLASSES)


def class_ious(truth, found):
    """Intersection over union of every class, in percent."""
    table = confusion(truth, found)
    both = np.diag(table)
    return 100 * both / np.maximum(table.sum(0) + table.sum(1) - both, 1)


def main():
    args = argparse.ArgumentParser(description="writes test scenes")
    args.add_argument("dir")
    args.add_argument("--count", type=int, default=500)
    args = args.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    pixels, classes = Scenes("t10k").batch(0, args.count)
    np.save(os.path.join(args.dir, "scenes.npy"), pixels[..., None])
    np.save(os.path.join(args.dir, "maps.npy"), classes.astype(np.int32))
    for i in range(min(4, args.count)):
        fashion_data.png_write(os.path.join(args.dir, "scene-%d.png" % i),
                               pixels[i].tobytes(), SIDE)


if __name__ == "__main__":
    main()
