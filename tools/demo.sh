#!/bin/sh
# Builds vtc (left at build/vtc), compiles the trained network to a standalone
# program, classifies real images with it, measures its accuracy on the 10,000 test
# images of Fashion-MNIST, and prints what the network costs.
set -eu
. "$(dirname "$0")/setup.sh"

configure "$top/build"
cmake --build "$top/build" --target vtc vtcrt
out=$top/out
mkdir -p "$out"
[ -f "$out/test_images.npy" ] || $PYTHON "$top/models/train/fashion_data.py" "$out"

"$top/build/vtc" build "$top/models/vt_fashion.vt" -o "$out/vt_fashion"
"$out/vt_fashion" --top=3 "$out"/item-*.png
# An image takes a third of a millisecond: threads that wait for each other in every
# layer would win little, and lose much where other programs run.
"$out/vt_fashion" --threads=1 --expect="$out/test_labels.npy" "$out/test_images.npy" |
    tail -n 1
"$top/build/vtc" report "$top/models/vt_fashion.vt"
