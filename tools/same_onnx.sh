#!/bin/sh
# Export, import, export gives the same graph, for every network of the zoo at its real
# size, or for those named (forms/encoder); see tests/onnx/test_same_graph.py:
#
#     sh tools/same_onnx.sh [NAME...]
#
# VTC names another vtc than build/vtc. It takes some minutes and half a gigabyte beside;
# ends with the numbers of networks and of those that differ, and fails if any does.
set -u
. "$(dirname "$0")/setup.sh"
vtc=${VTC:-$top/build/vtc}
if [ -z "${VTC:-}" ]; then
    configure "$top/build" && cmake --build "$top/build" --target vtc || exit 3
fi
[ $# -gt 0 ] || set -- all
exec "$PYTHON" -B "$top/tests/onnx/test_same_graph.py" "$vtc" "$top/models" "$@"
