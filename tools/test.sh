#!/bin/sh
# Builds the compiler (left at build/vtc) and passes all tests, once as users build
# it and once under the address and undefined-behaviour sanitizers.
set -eu
. "$(dirname "$0")/setup.sh"

configure "$top/build"
cmake --build "$top/build"
ctest --test-dir "$top/build" --output-on-failure -j2 --timeout 600

configure "$top/build-sanitize" -DCMAKE_BUILD_TYPE=Debug -DVTC_SANITIZE=ON
cmake --build "$top/build-sanitize"
ctest --test-dir "$top/build-sanitize" --output-on-failure -j2 --timeout 600
