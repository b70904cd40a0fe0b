#!/bin/bash
# The attack suite in each way that it must hold in: as this user and as one who is no root, in paths with spaces, with
# namespaces and without. What could not be tried is said to be unknown: it did not pass. Arguments go to pytest.
#
# Exit codes: 0 every way was tried and held; 1 something did not hold; 2 nothing was found, and not all could be tried.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v python)
room=$(mktemp -d "${TMPDIR:-/tmp}/furrow attack.XXXXXX")
trap 'rm -rf "$room"' EXIT
asked=("$@") told=() failed=0 unknown=0
mapfile -t every < <(cd "$top" && grep -rlE 'mark\.attack' tests --include='*.py')  # not all that there is is collected
jails=(tests/attack/test_jail.py tests/attack/test_ci_attacks.py tests/attack/test_rejudge_jail.py)
mapfile -t prefixes < <("$python" -c 'import sys; print(sys.prefix, sys.base_prefix, sep="\n")')
none='echo 0 >/proc/sys/user/max_user_namespaces && ! unshare -Ur true 2>/dev/null && exec "$@"'

suite() { # NAME FOLDER ARGUMENTS... -- COMMAND...: the suite, started by a command
    local name=$1 folder=$2 files=() code
    shift 2
    while [ "$1" != -- ]; do files+=("$1"); shift; done
    shift
    echo "== $name"
    (cd "$top" && TMPDIR="$folder/tmp files" "$@" "$python" -m pytest -q -m attack -p no:cacheprovider --durations=5 \
        --numprocesses 2 --dist loadscope --basetemp="$folder/base of tests" "${asked[@]}" "${files[@]}") 2>&1 | tee "$room/log"
    code=${PIPESTATUS[0]}
    if [ "$code" != 0 ]; then
        failed=1 told+=("FAILED   $name")
    else
        told+=("held     $name: $(grep -E '^[0-9]+ passed|passed' "$room/log" | tail -1)")
    fi
}

skip() { unknown=1; told+=("UNKNOWN  $1: $2"); }

# Folders that others may not enter, on the way to what the suite needs: of each way the first.
closed() {
    local path at found
    for path in "$top" "${prefixes[@]}"; do
        at=$path found=
        while [ "$at" != / ]; do
            (($(stat -c 0%a "$at") & 1)) || found=$at
            at=$(dirname "$at")
        done
        [ -z "$found" ] || echo "$found"
    done | sort -u
}

# Run a command as nobody. The suite lies in a copy that is nobody's own, mounted where the repository is; where Python
# lies in somebody's closed home, an empty folder hides that home, and Python alone is mounted in it again. All of this is
# in a namespace of mounts that ends with the command: no file of the machine is changed.
nobody() {
    local copy="$room/copy of the repository" kept="$room/kept" homes
    homes=$(closed)
    mkdir -p "$copy" "$kept"
    tar -C "$top" --exclude=./.git --exclude='./.venv*' --exclude=./build --exclude=./data --exclude=./.dvc/cache \
        --exclude=./.dvc/tmp --exclude=./.furrow -cf - . | tar -C "$copy" -xf -
    mkdir -p "$copy/.venv"
    chown -R 65534:65534 "$copy"
    unshare --mount --propagation private bash -eu -c '
        top=$1 copy=$2 kept=$3 homes=$4; prefix=$5 base=$6; shift 6
        number=0
        for folder in "$prefix" "$base"; do
            number=$((number + 1)); mkdir "$kept/$number"; mount --bind "$folder" "$kept/$number"
        done
        for folder in $homes; do mount -t tmpfs -o mode=755 none "$folder"; done
        mkdir -p "$top"; mount --bind "$copy" "$top"
        number=0
        for folder in "$prefix" "$base"; do
            number=$((number + 1)); mkdir -p "$folder"; mount --bind "$kept/$number" "$folder"
        done
        cd "$top"
        exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
    ' nobody "$top" "$copy" "$kept" "$homes" \
        "${prefixes[@]}" env "HOME=$room/other/home" "$@"
    local code=$?
    rm -rf "$copy" "$kept"
    return $code
}

mkdir -p "$room/mine/tmp files" "$room/other/tmp files" "$room/other/home" "$room/none/tmp files"
if [ "$(id -u)" = 0 ]; then
    suite "as root" "$room/mine" "${every[@]}" -- env
    chmod 755 "$room"
    closed | sed 's/^/== as nobody this folder, closed to others, is empty but for Python: /'
    chown -R 65534:65534 "$room/other" "$room/none"
    if nobody "$python" -c 'import pytest, furrow.ground.jail' && nobody unshare -Ur true; then
        suite "as nobody" "$room/other" "${every[@]}" -- nobody
    else
        skip "as nobody" "this machine lets nobody neither into Python nor have namespaces"
    fi
    bare=(nobody unshare -Ur sh -c "$none" sh)
else
    skip "as root" "start it as root"
    if unshare -Ur true; then suite "as $(id -un)" "$room/mine" "${every[@]}" -- env; else skip "as $(id -un)" "there are no namespaces"; fi
    bare=(unshare -Ur sh -c "$none" sh)
fi
if "${bare[@]}" true; then
    suite "where nothing can be held" "$room/none" "${jails[@]}" -- "${bare[@]}"
else
    skip "where nothing can be held" "namespaces can't be taken away here"
fi
echo
printf '%s\n' "${told[@]}"
[ "$failed" = 0 ] || exit 1
exit $((2 * unknown))
