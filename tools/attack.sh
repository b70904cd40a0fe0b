#!/bin/bash
# The attack suite: in a path with a space, and once more as a user who is no root where root runs this. What a machine
# without namespaces does is asked inside of the suite itself (tests/attack/test_jail.py).
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v python)
failed=0

suite() { # FOLDER COMMAND...
    local folder=$1
    shift
    (cd "$top" && TMPDIR="$folder/tmp files" "$@" "$python" -m pytest -m attack -p no:cacheprovider --basetemp="$folder/base of tests")
}

room=$(mktemp -d "${TMPDIR:-/tmp}/furrow attack.XXXXXX")
trap 'rm -rf "$room"' EXIT
mkdir -p "$room/mine/tmp files" "$room/other/tmp files" "$room/other/home"
echo "== the attack suite as $(id -un), in $room/mine"
suite "$room/mine" env || failed=1

if [ "$(id -u)" = 0 ]; then
    chmod 755 "$room"
    chown -R 65534:65534 "$room/other"
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all env "HOME=$room/other/home" PYTHONDONTWRITEBYTECODE=1)
    if "${as[@]}" test -x "$python" -a -r "$top/pyproject.toml" && "${as[@]}" "$python" -c 'import pytest' 2>/dev/null; then
        echo "== the attack suite as nobody, in $room/other"
        suite "$room/other" "${as[@]}" || failed=1
    else
        echo "== NOT run as another user: $python or $top is not readable by others" >&2
        failed=1
    fi
fi
exit $failed
