#!/bin/sh
# Every network of the zoo, written as ONNX with its weights (those beside it, else
# random ones), run by ONNX Runtime and compared with the graph interpreter:
#
#     sh tools/verify_onnx.sh [MODEL.vt...]
#
# ONNX Runtime comes from PyPI into build/onnxruntime, an environment of its own; where
# VTC_ONNXRUNTIME_PYTHON names a Python that has it, that one is taken. Ends with the
# numbers of networks that agree, differ and were skipped; fails if any differs.
set -u
. "$(dirname "$0")/setup.sh"
photo=/usr/lib/python3/dist-packages/imageio/resources/images/chelsea.png
vtc=${VTC:-$top/build/vtc}
if [ -z "${VTC:-}" ]; then
    configure "$top/build" && cmake --build "$top/build" --target vtc || exit 3
fi
[ $# -gt 0 ] || set -- "$top"/models/*.vt "$top"/models/ablations/*.vt "$top"/models/forms/*.vt
if [ -z "${VTC_ONNXRUNTIME_PYTHON:-}" ]; then
    place=$top/build/onnxruntime
    [ -x "$place/bin/python" ] || $PYTHON -m venv "$place" || exit 3
    "$place/bin/pip" install -q onnxruntime numpy || {
        echo "skipped all $# networks: ONNX Runtime cannot be installed"
        exit 3
    }
    export VTC_ONNXRUNTIME_PYTHON="$place/bin/python"
fi

agree=0 differ=0 skipped=0
for model in "$@"; do
    name=$(basename "$model" .vt)
    result=$("$vtc" verify "$model" --with=onnxruntime "--input=$photo" 2>&1)
    case $? in
    0) agree=$((agree + 1)) ;;
    3) skipped=$((skipped + 1)) ;;
    *) differ=$((differ + 1)) ;;
    esac
    printf '%-28s %s\n' "$name" "$result"
done
echo "$agree networks agree with ONNX Runtime, $differ differ, $skipped skipped"
[ "$differ" = 0 ]
