# SPDX-License-Identifier: MIT
# lib.sh: sourced by the test scripts inside the guest.
set -u
here=/root
fail() { echo "FAIL: $*"; exit 1; }
step() { echo "-- $*"; }
