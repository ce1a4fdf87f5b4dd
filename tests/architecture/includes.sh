#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The include rule: a file may include its own room and the rooms that rooms.txt gives it, from the root of the
# repository, and nothing of ours else. Checks itself first: a forbidden line must be found.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"
rooms=$WGD_SOURCE/tests/architecture/rooms.txt

# FILE:LINE: #include "PATH"  ->  one line per breach
breaches() {
    awk -v rooms="$rooms" '
        BEGIN {
            while ((getline line < rooms) > 0) {
                sub(/#.*/, "", line)
                n = split(line, word, /[ \t]+/)
                if (n < 1 || word[1] == "") continue
                known[word[1]] = 1
                for (i = 1; i <= n; i++) if (word[i] != "") may[word[1], word[i]] = 1
            }
        }
        function room_of(path,   best, r) {
            best = ""
            for (r in known) if (index(path, r "/") == 1 && length(r) > length(best)) best = r
            return best
        }
        {
            match($0, /:[0-9]+:/)
            file = substr($0, 1, RSTART - 1)
            place = substr($0, 1, RSTART + RLENGTH - 2)
            match($0, /"[^"]*"/)
            included = substr($0, RSTART + 1, RLENGTH - 2)
            from = room_of(file); to = room_of(included)
            if (from == "") print place ": belongs to no room of rooms.txt"
            else if (to == "") print place ": \"" included "\" is in no room: include from the root of the repository"
            else if (!((from, to) in may)) print place ": " from " may not include " to " (\"" included "\")"
        }'
}

[ "$(printf '%s\n' 'cli/up.cpp:3:#include "daemon/control/manager.hpp"' 'common/base/ip.cpp:1:#include "ip.hpp"' \
    'daemon/plan/diff.cpp:9:#include "common/base/ip.hpp"' | breaches | wc -l)" = 2 ] ||
    finding "this test cannot tell a breach from a lawful include"

lines=$(our_files '*.cpp' '*.hpp' | grep -E '^(common|daemon|datapath|cli|dbus)/' |
    xargs grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"')
findings < <(breaches <<<"$lines")

# Libraries that stay in one place.
only_in() { # HEADER-REGEX PLACE-REGEX NAME
    findings < <(our_files '*.cpp' '*.hpp' | grep -E '^(common|daemon|datapath|cli|dbus)/' | grep -vE "$2" |
        xargs grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$1" | awk -v where="($3 belongs to $2)" '{ print $0, where }')
}
only_in 'toml' '^daemon/control/settings' "toml11"
only_in 'sdbus-c\+\+' '^(daemon/bus|dbus|cli|daemon/main)' "sdbus-c++"
only_in 'netlink/' '^(daemon/sys|common/wgapi)' "libnl"
only_in 'nlohmann' '^(cli|daemon/plan/op_json|daemon/control)' "nlohmann_json"
only_in 'openssl/' '^datapath/crypto' "OpenSSL"
conclude "$(wc -l <<<"$lines") includes, all within the rule"
