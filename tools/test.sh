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
sanitized() {
    ctest --test-dir "$top/build-sanitize" --output-on-failure -j2 --timeout 600 "$@"
}
# Now and then LeakSanitizer crashes while it looks for threads ("has encountered a fatal
# error"), which says nothing of the program. Only where that is all that failed, what failed is
# run once more.
sanitized || {
    log=$top/build-sanitize/Testing/Temporary
    failed=$(grep -c . "$log/LastTestsFailed.log")
    crashed=$(grep -c 'LeakSanitizer has encountered a fatal error' "$log/LastTest.log" || true)
    [ "$crashed" -ge "$failed" ] || exit 8
    echo "LeakSanitizer itself crashed in $failed tests: once more"
    sanitized --rerun-failed
}
