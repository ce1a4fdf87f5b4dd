#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The house's outward order: licence lines, length of files, no file called utils, clang-format, shellcheck, and
# that every method and signal of the bus contract is explained.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

# ---- licence: the first line, or the second after #! ----
for file in $(our_files '*.cpp' '*.hpp' '*.c' '*.h' '*.sh' && find scripts .ci -type f ! -name '*.txt'); do
    case $file in
    dbus/generated/*) continue ;; # made by sdbus-c++-xml2cpp
    kmod/*) licence=GPL-2.0 ;;
    *) licence=MIT ;;
    esac
    head -n 2 "$file" | grep -q "SPDX-License-Identifier: $licence" || finding "$file: its first line does not say SPDX-License-Identifier: $licence"
done

# ---- length and names ----
findings < <(our_files '*.cpp' '*.hpp' '*.c' '*.h' '*.sh' | grep -v '^dbus/generated/' | xargs wc -l |
    awk '$2 != "total" && $1 > 700 { print $2 ": " $1 " lines; is it still one noun?" }')
findings < <(our_files '*.cpp' '*.hpp' '*.c' '*.h' '*.sh' | grep -iE '(^|[/_])(utils?|helpers?|misc|common)[._]' |
    sed 's/$/: name it after what it is/')

# ---- the bus contract: a comment stands before each method and signal ----
for xml in dbus/*.xml; do
    [ -e "$xml" ] || continue
    findings < <(awk -v file="$xml" '
        /-->/ { explained = 1 }
        /<property / { explained = 0 }
        /<(method|signal) / {
            match($0, /name="[^"]*"/)
            name = substr($0, RSTART + 6, RLENGTH - 7)
            if (!explained) print file ":" NR ": " name " is not explained"
            explained = 0
        }' "$xml")
done

# ---- scripts ----
if command -v shellcheck >/dev/null; then
    findings < <(
        { our_files '*.sh' && grep -lE '^#!.*\b(bash|sh)$' scripts/* .ci/*; } | sort -u | xargs shellcheck -x -S warning -f gcc
    )
    shell_note="shellcheck clean"
else
    shell_note="shellcheck is missing: scripts were not checked"
fi
conclude "licences, lengths, names, bus contract: in order; $shell_note"
