// SPDX-License-Identifier: MIT
// UapiServer: the configuration socket /var/run/wireguard/IF.sock (wireguard.com/xplatform), served without
// blocking to several clients at once, any number of requests per connection. Control thread only.
//
// It has an epoll descriptor of its own: the caller watches fd() and calls dispatch() when that is readable.
#pragma once

#include <ctime>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/model/device.hpp"

namespace wgd::io {

// The listening socket in the file system.
class UapiSocket {
  public:
    // DIRECTORY/NAME.sock. Makes the directory (0755) if it is missing, the socket under umask 077, and
    // clears away the socket of a process that is gone. kConflict (EADDRINUSE) if somebody answers on it.
    static Result<UapiSocket> create(const std::string& directory, const std::string& name);
    // A listening descriptor made by somebody else ($WG_UAPI_FD); the file, if it has one, is theirs to
    // remove.
    static Result<UapiSocket> adopt(Fd fd);

    UapiSocket(UapiSocket&&) noexcept = default;
    UapiSocket& operator=(UapiSocket&&) noexcept = default;
    UapiSocket(const UapiSocket&) = delete;
    UapiSocket& operator=(const UapiSocket&) = delete;
    ~UapiSocket() = default;

    [[nodiscard]] int fd() const { return listener_.get(); }
    // Watches the file (inotify); readable when removed() should be asked. -1 if adopted.
    [[nodiscard]] int watch_fd() const { return watch_ ? watch_.get() : -1; }
    // Reads the pending events: whether somebody removed or renamed our socket file.
    [[nodiscard]] bool removed();
    // Removes the file if it is still the one we made.
    void unlink();
    // For a process that only keeps the file: closes everything else.
    void close_descriptors();

  private:
    UapiSocket() = default;
    Fd listener_;
    Fd watch_;
    std::string path_; // empty: adopted
    std::string file_; // name within the directory
    // Which file is ours: an inode number alone is soon used again.
    dev_t device_ = 0;
    ino_t inode_ = 0;
    timespec made_{};
};

class UapiServer {
  public:
    struct Handler {
        std::function<WgDevice()> get;
        std::function<int(DeviceDelta)> set; // 0, or the errno that made it refuse; nothing is applied then
    };
    static Result<UapiServer> make(int listener, Handler handler);

    [[nodiscard]] int fd() const { return epoll_.get(); }
    void dispatch();

  private:
    static constexpr std::size_t kMaxConnections = 16; // the one that has been silent longest makes room

    struct Connection {
        Fd fd;
        SecretText input;
        std::size_t scanned = 0;
        SecretText output;
        std::size_t sent = 0;
        bool ended = false;   // the client will send no more
        bool writing = false; // watched for EPOLLOUT instead of EPOLLIN
    };
    using Connections = std::list<Connection>;

    UapiServer(Fd epoll, int listener, Handler handler, Fd scope_socket);
    void accept_all();
    bool progress(Connection& connection); // false: done with it
    bool read_some(Connection& connection);
    bool write_some(Connection& connection);
    void answer(Connection& connection, std::string_view request);
    [[nodiscard]] std::uint32_t interface_index(std::string_view name) const; // 0: none

    Fd epoll_;
    int listener_;
    Handler handler_;
    Fd scope_socket_; // for "fe80::1%eth0": wg(8) names the interface; open from the start, since the cage
                      // allows no new one
    Connections connections_; // the most recently active last
};

} // namespace wgd::io
