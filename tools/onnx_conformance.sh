#!/bin/sh
# Runs ONNX's backend tests (Debian's libonnx-testdata) and ends with the line
# "passed N of M applicable"; --write makes docs/onnx.md of what it found:
#
#     sh tools/onnx_conformance.sh [--write]
set -eu
. "$(dirname "$0")/setup.sh"
configure "$top/build"
cmake --build "$top/build" --target onnx_conformance >/dev/null
[ "${1-}" = --write ] && set -- --write "$top/docs/onnx.md"
exec "$PYTHON" -B "$top/tests/onnx/conformance.py" "$top/build/tests/onnx_conformance" "$@"
