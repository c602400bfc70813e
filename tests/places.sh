#!/usr/bin/env bash
# tests/places.sh [PYTEST ARGUMENTS]
#
# Runs tests from copies of this checkout that lie where checkouts have been found to fail: in a
# folder that only its owner can enter, below blanks and umlauts and a very long path as an ordinary
# user, and directly below / (or the temporary folder) with the shortest path there is. Each place
# has a temporary folder of its own beside the copy and an environment that shares the installed
# packages. Without arguments: the tests of the dashboard and of safety. PLACES="private short"
# chooses.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
[ $# -gt 0 ] || set -- -n 2 --dist worksteal tests/dashboard tests/runs/test_safety.py
work=$(mktemp -d)
short=
trap 'rm -rf "$work" $short' EXIT

copy_to() { # the files git knows, as they are now, and an environment that has their packages
    mkdir -p "$1/repo" "$1/tmp"
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --ignore-failed-read --files-from=- 2>/dev/null | tar --extract --directory "$1/repo"
    "$python" -m venv --without-pip "$1/repo/.venv"
    local packages
    packages=$("$1/repo/.venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    {
        printf '%s\n' "$1/repo"
        "$python" -c 'import sys; print(*(p for p in sys.path if p.endswith("-packages")), sep="\n")'
    } > "$packages/place.pth"
    # As pip writes it: a shebang holds neither blanks nor long paths.
    printf '#!/bin/sh\n%s "%s" "$0" "$@"\n%s\nfrom postertui.cli import main\nmain()\n' \
        "'''exec'" "$1/repo/.venv/bin/python" "' '''" > "$1/repo/.venv/bin/postertui"
    chmod +x "$1/repo/.venv/bin/postertui"
}

run_in() { # PLACE COMMAND...: the tests, by way of COMMAND
    local place=$1
    shift
    (cd "$place/repo" && env -u PYTHONPATH TMPDIR="$place/tmp" "$@" .venv/bin/python -m pytest -q -p no:cacheprovider "${tests[@]}")
}

tests=("$@")
failed=()
for place in ${PLACES:-private awkward short}; do
    echo "== $place"
    case $place in
        private)
            folder=$work/private
            mkdir -m 700 "$folder"
            copy_to "$folder"
            if [ -d ../shared ]; then ln -s "$(cd ../shared && pwd)" "$folder/shared"; fi
            run_in "$folder" || failed+=("$place") ;;
        awkward)
            folder="$work/a folder of Ämilie's (copy)/$(printf 'long%.0s' {1..30})"
            copy_to "$folder"
            if [ "$(id -u)" = 0 ]; then
                chmod 755 "$work"
                chown -R 65534:65534 "$folder"
                mapfile -t roots < <("$python" -c 'import sys; print(sys.base_prefix, *(p for p in sys.path if p.endswith("-packages")), sep="\n")')
                run_in "$folder" sh tests/support/reachable.sh "$folder" "${roots[@]}" -- \
                    setpriv --reuid=65534 --regid=65534 --clear-groups \
                    env HOME="$folder" USER=nobody || {
                    code=$?
                    if [ $code = 125 ]; then echo "left out: mounting is not allowed here"
                    else failed+=("$place"); fi
                }
            else
                run_in "$folder" || failed+=("$place")
            fi ;;
        short)
            if mkdir /p 2>/dev/null; then short=/p; else short=$(mktemp -d /tmp/XXX); fi
            copy_to "$short"
            run_in "$short" || failed+=("$place") ;;
        *)
            echo "no place $place: private, awkward, short"; exit 2 ;;
    esac
done
if [ ${#failed[@]} -gt 0 ]; then echo "failed in: ${failed[*]}"; exit 1; fi
