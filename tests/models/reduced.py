"""The networks of models/ made small for tests."""
import os
import re
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))


def on_trunk(models, folder):
    """A copy whose residual networks are a trunk of four convolutions."""
    tree = shutil.copytree(models, folder, ignore=lambda *_: ["train"])
    shutil.copy(HERE + "/trunk/resnet.vt", tree + "/lib/resnet.vt")
    return tree


def reduce(folder):
    """A quarter of the map's channels, an eighth of the tokens', in every file of a
    folder, which it returns."""
    for path, _, files in os.walk(folder):
        for name in files:
            if not name.endswith(".vt"):
                continue
            with open(os.path.join(path, name), encoding="utf-8") as f:
                text = f.read()
            if name == "resnet.vt":
                text = re.sub(r"out = ((4 \* )?channels)", r"out = quotient(\1, 4)", text)
            else:
                text = re.sub(r"channels = (512|1024)\b",
                              lambda m: "channels = %d" % (int(m[1]) // 4), text)
                text = re.sub(r"width = 1024\b", "width = 128", text)
            with open(os.path.join(path, name), "w", encoding="utf-8") as f:
                f.write(text)
    return folder
