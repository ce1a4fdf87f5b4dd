# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# rig.sh: sourced by every script of tests/vm: where things are, how to say what is missing.
#
# The cache (kernels, unpacked headers, guest file systems, built modules) lives outside the tree:
# $WGD_VM_CACHE, by default ${XDG_CACHE_HOME:-$HOME/.cache}/wgd-vm. Deleting it costs one download.

vm_dir=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top_dir=$(readlink -f "$vm_dir/../..")
cache=${WGD_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wgd-vm}
export vm_dir top_dir cache
mkdir -p "$cache"

say() { echo "vm: $*" >&2; }
die() { say "$*"; exit 126; }
# The requirement is missing on this machine: not a failure of what is tested (ctest: SKIP_RETURN_CODE 77).
skip() { say "skipped: $*"; exit 77; }

need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# locked NAME COMMAND...: run under a lock of the cache, so that parallel tests prepare things once.
locked() {
	local name=$1; shift
	( flock 9; "$@" ) 9>"$cache/.lock-$name"
}
