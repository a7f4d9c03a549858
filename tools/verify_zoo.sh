#!/bin/sh
# Every network at its real size: compiled (C by gcc, and LLVM where it is built in), run on a
# photograph with `vtc init` weights (those beside it where there are), and compared
# with the graph interpreter in double; the same bits for one thread and two.
#
#     sh tools/verify_zoo.sh [MODEL.vt...]
#
# MODEL.vt is relative to models/. Each network's row is printed and kept in build/zoo (or
# $ROWS) as it comes, and docs/zoo.md (or $DOCUMENT) written again: the table of all rows,
# and which networks have none. An interrupted run goes on where it stopped: networks that
# agreed are not run again until vtc, they or the modules change. Networks of class maps
# are compared by their scores too. VTC names another vtc than build/vtc. Fails if any
# network differs.
set -u
. "$(dirname "$0")/setup.sh"
photo=/usr/lib/python3/dist-packages/imageio/resources/images/chelsea.png
vtc=${VTC:-$top/build/vtc}
rows=${ROWS:-$top/build/zoo}
document=${DOCUMENT:-$top/docs/zoo.md}
if [ -z "${VTC:-}" ]; then
    configure "$top/build" && cmake --build "$top/build" --target vtc || exit 3
fi
mkdir -p "$rows" || exit 3
cd "$top/models" || exit 3
all=$(LC_ALL=C ls -- *.vt ablations/*.vt forms/*.vt)
[ $# -gt 0 ] || set -- $all

row_of() { echo "$rows/$(echo "${1%.vt}" | tr / _)"; }

up_to_date() { # MODEL.vt
    row=$(row_of "$1")
    grep -q '| agrees |' "$row" 2>/dev/null &&
        [ -z "$(find "$vtc" "$1" lib -newer "$row" -type f)" ]
}

verify() { # MODEL.vt, below models/
    scores=
    case $1 in *fpn_*) scores=--output=head ;; esac
    result=$("$vtc" verify "$1" --whole --exact --seed=1 "--input=$photo" $scores 2>&1)
    code=$?
    macs=$("$vtc" report "$1" --format=csv | sed -n '$s/,/ /gp' | awk '{print $4 / 1e6}')
    echo "$result" | awk -v name="${1%.vt}" -v macs="$macs" -v code=$code '
        /^C by gcc  / { error = $6; classes = /classes differ/ ? $10 " of " $12 : "" }
        /^C by gcc, 2 threads .*same/ { threads = "same bits" }
        /^LLVM, 2 threads .*same/ { llvm = "same bits" }
        /skipped/ { llvm = "not built in" }
        END { printf "| %s | %.1f | %s | %s | %s | %s | %s |\n", name, macs,
                     code == 0 ? "agrees" : "DIFFERS", error, classes, threads, llvm }' \
        >"$(row_of "$1").new" && mv "$(row_of "$1").new" "$(row_of "$1")" || exit 3
    [ "$code" = 0 ] || echo "$result"
    return $code
}

table() {
    cat <<'HEAD'
# Every network at its real size

Written by `sh tools/verify_zoo.sh`. Each network is compiled with random weights (`vtc
init`, seed 1; trained ones where they lie beside it), run on a photograph, and compared
with the graph interpreter in double. The worst error is of an output (scores before
their argmax where there are class maps), in parts of its range; at most 1e-4 is
allowed. Classes: how many places of a class map have another one; at most 1 in 1000 may.
A row stays until its network is run again.

| network | MMAC | | worst error | classes differ | 2 threads | LLVM |
|---|---|---|---|---|---|---|
HEAD
    missing=
    for model in $all; do
        if [ -f "$(row_of "$model")" ]; then
            cat "$(row_of "$model")"
        else
            missing="$missing ${model%.vt}"
        fi
    done
    [ -z "$missing" ] || printf '\nNot run yet:%s.\n' "$missing" | fold -s -w 88 | sed 's| $||'
}

failed=0
for model in "$@"; do
    up_to_date "$model" || verify "$model" || failed=$((failed + 1))
    cat "$(row_of "$model")"
    table >"$document.$$" && mv "$document.$$" "$document" || exit 3
done
echo "$# networks, $failed differ"
[ "$failed" = 0 ]
