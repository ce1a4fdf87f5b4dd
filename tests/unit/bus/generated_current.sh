#!/bin/bash
# SPDX-License-Identifier: MIT
# The committed adaptors and proxies are what the generator makes of the XML today.
set -euo pipefail
if ! command -v sdbus-c++-xml2cpp >/dev/null; then
    echo "skipped: sdbus-c++-xml2cpp is missing (Debian: libsdbus-c++-bin)"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$WGD_SOURCE/dbus/generate" "$scratch"
if ! diff -ru "$WGD_SOURCE/dbus/generated" "$scratch/dbus/generated"; then
    echo "dbus/generated is out of date: run dbus/generate and commit the result"
    exit 1
fi
