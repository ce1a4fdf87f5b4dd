// SPDX-License-Identifier: MIT
// stubborn_datapath --foreground NAME: serves /var/run/wireguard/NAME.sock, says so on standard error, and
// ignores SIGTERM. For the tests of stopping a datapath that does not want to stop.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    std::signal(SIGTERM, SIG_IGN);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "/var/run/wireguard/%s.sock", argv[2]);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 3;
    ::usleep(20000); // a socket that does not accept yet: the connection is refused
    if (::listen(fd, 8) != 0) return 4;
    std::fprintf(stderr, "I stay\n");
    for (;;)
        ::pause();
}
