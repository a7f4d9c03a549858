#!/bin/sh
# The benchmark beside other engines, from nothing: builds the compiler, installs the
# engines from PyPI into build/bench/peers, and runs bench/run.py with what is given.
#
#     sh bench/run.sh [--networks=resnet18,..] [--rounds=N] [--threads=1,2] [--json=FILE]
#
# For figures that mean something, leave the machine alone meanwhile.
set -eu
. "$(dirname "$0")/../tools/setup.sh"
configure "$top/build"
cmake --build "$top/build" --target vtc
peers=$top/build/bench/peers
if [ ! -x "$peers/bin/python" ]; then
    python3 -m venv "$peers" || {
        echo "bench/run.sh: no environment; install the package python3-venv" >&2
        exit 3
    }
fi
"$peers/bin/pip" install -q -r "$top/bench/peers.txt"
exec "$peers/bin/python" "$top/bench/run.py" "$top/build/vtc" "$top/build/bench" "$@"
