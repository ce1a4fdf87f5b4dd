#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every C++ file is as clang-format 14 with our .clang-format writes it. To mend: clang-format-14 -i FILE.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"
command -v clang-format-14 >/dev/null || {
    echo "needs clang-format-14 (other versions format differently)"
    exit 77
}
files=$(our_files '*.cpp' '*.hpp' | grep -v '^dbus/generated/')
findings < <(xargs -P 2 -n 20 clang-format-14 --dry-run -Werror <<<"$files" 2>&1 | sed -n 's/: error: code should be clang-formatted.*/: not formatted/p' |
    sed -E 's/:[0-9]+:[0-9]+:/:/' | sort | uniq -c | awk '{ print $2 " not formatted (" $1 " places)" }')
conclude "$(wc -l <<<"$files") files"
