#!/bin/sh
# Explores with the fuzz targets of tests/fuzz under libFuzzer and the sanitizers:
#
#     sh tools/fuzz.sh [MINUTES [TARGET...]]      default: 10 minutes, all targets
#
# What it finds is written to build-fuzz/found; add it to tests/fuzz/corpus/TARGET,
# which the tests replay.
set -eu
. "$(dirname "$0")/setup.sh"
minutes=${1:-10}
[ $# -gt 0 ] && shift
targets=${*:-$(cd "$top/tests/fuzz" && ls fuzz_*.c | sed 's/fuzz_\(.*\)\.c/\1/')}
CC=clang CXX=clang++ configure "$top/build-fuzz" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DVTC_FUZZ=ON -DBUILD_TESTING=ON
cmake --build "$top/build-fuzz" --target $(for t in $targets; do echo "fuzz_$t"; done)
mkdir -p "$top/build-fuzz/found"
for t in $targets; do
  mkdir -p "$top/build-fuzz/corpus/$t"
  echo "== $t, $minutes minutes"
  "$top/build-fuzz/tests/fuzz_$t" -max_total_time=$((minutes * 60)) -timeout=10 \
    -rss_limit_mb=4096 -artifact_prefix="$top/build-fuzz/found/$t-" \
    -print_final_stats=1 "$top/build-fuzz/corpus/$t" "$top/tests/fuzz/corpus/$t"
done
echo "nothing found"
