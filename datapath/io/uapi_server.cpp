// SPDX-License-Identifier: MIT
#include "datapath/io/uapi_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/wgapi/uapi_codec.hpp"

namespace wgd::io {

namespace {

// Sockets are made before any other thread runs, so the process-wide umask may change for a moment.
class Umask {
  public:
    explicit Umask(mode_t mask)
        : old_(::umask(mask)) {}
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;
    ~Umask() { ::umask(old_); }

  private:
    mode_t old_;
};

bool answers(const sockaddr_un& address) {
    const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return probe &&
           (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
            errno == EAGAIN); // a full backlog is somebody, too
}

} // namespace

Result<UapiSocket> UapiSocket::create(const std::string& directory, const std::string& name) {
    UapiSocket socket;
    socket.file_ = name + ".sock";
    socket.path_ = directory + "/" + socket.file_;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.path_.size() >= sizeof address.sun_path)
        return fail(ErrorCode::kInvalidName, "'" + socket.path_ + "' is too long for a socket");
    std::memcpy(address.sun_path, socket.path_.c_str(), socket.path_.size() + 1);

    {
        const Umask open_to_read(022);
        if (::mkdir(directory.c_str(), 0755) < 0 && errno != EEXIST)
            return fail_errno(ErrorCode::kIo, errno, "cannot make the directory " + directory);
    }
    socket.listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.listener_) return fail_errno(ErrorCode::kIo, errno, "cannot open a socket");
    const Umask ours_alone(077);
    const auto* const sockaddr_in = reinterpret_cast<const sockaddr*>(&address);
    int status = ::bind(socket.listener_.get(), sockaddr_in, sizeof address);
    if (status < 0 && errno == EADDRINUSE) {
        if (answers(address))
            return fail_errno(ErrorCode::kConflict, EADDRINUSE, "another process serves " + socket.path_);
        if (::unlink(socket.path_.c_str()) == 0 || errno == ENOENT)
            status = ::bind(socket.listener_.get(), sockaddr_in, sizeof address);
    }
    if (status < 0) return fail_errno(ErrorCode::kIo, errno, "cannot make the socket " + socket.path_);
    struct stat made {};
    if (::lstat(socket.path_.c_str(), &made) == 0) {
        socket.device_ = made.st_dev;
        socket.inode_ = made.st_ino;
        socket.made_ = made.st_mtim;
    }
    socket.watch_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (::listen(socket.listener_.get(), 16) < 0 || !socket.watch_ ||
        ::inotify_add_watch(socket.watch_.get(), directory.c_str(),
                            IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
        const int err = errno;
        socket.unlink();
        return fail_errno(ErrorCode::kIo, err, "cannot listen on " + socket.path_);
    }
    return socket;
}

Result<UapiSocket> UapiSocket::adopt(Fd fd) {
    int listening = 0;
    socklen_t length = sizeof listening;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || listening == 0)
        return fail(ErrorCode::kInvalidArgument, "the descriptor in WG_UAPI_FD is no listening socket");
    const int status = ::fcntl(fd.get(), F_GETFL);
    if (status < 0 || ::fcntl(fd.get(), F_SETFL, status | O_NONBLOCK) < 0 ||
        ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot set up the descriptor in WG_UAPI_FD");
    UapiSocket socket;
    socket.listener_ = std::move(fd);
    return socket;
}

bool UapiSocket::removed() {
    bool gone = false;
    alignas(inotify_event) std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t got = ::read(watch_.get(), buffer.data(), buffer.size());
        if (got <= 0) return gone;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            gone = gone || (event->mask & IN_DELETE_SELF) != 0 || (event->len > 0 && file_ == event->name);
            at += sizeof *event + event->len;
        }
    }
}

void UapiSocket::unlink() {
    struct stat now {};
    if (!path_.empty() && ::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ &&
        now.st_ino == inode_ && now.st_mtim.tv_sec == made_.tv_sec && now.st_mtim.tv_nsec == made_.tv_nsec)
        ::unlink(path_.c_str());
    path_.clear();
}

void UapiSocket::close_descriptors() {
    listener_.reset();
    watch_.reset();
}

Result<UapiServer> UapiServer::make(int listener, Handler handler) {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    // A stream: on a datagram socket the caged process could send to abstract names.
    Fd scope_socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!epoll || !scope_socket) return fail_errno(ErrorCode::kIo, errno, "cannot make an epoll descriptor");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr; // the listener
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener, &event) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot watch the configuration socket");
    return UapiServer(std::move(epoll), listener, std::move(handler), std::move(scope_socket));
}

UapiServer::UapiServer(Fd epoll, int listener, Handler handler, Fd scope_socket)
    : epoll_(std::move(epoll))
    , listener_(listener)
    , handler_(std::move(handler))
    , scope_socket_(std::move(scope_socket)) {}

void UapiServer::dispatch() {
    std::array<epoll_event, kMaxConnections + 1> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    bool someone_new = false;
    for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (connection == nullptr) {
            someone_new = true;
            continue;
        }
        const auto it = std::find_if(connections_.begin(), connections_.end(),
                                     [&](const Connection& c) { return &c == connection; });
        if (progress(*connection))
            connections_.splice(connections_.end(), connections_, it);
        else
            connections_.erase(it);
    }
    if (someone_new) // last: it may close connections that this round has events for
        accept_all();
}

void UapiServer::accept_all() {
    for (;;) {
        Fd fd(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno == EMFILE && !connections_.empty()) { // make room, rather than spin on a ready listener
                connections_.pop_front();
                continue;
            }
            return;
        }
        if (connections_.size() == kMaxConnections) connections_.pop_front();
        Connection& connection = connections_.emplace_back();
        connection.fd = std::move(fd);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &connection;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event) < 0)
            connections_.pop_back();
    }
}

// One request at a time, and the next only when the reply is out: a client that does not read its replies
// fills nothing but its own socket buffer.
bool UapiServer::progress(Connection& connection) {
    if (!connection.output.empty() && !write_some(connection)) return false;
    if (!connection.ended && !read_some(connection)) return false;
    while (connection.output.empty()) {
        const auto end = uapi::message_end(connection.input, connection.scanned);
        if (!end) break;
        answer(connection, std::string_view(connection.input).substr(0, *end));
        connection.input.erase(0, *end);
        connection.scanned = 0;
        if (connection.input.empty()) SecretText().swap(connection.input);
        if (!write_some(connection)) return false;
    }
    if (connection.ended && connection.output.empty()) return false;

    const bool writing = !connection.output.empty();
    if (writing != connection.writing) {
        connection.writing = writing;
        epoll_event event{};
        event.events = writing ? EPOLLOUT : EPOLLIN;
        event.data.ptr = &connection;
        return ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event) == 0;
    }
    return true;
}

bool UapiServer::read_some(Connection& connection) {
    std::size_t size = 16 << 10;
    for (int rounds = 0; rounds < 64 && connection.output.empty(); ++rounds) {
        if (connection.input.size() >= uapi::kMaxMessage) return false;
        const std::size_t had = connection.input.size();
        connection.input.resize(had + size);
        const ssize_t got = ::recv(connection.fd.get(), connection.input.data() + had, size, 0);
        const int error = errno;
        connection.input.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got > 0) {
            size = std::min<std::size_t>(size * 2, 1 << 20);
            continue;
        }
        if (got == 0) {
            connection.ended = true;
            return true;
        }
        return error == EAGAIN || error == EINTR;
    }
    return true;
}

bool UapiServer::write_some(Connection& connection) {
    while (connection.sent < connection.output.size()) {
        const ssize_t put = ::send(connection.fd.get(), connection.output.data() + connection.sent,
                                   connection.output.size() - connection.sent, MSG_NOSIGNAL);
        if (put < 0) return errno == EAGAIN || errno == EINTR;
        connection.sent += static_cast<std::size_t>(put);
    }
    SecretText().swap(connection.output);
    connection.sent = 0;
    return true;
}

void UapiServer::answer(Connection& connection, std::string_view text) {
    Result<uapi::Request> request =
        uapi::parse_request(text, [this](std::string_view name) { return interface_index(name); });
    int code = 0;
    if (!request)
        code = request.error().sys_errno != 0 ? request.error().sys_errno : EINVAL;
    else if (auto* set = std::get_if<uapi::SetRequest>(&*request))
        code = handler_.set(std::move(set->delta));
    else {
        connection.output = uapi::encode_get_reply(handler_.get());
        return;
    }
    connection.output = uapi::encode_errno_reply(-code);
}

std::uint32_t UapiServer::interface_index(std::string_view name) const {
    ifreq request{};
    if (name.size() >= sizeof request.ifr_name) return 0;
    std::memcpy(request.ifr_name, name.data(), name.size());
    if (::ioctl(scope_socket_.get(), SIOCGIFINDEX, &request) < 0) return 0;
    return static_cast<std::uint32_t>(request.ifr_ifindex);
}

} // namespace wgd::io
