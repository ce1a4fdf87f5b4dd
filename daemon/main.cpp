// SPDX-License-Identifier: MIT
// wgd: the control plane. One thread, one event loop; see daemon/wiring.cpp for what is connected to what.
#include "daemon/wiring.hpp"

int main(int argc, char** argv) {
    return wgd::daemon_main(argc, argv);
}
