// SPDX-License-Identifier: MIT
// start_time: how long a WireGuard program takes from exec(2) until its configuration socket takes
// connections, and until it has answered a request.
//   start_time FILE SOCKET PROGRAM [ARGUMENT...]
// becomes PROGRAM (so that its process id and its network namespace are the caller's); a child watches SOCKET
// and writes both, in microseconds, to FILE.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

int connect_to(const char* path) { // -1: not there yet
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    ::close(fd);
    return -1;
}

bool answers(int fd) {
    pollfd poll{fd, POLLIN, 0};
    char byte = 0;
    return ::write(fd, "get=1\n\n", 7) == 7 && ::poll(&poll, 1, 10000) == 1 && ::read(fd, &byte, 1) == 1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: start_time FILE SOCKET PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    int ready[2];
    if (::pipe(ready) < 0) return 1;
    if (::fork() == 0) {
        ::close(ready[0]);
        const auto begin = Clock::now();
        ::close(ready[1]); // the other side's read returns: this process runs
        int fd = -1;
        while ((fd = connect_to(argv[2])) < 0) {
            if (Clock::now() - begin > std::chrono::seconds(20)) return 1;
            ::usleep(100);
        }
        const auto connected = Clock::now() - begin;
        if (!answers(fd)) return 1;
        const auto answered = Clock::now() - begin;
        FILE* const file = std::fopen(argv[1], "w");
        if (file == nullptr) return 1;
        const auto microseconds = [](Clock::duration time) {
            return static_cast<long long>(
                std::chrono::duration_cast<std::chrono::microseconds>(time).count());
        };
        std::fprintf(file, "%lld %lld\n", microseconds(connected), microseconds(answered));
        std::fclose(file);
        return 0;
    }
    ::close(ready[1]);
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    ::close(ready[0]);
    ::execvp(argv[3], argv + 3);
    std::perror(argv[3]);
    return 1;
}
