#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The house's outward order: licence lines, length of files, no file called utils, clang-format, shellcheck, and
# that every method and signal of the bus contract is explained.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

# ---- licence: the first line, or the second after #! ----
findings < <({ our_files '*.cpp' '*.hpp' '*.c' '*.h' '*.sh' && find scripts .ci -type f ! -name '*.txt'; } |
    grep -v '^dbus/generated/' | xargs awk ' # what sdbus-c++-xml2cpp makes is not ours
        function judge() { if (file != "" && !said) print file ": its first line does not say SPDX-License-Identifier: " licence }
        FNR == 1 { judge(); file = FILENAME; licence = file ~ /^kmod\// ? "GPL-2.0" : "MIT"; said = 0 }
        index($0, "SPDX-License-Identifier: " licence) { said = 1 }
        FNR == 2 { nextfile }
        END { judge() }')

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
# Each by itself (--norc: without what it sources), which takes half the time; an editor that reads .shellcheckrc sees
# more. That a variable is never assigned (SC2154) is known with the sourced files only; set -u finds it.
if command -v shellcheck >/dev/null; then
    findings < <(
        { our_files '*.sh' && grep -lE '^#!.*\b(bash|sh)$' scripts/* .ci/*; } | sort -u |
            xargs --max-procs="$(nproc)" --max-args=8 shellcheck --norc -e SC2016,SC2154,SC2317 -S warning -f gcc
    )
    shell_note="shellcheck clean"
else
    shell_note="shellcheck is missing: scripts were not checked"
fi
# Who reads only the beginning of a pipe kills its writer (SIGPIPE) now and then, and under pipefail that is a failure:
# grep -q PATTERN <(COMMAND), COMMAND | sed -n 1p. What runs in a shell of its own (sh -c, the guest's) has no pipefail.
findings < <({ our_files '*.sh' && grep -lE '^#!.*\b(bash|sh)$' -r scripts .ci bench; } | grep -v '^tests/vm/' | sort -u |
    xargs grep -nHE '\| *(grep -[A-Za-z]*q|head -n)' | grep -vE 'sh -c|nsenter|^[^:]*:[0-9]+: *["#]|[|] xargs grep -nHE' |
    sed 's/$/  # kills its writer under pipefail/')
conclude "licences, lengths, names, bus contract: in order; $shell_note"
