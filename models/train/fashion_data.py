"""Fashion-MNIST as Debian's dataset-fashion-mnist installs it (gzipped idx files).

    python3 models/train/fashion_data.py DIR

writes what a compiled program takes, with no other package:

    test_images.npy    f32 [10000, 1, 28, 28], normalised as vt_fashion.vt says
    test_labels.npy    i32 [10000]
    item-0.png ...     the first test images, 28x28 grey

test_images.npy is written last and whole or not at all: where it is, all is there.
"""
import gzip
import os
import struct
import sys
import zlib

FOLDER = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
MEAN, STD = 0.2860, 0.3530  # of the training images, scaled to 0..1
NORMALISED = [(value / 255 - MEAN) / STD for value in range(256)]
SIDE = 28
PNGS = 10


def idx_read(name):
    """Shape and bytes of an idx file of unsigned bytes."""
    with gzip.open(os.path.join(FOLDER, name)) as f:
        data = f.read()
    kind, rank = data[2], data[3]
    if data[:2] != b"\0\0" or kind != 8:
        sys.exit("%s: not an idx file of bytes" % name)
    return struct.unpack(">%dI" % rank, data[4:4 + 4 * rank]), data[4 + 4 * rank:]


def load(part):
    """part is "train" or "t10k": number of images, their pixels, their labels."""
    (n, height, width), pixels = idx_read(part + "-images-idx3-ubyte.gz")
    shape, labels = idx_read(part + "-labels-idx1-ubyte.gz")
    if shape != (n,) or (height, width) != (SIDE, SIDE):
        sys.exit("%s: images and labels do not fit" % part)
    return n, pixels, labels


def npy_write(path, kind, shape, data):
    """NumPy's format 1.0; kind as in "<f4"."""
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)))
        f.write(header.encode() + data)


def png_chunk(kind, body):
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png_write(path, pixels, side=SIDE):
    """One grey image of side x side bytes."""
    rows = b"".join(b"\0" + pixels[y * side:(y + 1) * side] for y in range(side))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        f.write(png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)))
        f.write(png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: fashion_data.py DIR")
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    n, pixels, labels = load("t10k")
    floats = [struct.pack("<f", value) for value in NORMALISED]
    npy_write(os.path.join(out, "test_labels.npy"), "<i4", (n,),
              b"".join([struct.pack("<i", label) for label in labels]))
    for i in range(PNGS):
        at = i * SIDE * SIDE
        png_write(os.path.join(out, "item-%d.png" % i), pixels[at:at + SIDE * SIDE])
    images = os.path.join(out, "test_images.npy")
    npy_write(images + ".part", "<f4", (n, 1, SIDE, SIDE),
              b"".join([floats[p] for p in pixels]))
    os.replace(images + ".part", images)


if __name__ == "__main__":
    main()
