# Sourced by demo.sh and test.sh: installs the packages of packages.txt that are
# missing and builds the compiler in build/.
top=$(cd "$(dirname "$0")/.." && pwd)
packages=$(grep -v '^#' "$top/tools/packages.txt" | tr '\n' ' ')

missing=
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing="$missing $package"
done
if [ -n "$missing" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "installing:$missing"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null
fi

# Debian's Python, whatever else is first in PATH: it has the packages.
PYTHON=/usr/bin/python3
export PYTHON

configure() { # folder, options...
    folder=$1
    shift
    [ -f "$folder/build.ninja" ] ||
        cmake -G Ninja -S "$top" -B "$folder" "$@" >/dev/null
}
