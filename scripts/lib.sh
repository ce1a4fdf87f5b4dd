# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by scripts/*: how they talk, and how they install what they need. Sourced, never run.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${WGD_BUILD:-$ROOT/build/release}

# Colours only for a person: a terminal, and no NO_COLOR (no-color.org).
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    BOLD=$'\e[1m' RED=$'\e[31m' YELLOW=$'\e[33m' PLAIN=$'\e[0m'
else
    BOLD='' RED='' YELLOW='' PLAIN=''
fi

step() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf '%swarning:%s %s\n' "$YELLOW" "$PLAIN" "$*" >&2; }
die() {
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
    exit 1
}

need_root() { # WHY
    [ "$(id -u)" = 0 ] || die "$1 needs root: run it as 'sudo ${SCRIPT_NAME:-scripts/$(basename "$0")}'."
}

# Prints the package names in the given sections of packages.txt, one a line.
packages_of() { # SECTION...
    local wanted=" $* "
    awk -v wanted="$wanted" '
        /^\[/ { gsub(/[][]/, ""); on = index(wanted, " " $1 " ") > 0; next }
        { sub(/#.*/, "") }
        on && NF { print $1 }' "$ROOT/scripts/packages.txt"
}

# Installs what is missing of the given sections. Nothing missing: touches nothing, needs neither root nor network.
install_packages() { # SECTION...
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        warn "this is not a Debian system: install by hand what scripts/packages.txt lists ($(packages_of "$@" | wc -l) packages)."
        return 0
    fi
    for package in $(packages_of "$@"); do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        step "Debian packages: all $(packages_of "$@" | wc -l) present"
        return 0
    fi
    step "Debian packages: installing ${#missing[@]}: ${missing[*]}"
    command -v apt-get >/dev/null || die "apt-get is missing; install by hand: ${missing[*]}"
    need_root "Installing packages"
    # The lists are fetched only when apt does not know a package yet, or holds only addresses that are gone.
    if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
        update_package_lists
        apt_install "${missing[@]}"
    elif ! apt_install "${missing[@]}"; then
        note "that failed; once more with fresh package lists"
        update_package_lists
        apt_install "${missing[@]}" || die "apt-get could not install: ${missing[*]}. Its messages are above."
    fi
}

update_package_lists() {
    apt-get update -q || die "apt-get update failed: is there a network, and are the addresses in /etc/apt right?"
}

apt_install() { # PACKAGE...
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# Configures and builds build/release: the programs, and with --tests the tests as well.
build_release() { # TESTS (--tests or nothing)
    local options=(-DWGD_PRECOMPILE=ON) started=$SECONDS
    { command -v cmake && command -v ninja; } >/dev/null ||
        die "cmake or ninja is missing: install the packages that scripts/packages.txt lists."
    if [ "$1" = --tests ]; then
        options+=(-DWGD_TESTS=ON)
    elif [ ! -e "$BUILD/CMakeCache.txt" ]; then
        options+=(-DWGD_TESTS=OFF)
    fi
    step "Configuring build/release"
    (cd "$ROOT" && cmake --preset release --log-level=WARNING "${options[@]}") ||
        die "cmake could not configure the build; the reason is above."
    step "Building build/release on $(nproc) cores"
    # ninja rewrites one line on a terminal; in a log its few hundred lines are the progress.
    (cd "$ROOT" && cmake --build --preset release -j "$(nproc)") || die "the build failed; the compiler's message is above."
    note "built in $((SECONDS - started)) s"
}
