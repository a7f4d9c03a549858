#!/bin/sh
# The full matrix: every target, both back ends, every operator and these networks, run
# here or emulated. Writes docs/targets.md and what `vtc targets` says was tested.
set -eu
. "$(dirname "$0")/setup.sh"

configure "$top/build"
cmake --build "$top/build"
models=
for name in vt_fashion resnet18 vt_resnet18; do
    models="$models$top/models/$name.vt,"
done
"$PYTHON" -B "$top/tests/targets/run_targets.py" "$top/build/vtc" "$top" \
    --models="${MODELS:-$models}" --markdown="$top/docs/targets.md" \
    --record="$top/tools/tested.def" --jobs="${JOBS:-$(nproc)}"
cmake --build "$top/build"
