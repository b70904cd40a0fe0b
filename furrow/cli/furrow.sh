#!/bin/sh
# The command `furrow`. A list of runs that was printed before to a pipe or a file, and whose history has not changed
# since, is printed again at once, for Python takes longer to start than all the rest. Everything else is the work of
# furrow.cli.main.
# What an answer is, and when one is kept: furrow/runs/answers.py.

here=$0
[ ! -L "$here" ] || here=$(readlink -f -- "$here")
answer=""

# Where the answer to these words is, or would be. The words, and what else decides how it is written, are its name.
find_answer() {
    cd -P . 2>/dev/null || return 1
    git=$PWD
    until [ -e "$git/.git" ]; do
        [ ! -f "$git/HEAD" ] || [ ! -d "$git/refs" ] || break # a bare one
        [ -n "$git" ] || return 1
        git=${git%/*}
    done
    [ ! -e "$git/.git" ] || git=$git/.git
    name="${LC_ALL-},${LC_CTYPE-},${LANG-},${PYTHONIOENCODING-},${PYTHONUTF8-}"
    for word; do
        name="$name ${#word}:$word"
    done
    case $name in */*) return 1 ;; esac
    answer=$git/furrow/answers/$name
}

# Whether there is an answer, this user's own and not older than the code that gave it.
may_hold() {
    # shellcheck disable=SC3067 # dash, bash, ksh and busybox have -O, if not POSIX
    [ -O "$answer" ] && [ ! -e "$git/shallow" ] && { IFS= read -r code && read -r scope; } <"$answer" || return 1
    [ -d "$code" ] || return 1
    for file in "$here" "$code" "$code"/*.py "$code"/cli "$code"/cli/*.py \
        "$code"/ground "$code"/ground/*.py "$code"/runs "$code"/runs/*.py; do
        [ ! "$file" -nt "$answer" ] || return 1
    done
}

# Add every file in a folder to `files`, a line each.
add_files() {
    for entry in "$1"/*; do
        if [ -d "$entry" ]; then
            add_files "$entry"
        elif [ -e "$entry" ]; then
            files="$files
$entry"
        fi
    done
}

# Print the answer if each file that it hangs on has the lines that it had, and there is none besides.
tell_again() {
    files=$git/HEAD
    if [ "$scope" = all ]; then
        [ ! -e "$git/packed-refs" ] || files="$files
$git/packed-refs"
        add_files "$git/refs"
    fi
    IFS='
'
    set -f
    # shellcheck disable=SC2086 # a file a word
    LC_ALL=C awk '
        function next_line(file) { return (getline line < file) > 0 }
        BEGIN {
            answer = ARGV[1]
            for (i = 3; i < ARGC; i++) missing[ARGV[i]]
            next_line(answer)
            next_line(answer)
            all = line == "all"
            file = ""
            while (next_line(answer) && line != "") {
                space = index(line, " ")
                name = ARGV[2] "/" substr(line, 1, space - 1)
                held = substr(line, space + 1)
                if (name != file) {
                    if (file != "" && next_line(file)) exit 1
                    file = name
                    if (all && !(file in missing)) exit 1
                    delete missing[file]
                }
                if (!next_line(file) || line != held) exit 1
            }
            if (file == "" || next_line(file)) exit 1
            if (all) for (name in missing) exit 1
            next_line(answer); texts = line + 0
            next_line(answer); notes = line + 0
            for (n = 0; next_line(answer); n++) text[n] = line
            if (n != texts + notes + 1 || text[n - 1] != "end") exit 1
            for (i = 0; i < texts; i++) print text[i]
            for (i = texts; i < n - 1; i++) print text[i] > "/dev/stderr"
        }' "$answer" "$git" $files
    told=$?
    set +f
    unset IFS
    return "$told"
}

if [ "${1-}" = runs ] && [ ! -t 1 ] && find_answer "$@" && may_hold && tell_again; then
    exit
fi
export FURROW_ANSWER="$answer"
exec "${here%/*}/furrow-python" "$@"
