"""Weights and images that are wrong: a name, the bytes, a part of the message.

The weights are for small.vt; the images are given to its compiled program.
"""
import json
import struct
import zlib


# ---- safetensors ----------------------------------------------------------------------

def safetensors(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def tensor(dtype="F32", shape=(1,), at=(0, 4)):
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(at)}}


def weights():
    four = b"\0" * 4
    two = tensor(at=(0, 4))
    two["b"] = tensor(at=(2, 6))["a"]
    yield "no byte", b"", "shorter than the"
    yield "seven bytes", b"\0" * 7, "shorter than the"
    yield "no header", b"\0" * 8, "header is not a JSON object"
    yield "header beyond the end", safetensors(b"{}", size=3), "truncated"
    yield "header of 2^63", safetensors(b"{}", size=2**63), "truncated"
    yield "a list", safetensors(b"[]"), "header is not a JSON object"
    yield "open brace", safetensors(b"{"), "header is not a JSON object"
    yield "not UTF-8", safetensors(b'{"\xff": 1}'), "header is not a JSON object"
    yield "a tensor twice", safetensors(b'{"a": {}, "a": {}}'), "header is not a JSON object"
    yield "a number", safetensors({"a": 4}), "dtype (none) is not one that is known"
    yield "short integers", safetensors(tensor("I16"), four), "elements take 2 bytes"
    yield "unknown numbers", safetensors(tensor("I128"), four), "dtype I128 is not one that"
    yield "no extent", safetensors(tensor(shape=(0,)), four), "elements take 0 bytes"
    yield "extent -1", safetensors(tensor(shape=(-1,)), four), "dimension 0 is not a number"
    yield "extent 1.5", safetensors(tensor(shape=(1.5,)), four), "dimension 0 is not a number"
    yield "rank 9", safetensors(tensor(shape=[1] * 9), four), "shape must be a list of at most"
    yield "2^62 elements", safetensors(tensor(shape=(2**31, 2**31)), four), "too many elements"
    yield "one offset", safetensors(tensor(at=(0,)), four), "data_offsets must be two numbers"
    yield "behind the end", safetensors(tensor(at=(4, 8)), four), "are outside the 4 bytes"
    yield "backwards", safetensors(tensor(at=(4, 0)), four), "are outside the 4 bytes"
    yield "cut data", safetensors(tensor(), four[:3]), "are outside the 3 bytes"
    yield "too few bytes", safetensors(tensor(shape=(2,)), four), "take 8 bytes"
    yield "shared bytes", safetensors(two, four * 2), "share bytes"
    yield "another network's", safetensors(tensor(), four), "is not in"


# ---- images ---------------------------------------------------------------------------

def chunk(kind, data, crc=None):
    body = kind + data
    crc = zlib.crc32(body) if crc is None else crc
    return struct.pack(">I", len(data)) + body + struct.pack(">I", crc)


def png(width=4, height=4, depth=8, colour=2, data=None, **crc):
    rows = zlib.compress((b"\0" + b"\x80" * 3 * 4) * 4) if data is None else data
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0), **crc) +
            chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def npy(header, data=b"", version=b"\x01\x00"):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def described(descr="<f4", shape=(1, 3, 64, 64), order=False):
    return "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)


def images(jpeg):
    whole = b"\0" * 4 * 3 * 64 * 64
    yield "empty.png", b"", "empty"
    yield "text.png", b"hello, world", "not an image"
    yield "zip.png", b"PK\x03\x04" + bytes(40), "not an image"
    yield "head.png", png()[:20], "truncated PNG"
    yield "cut.png", png()[:-6], "truncated PNG"
    yield "flat.png", png(width=0), "malformed PNG header"
    yield "large.png", png(width=100000, height=100000), "pixels are more than"
    yield "crc.png", png(crc=1), "damaged PNG: CRC"
    yield "zlib.png", png(data=b"xxxx"), "damaged image"
    yield "short.png", png(data=zlib.compress(b"\0")), "damaged image"
    yield "depth.png", png(depth=3), "damaged image"
    yield "colour.png", png(colour=5), "damaged image"
    yield "head.jpg", jpeg[:3], "truncated JPEG"
    yield "cut.jpg", jpeg[:len(jpeg) // 2], "truncated JPEG"
    yield "segment.jpg", jpeg[:2] + b"\xff\xe0\0\0" + jpeg[6:], "damaged JPEG: segment"
    yield "bare.jpg", b"\xff\xd8\xff\xd9" + bytes(16), "JPEG without an image"
    yield "head.ppm", b"P6", "malformed PPM header"
    yield "words.ppm", b"P6 a b 255\n", "malformed PPM header"
    yield "zero.ppm", b"P6 0 4 255\n", "malformed PPM header"
    yield "cut.ppm", b"P6 4 4 255\nabc", "truncated PPM"
    yield "deep.pgm", b"P5 4 4 99999\n" + bytes(16), "malformed PGM header"
    yield "cut.pgm", b"P5 4 4 255\nabc", "truncated PGM"
    yield "head.npy", b"\x93NUMPY\x01", "truncated .npy header"
    yield "cut.npy", npy(described())[:20], "truncated .npy header"
    yield "words.npy", npy("hello"), "malformed .npy header"
    yield "keys.npy", npy("{'descr': '<f4', }"), "malformed .npy header"
    yield "short.npy", npy(described(), whole[:100]), "truncated"
    yield "long.npy", npy(described(), whole + b"x"), "wrong size"
    yield "shape.npy", npy(described(shape=(1, 3, 64, 63)), whole[:4 * 3 * 64 * 63]), \
        "1x3x64x63 is not input 'image'"
    yield "kind.npy", npy(described(descr="<i4"), whole), "is not input 'image'"
    yield "complex.npy", npy(described(descr="<c8"), whole * 2), "c8"
    yield "fortran.npy", npy(described(order=True), whole), "ortran"
