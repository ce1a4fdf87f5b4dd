#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a tunnel has made of a machine, as sorted lines of text that two machines can be compared by; run on the
# machine itself (differential.sh). Left out: what is drawn anew each time (link-local addresses, a port that the
# profile does not name, counters), and how we mark our own: protocol 199 is shown as iproute2's "boot".
#
#   facts.sh sysctls                           the network's settings
#   facts.sh tunnel LINK PROFILE SYSCTLS       SYSCTLS: their file from before the tunnel
set -u
export LC_ALL=C

sysctls() {
    find /proc/sys/net -type f ! -name nf_conntrack_count ! -path '*/neigh/*' ! -name stable_secret -print0 |
        xargs -0 grep -sH '' | sed 's|^/proc/sys/||' | sort
}

json() { # COMMAND...: its output, or an empty list where there is nothing to list
    local text
    text=$("$@" 2>/dev/null)
    printf '%s' "${text:-[]}"
}

# Links, addresses, routes and rules of the whole machine, in all tables and both families.
network() {
    jq -rn --argjson links "$(json ip -j link show)" --argjson addresses "$(json ip -j address show)" \
        --argjson routes4 "$(json ip -j -4 route show table all)" \
        --argjson routes6 "$(json ip -j -6 route show table all)" \
        --argjson rules4 "$(json ip -j -details -4 rule show)" \
        --argjson rules6 "$(json ip -j -details -6 rule show)" '
        def link_local: tostring | startswith("fe80:");
        def made_by: (. // "boot") | if . == "199" or . == "unspec" then "boot" else . end;
        def routes(family; list): list[]
            | select((.dst | link_local or startswith("ff00:")) or (.type == "multicast") | not)
            | "route\(family) \(.type // "unicast") \(.dst) \(if .dev then "dev \(.dev)" else "" end)" +
              " via \(.gateway // "-") table \(.table // "main") metric \(.metric // 0) scope \(.scope // "global")" +
              " src \(.prefsrc // "-") proto \(.protocol | made_by)";
        def rules(family; list): list[]
            | "rule\(family) \(.priority) \(if has("not") then "not " else "" end)from \(.src // "-")" +
              " fwmark \(.fwmark // "-") table \(.table) suppress \(.suppress_prefixlen // "-")" +
              " proto \(.protocol | made_by)";
        ($links[] | "link \(.ifname) mtu \(.mtu) \(if .flags | index("UP") then "up" else "down" end)"),
        ($addresses[] | .ifname as $link | .addr_info[] | select(.local | link_local | not)
            | "address \(.local)/\(.prefixlen) dev \($link) scope \(.scope)\(if .noprefixroute then " noprefixroute" else "" end)"),
        routes(4; $routes4), routes(6; $routes6), rules(4; $rules4), rules(6; $rules6)' | sort
}

# wg-quick makes a table for each family and a rule for each address; wgd one table and a set. So: one line for each
# address and for each kind of rule. A rule of any other kind is a line as it is.
firewall() {
    nft list ruleset 2>/dev/null | awk '
        /^table|^}|^$|^\t}$|^\tchain|comment "wgd / { next }
        /fib saddr type != local drop/ {
            gsub(/[{},]/, " ")
            for (i = 1; i <= NF; i++) if ($i == "iifname") link = $(i + 2)
            for (i = 1; i <= NF; i++) if ($i == "daddr") break
            for (i++; i <= NF && $i != "fib"; i++)
                if ($i !~ /^fe80:/) print "nft", $i, "is reached through", link, "and from here only"
            next
        }
        { sub(/^\t+/, ""); sub(/0x0+/, "0x"); print "nft", $0 }' | sort -u
}

# Device: private, public, port, mark. Peers: public, preshared, endpoint, allowed IPs, keepalive.
device() { # LINK PROFILE
    wg show "$1" dump | awk -v port="$(grep -ci '^[[:space:]]*listenport' "$2")" '
        NR == 1 { print "device", $1, $2, "port", (port ? $3 : "any"), "mark", $4; next }
        { n = split($4, ips, ","); for (i = 1; i <= n; i++) print "allowed", $1, ips[i]
          print "peer", $1, $2, $3, "keepalive", $8 }' | sort
}

case $1 in
sysctls) sysctls ;;
tunnel)
    network
    device "$2" "$3"
    firewall
    # Of a link that was not there before: what is not as new links have it.
    sysctls | grep -v "/default/\|/conf/$2/" | diff "$4" - | sed -n 's/^> /sysctl /p'
    sed 's/^/called /' /run/called 2>/dev/null
    ;;
esac
exit 0
