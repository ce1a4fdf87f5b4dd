# SPDX-License-Identifier: MIT
# wgd on the kernel path, once with our module and once with the kernel's own, in one boot. Ours is there as
# scripts/install-kmod put it there through DKMS, and loads by itself when it is first asked for. Then the scene
# tests/system/kernel_path.sh, and what the bus says of the two.
# vm: -i 2 -t 850 -m 1536
# programs: wgd
# dkms: yes
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
# What a first use would load: conntrack brings sysctls of its own, and a scene compares all of them before and after.
for module in tun veth nf_tables nft_ct nf_conntrack nft_fib_inet; do modprobe $module || fail "no $module"; done
modules=/lib/modules/$(uname -r)
ours=$(modinfo -F version /root/wireguard.ko)
loaded() { cat /sys/module/wireguard/version 2>/dev/null || echo none; }

step "installed through DKMS: $ours"
[ "$(modinfo -n wireguard)" = "$modules/updates/dkms/wireguard.ko" ] || fail "modprobe takes $(modinfo -n wireguard)"
for name in rtnl-link-wireguard net-pf-16-proto-16-family-wireguard; do
	grep -q "^alias $name wireguard$" "$modules/modules.alias" || fail "no alias $name"
done
[ "$(loaded)" = none ] || fail "a module is loaded already"
ip link add wg0 type wireguard || fail "ip link add"
[ "$(loaded)" = "$ours" ] || fail "the first link of the kind loaded: $(loaded)"
ip link del wg0; rmmod wireguard || fail rmmod
! wg set wg0 private-key /dev/null 2>/dev/null # asks for the family: no device, but a module
[ "$(loaded)" = "$ours" ] || fail "the first request to the family loaded: $(loaded)"
echo 'module wireguard +p' > /sys/kernel/debug/dynamic_debug/control

step "wgd with our module"
scene kernel_path WGD_EXPECT_MODULE="wgd kmod ${ours%-wgd}" WGD_KEEP_VIEW=/tmp/view-ours || fail "kernel_path with ours"
until_true 20 rmmod wireguard || fail rmmod
expect_no_leaks

step "wgd with the kernel's own"
short=; [ -n "${WGD_LONG:-}" ] || short=WGD_SHORT=1
load_needs; insmod "$modules/kernel/drivers/net/wireguard/wireguard.ko" || fail "no in-tree module"
scene kernel_path WGD_EXPECT_MODULE=in-tree WGD_KEEP_VIEW=/tmp/view-intree ${short:+"$short"} || fail "kernel_path with the kernel's own"
until_true 20 rmmod wireguard || fail rmmod

step "the bus says the same of both, but for the reason, keys and random numbers"
for view in ours intree; do grep -vE '"(BackendReason|Ifindex|ListenPort|PublicKey)":' /tmp/view-$view > /tmp/compared-$view; done
diff -u /tmp/compared-ours /tmp/compared-intree || fail "the two modules are told apart"
