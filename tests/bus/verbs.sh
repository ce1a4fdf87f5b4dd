#!/bin/bash
# SPDX-License-Identifier: MIT
# wgctl's verbs against the bus face: what they print, their JSON, their exit codes.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
need jq jq

expect 3 "without a bus: exit code 3" env DBUS_SYSTEM_BUS_ADDRESS=unix:path="$DIR/nothing" "$WGCTL" status
has "and a sentence about the bus" "$err" "cannot reach the system bus"
start_bus
expect 3 "without a daemon: exit code 3" "$WGCTL" up home
has "and how to start it" "$err" "systemctl start wgd"
expect 3 "without a daemon, as JSON" "$WGCTL" list --json
has "the JSON says why" "$(jq -r .error.code <<<"$out")" '^no-daemon$'
start_daemon

expect 0 "status with nothing up" "$WGCTL" status
has "says so" "$out" "no tunnel is up"
expect 0 "list" "$WGCTL" list
has "home is down" "$out" '^home +down$'
has "broken says why" "$out" "^broken +down +line 3: unknown key"
expect 0 "list --names" "$WGCTL" list --names
has "names alone" "$(tr '\n' ' ' <<<"$out")" '^broken home slow $'
expect 0 "status of a profile that is down" "$WGCTL" status home
has "says down" "$out" "^home: down"
expect 6 "status of nothing" "$WGCTL" status nosuch
has "says there is none" "$err" "no tunnel and no profile 'nosuch'"

expect 0 "plan" "$WGCTL" plan home
has "the steps" "$out" "^ip link add dev home"
has "the warnings, to standard error" "$err" "warning: a warning about caf"
expect 0 "plan down" "$WGCTL" plan home down
has "the steps of down" "$out" "^ip link delete dev home"
expect 2 "plan of another verb" "$WGCTL" plan home sideways
expect 0 "plan as JSON" "$WGCTL" plan home --json
has "its version and steps" "$(jq -c '[.version, (.steps|length)]' <<<"$out")" '^\[1,1\]$'

expect 0 "up" "$WGCTL" up home
has "says up" "$out" "^home is up$"
expect 0 "up again changes nothing" "$WGCTL" up home
expect 0 "status" "$WGCTL" status
has "state" "$out" "^home: up"
has "backend and why" "$out" "backend: +userspace \(no kernel WireGuard: Operation not supported\)"
has "a peer by its name" "$out" "peer office"
has "its public key" "$out" "public key: +AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEI="
has "where it is and what the profile says" "$out" "203.0.113.77:51820 \(vpn.example.net:51820\)"
has "when it last spoke" "$out" "active, handshake (Now|[0-9]+ seconds? ago)"
has "transfer" "$out" "transfer: +[0-9.]+ KiB received, 1.95 KiB sent"
has "no colour in a pipe" "$(tr '\033' '~' <<<"$out")" "^home: up"
expect 0 "status in colour" env WG_COLOR_MODE=always "$WGCTL" status
has "escape sequences" "$(tr '\033' '~' <<<"$out")" "~\[1mhome~\[0m: ~\[1;32mup"
expect 0 "status as JSON" "$WGCTL" status home --json
has "its keys" "$(jq -c '[.version, (.tunnels[0] | .name, .state, .backend, .listen_port, .fwmark, .mtu, (.peers|length))]' <<<"$out")" \
    '^\[1,"home","up","userspace",51820,51820|\[1,"home","up","userspace",51820,51820'
has "a peer's keys" "$(jq -c '.tunnels[0].peers[0] | [.name, .endpoint, .allowed_ips, .persistent_keepalive, .has_preshared_key, .state, .tx_bytes]' <<<"$out")" \
    '^\["office","203.0.113.77:51820",\["0.0.0.0/0","::/0"\],25,true,"active",2000\]$'
rx=$(jq '.tunnels[0].peers[0].rx_bytes' <<<"$out")
expect 0 "status again" "$WGCTL" status home --json
has "counters are fresh" "$(jq --argjson before "$rx" '.tunnels[0].peers[0].rx_bytes > $before' <<<"$out")" '^true$'
expect 0 "what reload would do" "$WGCTL" reload home --dry-run
has "the step" "$out" "^ip link set dev home mtu 1400$"
expect 0 "is not done" "$WGCTL" status home --json
has "yet" "$(jq '.tunnels[0].mtu' <<<"$out")" '^1420$'
expect 0 "reload" "$WGCTL" reload home
has "says what it did" "$out" "^ip link set dev home mtu 1400$"
has "and warns" "$err" "warning: a warning about caf"
expect 0 "reload of what has not changed" "$WGCTL" reload home
has "says so" "$out" "^home is as its profile says: nothing to do$"
expect 0 "reload as JSON" "$WGCTL" reload home --json
has "its keys" "$(jq -c . <<<"$out")" '^\{"version":1,"steps":\[\],"warnings":\[\]\}$'
expect 6 "reload of what is not up" "$WGCTL" reload slow
expect 0 "save" "$WGCTL" save home
has "nothing to save" "$out" "^the profile says what home is: nothing to save$"
expect 0 "save by force" "$WGCTL" save home --force
has "says what it changed" "$out" "^MTU = 1400$"
expect 0 "save as JSON" "$WGCTL" save home --force --json
has "its keys" "$(jq -c . <<<"$out")" '^\{"version":1,"name":"home","changes":\["MTU = 1400"\]\}$'
expect 0 "list with home up" "$WGCTL" list --json
has "home is up" "$(jq -r '.profiles[] | select(.name == "home").state' <<<"$out")" '^up$'

expect 5 "check of a profile with mistakes" "$WGCTL" check broken
has "as file:line:column" "$out" "^broken.conf:3:5: error: unknown key 'PrivatKey' \(did you mean 'PrivateKey'\?\)"
expect 0 "check of a good one" "$WGCTL" check home
has "says so" "$out" "no mistakes"

expect 0 "up of a slow one" "$WGCTL" up slow
has "waits until it is up" "$out" "^slow is up$"
has_not "without a terminal, no progress line" "$err" "resolving|applying"
"$WGCTL" down slow >/dev/null
expect 0 "up of a slow one on a terminal" script -qec "TERM=xterm '$WGCTL' up slow" /dev/null
has "shows a progress line" "$out" "slow: (waiting|resolving|applying) \.\.\. [0-9]+ s"
expect 0 "status of all" "$WGCTL" status
has "shows both" "$(grep -cE '^(home|slow): up' <<<"$out")" '^2$'

expect 0 "down" "$WGCTL" down home
has "says down" "$out" "^home is down$"
expect 6 "down of what is not up" "$WGCTL" down home

# Every error code of the contract comes back as the exit code that wgctl(1) promises.
codes=(2 2 5 6 5 4 7 7 1 1 1 1 1 1 1 1 1 1)
words=(invalid-argument invalid-name parse not-found unsafe-file not-authorized conflict busy unsupported kernel io
    protocol timeout resolve backend cancelled rollback internal)
for i in "${!codes[@]}"; do
    expect "${codes[$i]}" "up failing with '${words[$i]}'" "$WGCTL" up "err-$i" --json
    has "its word in JSON" "$(jq -r .error.code <<<"$out")" "^${words[$i]}\$"
    has "all lines of the message" "$err" "with a second line"
done
expect 1 "a request that the daemon dropped" "$WGCTL" up dropped
has "is answered all the same" "$err" "the request was dropped"
expect 1 "a bug in the daemon" "$WGCTL" up throws
has "is an internal error" "$err" "internal error"
daemon_lives "and the daemon lives on"

"$WGCTL" up hang >"$DIR/out" 2>"$DIR/err" &
waiting=$!
wait_for 5 "the call" grep -q hanging "$DIR/daemon.log"
kill -INT "$waiting"
wait "$waiting"
rc=$?
if [ "$rc" = 130 ]; then pass "an up that is interrupted ends with 130"; else fail "an up that is interrupted: $rc, not 130"; fi
has "and says so" "$(<"$DIR/err")" "'hang' was interrupted"

expect 0 "text that is not UTF-8" "$WGCTL" up latin
expect 0 "is shown" "$WGCTL" status latin
has "with the bad byte replaced" "$out" "peer caf\?"

expect 2 "no command" "$WGCTL"
expect 2 "an unknown command" "$WGCTL" frobnicate
expect 2 "an unknown option" "$WGCTL" status --frobnicate
expect 2 "an argument too few" "$WGCTL" up
expect 2 "an argument too many" "$WGCTL" down a b
expect 2 "a name that is none" "$WGCTL" up ../etc/passwd
expect 0 "--version" "$WGCTL" --version
has "says it" "$out" '^wgctl [0-9]+\.[0-9]+\.[0-9]+$'
for verb in up down reload save status list plan check genkey genpsk pubkey completion; do
    expect 0 "$verb --help" "$WGCTL" "$verb" --help
    has "is its own" "$out" "^Usage: wgctl $verb"
done
finish
