// SPDX-License-Identifier: MIT
// datapath_descriptors plain|vnet INTERFACE SOCKET COMMAND...: runs COMMAND with WG_TUN_FD (a new TUN
// interface, with or without virtio-net headers) and WG_UAPI_FD (a listening socket). What a service manager
// would do, for life.sh.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    const int tun = ::open("/dev/net/tun", O_RDWR);
    ifreq request{};
    std::strncpy(request.ifr_name, argv[2], IFNAMSIZ - 1);
    request.ifr_flags =
        static_cast<short>(IFF_TUN | IFF_NO_PI | (std::strcmp(argv[1], "vnet") == 0 ? IFF_VNET_HDR : 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, argv[3], sizeof address.sun_path - 1);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (tun < 0 || ::ioctl(tun, TUNSETIFF, &request) < 0 || listener < 0 ||
        ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(listener, 8) < 0) {
        std::perror("datapath_descriptors");
        return 1;
    }
    ::setenv("WG_TUN_FD", std::to_string(tun).c_str(), 1);
    ::setenv("WG_UAPI_FD", std::to_string(listener).c_str(), 1);
    ::execvp(argv[4], argv + 4);
    std::perror(argv[4]);
    return 1;
}
