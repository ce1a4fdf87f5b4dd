#!/bin/bash
# SPDX-License-Identifier: MIT
# The completion scripts: they load, and bash's completes what the command table says. (zsh and fish are only checked
# for syntax, where they are installed.)
set -uo pipefail
: "${WGD_BUILD:?}"
W=$WGD_BUILD/bin/wgctl
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
failed=0
bad() { echo "FAILED: $*"; failed=1; }

for shell in bash zsh fish; do
    "$W" completion $shell >"$D/$shell" || bad "completion $shell"
    for verb in $("$W" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
        grep -qw -- "$verb" "$D/$shell" || bad "$shell: no '$verb'"
        for option in $("$W" "$verb" --help | grep -oE '^  --[a-z]+' | grep -v -- --help); do
            grep -qw -- "${option#--}" "$D/$shell" || bad "$shell: no '$option' of '$verb'"
        done
    done
    if command -v $shell >/dev/null; then
        $shell -n "$D/$shell" || bad "$shell does not parse its script"
    else
        echo "note: $shell is not installed, its script was not parsed"
    fi
done
"$W" completion csh >/dev/null 2>&1
[ $? = 2 ] || bad "a shell we do not know"

# shellcheck disable=SC1091
. "$D/bash"
wgctl() { [ "$*" = "list --names" ] && printf 'home\noffice\n'; }
completes() { # EXPECTED WORDS... (the last word is the one being typed)
    local expected=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _wgctl
    local got="${COMPREPLY[*]}"
    [ "$got" = "$expected" ] || bad "'$*' completes to '$got', not '$expected'"
}
completes "up" wgctl u
completes "status" wgctl sta
completes "home office" wgctl up ""
completes "office" wgctl down o
completes "home" wgctl status --json h
completes "--json --watch --help" wgctl status --
completes "up down reload" wgctl plan home ""
completes "" wgctl up home ""
completes "bash zsh fish" wgctl completion ""
completes "plan" wgctl help pl
exit $failed
