# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Findings of an architecture test: collected, printed together, and turned into the exit status. Sourced.
set -uo pipefail
: "${WGD_SOURCE:?is not set: the source tree}"
cd "$WGD_SOURCE" || exit 1
FINDINGS=0

finding() {
    printf '%s\n' "$*"
    FINDINGS=$((FINDINGS + 1))
}

# Reads findings, one a line. (A pipe's last part would count in a subshell: use  findings < <(...).)
findings() {
    local line
    while IFS= read -r line; do finding "$line"; done
}

# Every file of ours with one of the given name patterns, outside of build trees.
our_files() { # PATTERN...
    local names=() pattern
    for pattern in "$@"; do names+=(-o -name "$pattern"); done
    find . \( -path './build*' -o -path ./.git -o -path ./.cache \) -prune -o -type f \( "${names[@]:1}" \) -print | sed 's|^\./||' | sort
}

conclude() { # SENTENCE-WHEN-FINE
    if [ "$FINDINGS" -gt 0 ]; then
        printf '%d findings\n' "$FINDINGS"
        exit 1
    fi
    printf '%s\n' "$1"
    exit 0
}
