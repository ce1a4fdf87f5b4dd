#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/protocol-map.md names files, functions and tests: every one of them exists. In its tables a quoted name is a test
# case ("..." at its end: the beginning of one), a word in backquotes a file of datapath/, a test script, a fuzz target
# or an identifier. Checks itself first: names that do not exist must be found.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

sources=$(our_files '*.cpp' '*.hpp' | grep -E '^(datapath|common|tests)/')
# One test case a line; a name that is written as several literals is joined.
cases=$(grep -E '^tests/(unit/datapath_|sim/)' <<<"$sources" | xargs cat | tr '\n' ' ' | sed 's/" *"//g' |
    grep -oE '(TEST_CASE|SECTION)\("[^"]*"' | sed 's/^[A-Z_]*("//; s/"$//')
identifiers=$(xargs grep -ohE '[A-Za-z_][A-Za-z_0-9]*' <<<"$sources" | sort -u)
files=$({ our_files '*.cpp' '*.hpp' '*.sh' | grep -E '^(datapath|tests)/'; } | sed 's|.*/||' | sort -u)

exists() { # LIST NAME
    grep -qxF -- "$2" <<<"$1"
}
test_exists() { # NAME
    if [[ $1 == *' ...' ]]; then
        awk -v begin="${1% ...}" 'index($0, begin) == 1 { found = 1 } END { exit !found }' <<<"$cases"
    else
        exists "$cases" "$1"
    fi
}

missing() { # FILE: what its tables name and nobody knows
    local number=0 line name word
    while IFS= read -r line; do
        number=$((number + 1))
        [[ $line == '| '* ]] || continue
        while IFS= read -r name; do
            test_exists "$name" || printf '%s:%d: there is no test "%s"\n' "$1" "$number" "$name"
        done < <(grep -oE '"[^"]*"' <<<"$line" | tr -d '"')
        while IFS= read -r name; do
            case $name in
            *.cpp | *.hpp | *.sh) exists "$files" "$name" || printf '%s:%d: there is no file %s\n' "$1" "$number" "$name" ;;
            *)
                word=${name##*::}
                exists "$identifiers" "${word%%[!A-Za-z_0-9]*}" || exists "$files" "$word.cpp" ||
                    printf '%s:%d: there is no %s\n' "$1" "$number" "$name"
                ;;
            esac
        done < <(grep -oE '`[^`]*`' <<<"$line" | tr -d '`')
    done <"$1"
}

lies=$(mktemp)
trap 'rm -f "$lies"' EXIT
# shellcheck disable=SC2016 # backquotes wanted
printf '| %s |\n' 'a rule | `no_such_file.cpp` `no_such_function` | sim "no such test"' >"$lies"
[ "$(missing "$lies" | wc -l)" = 3 ] || finding "this test does not see what is missing"

findings < <(missing docs/protocol-map.md)
conclude "$(grep -c '^| ' docs/protocol-map.md) rows"
