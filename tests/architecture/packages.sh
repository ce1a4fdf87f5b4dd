#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every package in scripts/packages.txt exists in this Debian's lists, is written once and stands in a section.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"
. scripts/lib.sh
set +e
listed=$(sed 's/#.*//' scripts/packages.txt | awk 'NF && !/^\[/ { print $1 }')
sections=$(packages_of build run demo kmod test long)
[ -n "$sections" ] || finding "packages_of finds nothing: has the form of packages.txt changed?"
[ "$(sort <<<"$listed")" = "$(sort <<<"$sections")" ] || finding "a package stands outside of the sections build, run, demo, test"
findings < <(sort <<<"$listed" | uniq -d | sed 's/$/: listed twice/')
if ! command -v apt-cache >/dev/null || ! apt-cache show bash >/dev/null 2>&1; then
    [ "$FINDINGS" = 0 ] || conclude
    echo "needs apt's package lists (not a Debian system, or 'apt-get update' was never run)"
    exit 77
fi
# One question for all of them: apt-cache reads its lists anew for each.
findings < <(comm -23 <(sort -u <<<"$listed") <(xargs apt-cache show --no-all-versions <<<"$listed" 2>/dev/null |
    sed -n 's/^Package: //p' | sort -u) | sed 's/$/: no such package in this release/')
conclude "$(wc -l <<<"$listed") packages, all known"
