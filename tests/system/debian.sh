# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Programs of Debian packages that cannot be installed where the tests run: they conflict with each other, or would
# take over the machine's own name resolution or network. The package is unpacked, never installed, and laid over
# /usr of a scene's machine. Needs scene.sh.

# The package's files in a directory, its name in $UNPACKED: fetched once per build tree, by apt's ordinary client. To
# be called before enter_scene, which cuts the script off the network.
unpack_debian() { # PACKAGE
    local cache=$WGD_BUILD/debs deb
    UNPACKED=$cache/$1
    [ ! -e "$UNPACKED/complete" ] || return 0
    need_tools dpkg-deb apt-get
    mkdir -p "$cache"
    deb=$(find "$cache" -maxdepth 1 -name "$1_*.deb" | sed -n 1p)
    if [ -z "$deb" ]; then
        (cd "$cache" && apt-get download "$1" >"$1.log" 2>&1) ||
            skip "needs Debian's package $1 to unpack, and apt-get download $1 fails: $(tail -n 1 "$cache/$1.log")"
        deb=$(find "$cache" -maxdepth 1 -name "$1_*.deb" | sed -n 1p)
    fi
    rm -rf "$UNPACKED"
    mkdir -p "$UNPACKED/usr"
    dpkg-deb -x "$deb" "$UNPACKED" || skip "cannot unpack $deb"
    # As on a machine with merged /usr (Debian 12).
    local part
    for part in bin sbin lib; do
        [ ! -d "$UNPACKED/$part" ] || { cp -a "$UNPACKED/$part" "$UNPACKED/usr/" && rm -rf "${UNPACKED:?}/$part"; }
    done
    touch "$UNPACKED/complete"
}

# Lays unpacked packages over /usr of a machine, for what is started there from now on, until take_off.
lay_over() { # MACHINE PACKAGE...
    local machine=$1 lower=/usr package
    shift
    for package in "$@"; do lower=$WGD_BUILD/debs/$package/usr:$lower; done
    on "$machine" mount -t overlay overlay -o "lowerdir=$lower" /usr || abort "cannot lay $* over /usr"
}
take_off() { # MACHINE
    on "$1" umount -l /usr
}
