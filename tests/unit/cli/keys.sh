#!/bin/bash
# SPDX-License-Identifier: MIT
# genkey, genpsk and pubkey against wg(8): the same output, messages (but for the program's name) and exit codes.
set -uo pipefail
: "${WGD_BUILD:?}"
W=$WGD_BUILD/bin/wgctl
command -v wg >/dev/null || { echo "skipped: wg is missing (Debian: wireguard-tools)"; exit 77; }
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
ln -s "$W" "$D/wg" # under its name it must say its name
failed=0
bad() { echo "FAILED: $*"; failed=1; }

for i in $(seq 20); do
    key=$("$W" genkey) psk=$("$W" genpsk)
    [ "$(wg pubkey <<<"$key")" = "$("$W" pubkey <<<"$key")" ] || bad "public key $i differs"
    [ ${#psk} = 44 ] || bad "psk of ${#psk} characters"
    # Clamped (RFC 7748 section 5): low three bits of the first byte clear, top two bits of the last 01.
    read -r first last < <(base64 -d <<<"$key" | od -An -v -tu1 -w32 | awk '{ print $1, $32 }')
    ((first % 8 == 0 && last >= 64 && last < 128)) || bad "key $i is not clamped: $first $last"
done
[ "$("$W" pubkey <<<yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=)" = HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw= ] ||
    bad "the known key pair"

K=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=
n=0
same_pubkey() { # INPUT as printf understands it
    n=$((n + 1))
    printf -- "$1" | "$D/wg" pubkey >"$D/our" 2>"$D/our.err"
    our=$?
    printf -- "$1" | (exec -a "$D/wg" wg pubkey) >"$D/their" 2>"$D/their.err"
    their=$?
    [ $our = $their ] || bad "pubkey of '$1': status $our, wg's $their"
    cmp -s "$D/our" "$D/their" || bad "pubkey of '$1': other output"
    cmp -s <(sed 's/^[^:]*: //' "$D/our.err") <(sed 's/^[^:]*: //' "$D/their.err") ||
        bad "pubkey of '$1': '$(<"$D/our.err")', wg's '$(<"$D/their.err")'"
}
for input in '' '\n' "$K" "$K\n" "$K \t\r\n\v\f" "$K\0" "$K\0\0\n" "${K}x" "$K\n\nx" " $K" "${K%=}" "${K%k=}l=" "${K%=}x" \
    'short' 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' "${K/y/-}"; do
    same_pubkey "$input"
done

for tool in genkey genpsk pubkey; do
    "$W" $tool surplus >"$D/our" 2>"$D/our.err"
    [ $? = 1 ] || bad "$tool surplus: exit status"
    grep -q "^Usage: .* $tool\$" "$D/our.err" || bad "$tool surplus: $(<"$D/our.err")"
done
(umask 022; "$W" genkey >"$D/open" 2>"$D/warning")
cmp -s "$D/warning" <(cd "$D" && umask 022 && rm -f open2 && wg genkey 2>&1 >open2) || bad "the warning: $(<"$D/warning")"
(umask 077; "$W" genkey >"$D/closed" 2>"$D/warning")
[ ! -s "$D/warning" ] || bad "a warning about a closed file"
"$W" genkey >/dev/full 2>/dev/null && bad "a key that was not written is no success"
echo "$n inputs of pubkey compared"
exit $failed
