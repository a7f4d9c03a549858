#!/bin/sh
# The benchmark beside other engines, from nothing: builds the compiler, installs the
# engines from PyPI into build/bench/peers, and runs bench/run.py with what is given.
#
#     sh bench/run.sh [--parts=engines,modules,scaling,builds] [--networks=resnet18,..]
#                     [--engines=onnxruntime,..] [--threads=1,2] [--rounds=N] [--json=FILE]
#
# For figures that mean something, leave the machine alone meanwhile: about an hour for
# all of it, a minute for  --parts=engines --networks=resnet18 --threads=1 .
set -eu
. "$(dirname "$0")/../tools/setup.sh"
configure "$top/build"
cmake --build "$top/build" --target vtc
peers=$top/build/bench/peers
mkdir -p "$top/build/bench"
if [ ! -x "$peers/bin/pip" ]; then
    "$PYTHON" -m venv "$peers" || {
        echo "bench/run.sh: no environment; install the package python3-venv" >&2
        exit 3
    }
fi
# One by one: an engine that cannot be had is left out, and run.py names it.
grep -v '^#' "$top/bench/peers.txt" | while read -r peer; do
    # shellcheck disable=SC2086 # an option may follow the name
    "$peers/bin/pip" install -q --disable-pip-version-check $peer ||
        echo "bench/run.sh: $peer cannot be installed" >&2
done
exec "$peers/bin/python" -B "$top/bench/run.py" "$@" "$top/build/vtc" "$top/build/bench"
