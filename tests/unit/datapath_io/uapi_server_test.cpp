// SPDX-License-Identifier: MIT
// A server and its clients in one thread: after every step of a client the server is dispatched.
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "datapath/io/uapi_server.hpp"

using namespace wgd;
using namespace wgd::io;

namespace {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        char name[] = "/tmp/wgd-uapi-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~TemporaryDirectory() {
        ::unlink((path_ + "/run/wg0.sock").c_str());
        ::rmdir((path_ + "/run").c_str());
        ::rmdir(path_.c_str());
    }
    std::string run() const { return path_ + "/run"; }

  private:
    std::string path_;
};

struct World {
    TemporaryDirectory directory;
    std::optional<UapiSocket> socket;
    std::optional<UapiServer> server;
    std::vector<DeviceDelta> sets;
    int refuse_with = 0;
    std::size_t peers = 0;

    World() {
        auto made = UapiSocket::create(directory.run(), "wg0");
        REQUIRE(made);
        socket.emplace(std::move(*made));
        auto serving = UapiServer::make(socket->fd(), {[this] {
                                                           WgDevice device;
                                                           device.listen_port = 51820;
                                                           device.peers.resize(peers);
                                                           return device;
                                                       },
                                                       [this](DeviceDelta delta) {
                                                           if (refuse_with == 0)
                                                               sets.push_back(std::move(delta));
                                                           return refuse_with;
                                                       }});
        REQUIRE(serving);
        server.emplace(std::move(*serving));
    }

    Fd client() {
        Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = directory.run() + "/wg0.sock";
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        dispatch();
        return fd;
    }
    void dispatch() {
        for (int i = 0; i < 100; ++i) {
            pollfd ready{server->fd(), POLLIN, 0};
            if (::poll(&ready, 1, 0) == 0) return;
            server->dispatch();
        }
    }
    void send(const Fd& client, std::string_view text) {
        REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
        dispatch();
    }
    // What is there; "<closed>" at the end of the connection.
    static std::string receive(const Fd& client) {
        std::string all;
        for (;;) {
            char buffer[65536];
            const ssize_t got = ::recv(client.get(), buffer, sizeof buffer, 0);
            if (got < 0) return all;
            if (got == 0) return all + "<closed>";
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }
};

} // namespace

TEST_CASE("the socket has its place and its modes, whatever the umask") {
    const mode_t old = ::umask(0);
    World world;
    ::umask(old);
    struct stat info {};
    REQUIRE(::stat(world.directory.run().c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0755);
    REQUIRE(::lstat((world.directory.run() + "/wg0.sock").c_str(), &info) == 0);
    CHECK(S_ISSOCK(info.st_mode));
    CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("several requests on one connection, byte by byte") {
    World world;
    const Fd client = world.client();
    for (char c : std::string("get=1\n\nset=1\nlisten_port=7\n\n"))
        world.send(client, std::string(1, c));
    const std::string reply = World::receive(client);
    CHECK(reply.find("listen_port=51820\n") != std::string::npos);
    const std::string ends = "errno=0\n\nerrno=0\n\n";
    REQUIRE(reply.size() > ends.size());
    CHECK(reply.substr(reply.size() - ends.size()) == ends);
    REQUIRE(world.sets.size() == 1);
    CHECK(world.sets[0].listen_port == 7);
}

TEST_CASE("pipelined requests are answered in order") {
    World world;
    const Fd client = world.client();
    world.send(client, "set=1\nlisten_port=1\n\nset=1\nlisten_port=2\n\nset=1\nfoo=1\n\n");
    CHECK(World::receive(client) == "errno=0\n\nerrno=0\n\nerrno=-22\n\n");
    CHECK(world.sets.size() == 2);
}

TEST_CASE("refusals are negative errnos and nothing is applied") {
    World world;
    const Fd client = world.client();
    world.refuse_with = EADDRINUSE;
    world.send(client, "set=1\nlisten_port=1\n\n");
    CHECK(World::receive(client) == "errno=-98\n\n");
    world.refuse_with = 0;
    world.send(client, "set=1\nlisten_port=1\nprivate_key=zz\n\n");
    CHECK(World::receive(client) == "errno=-22\n\n");
    world.send(client, "hello\n\n");
    CHECK(World::receive(client).rfind("errno=-", 0) == 0);
    CHECK(world.sets.empty());
}

TEST_CASE("a client that stops sending gets its replies, then the end") {
    World world;
    const Fd client = world.client();
    world.send(client, "set=1\n\n");
    ::shutdown(client.get(), SHUT_WR);
    world.dispatch();
    CHECK(World::receive(client) == "errno=0\n\n<closed>");
}

TEST_CASE("half a request is no request") {
    World world;
    const Fd client = world.client();
    world.send(client, "set=1\nlisten_port=9\n");
    ::shutdown(client.get(), SHUT_WR);
    world.dispatch();
    CHECK(World::receive(client) == "<closed>");
    CHECK(world.sets.empty());
}

TEST_CASE("a reply larger than the socket's buffer is finished when there is room") {
    World world;
    world.peers = 20000;
    const Fd client = world.client();
    const Fd other = world.client();
    world.send(client, "get=1\n\nset=1\n\n");
    world.send(other, "set=1\n\n");
    CHECK(World::receive(other) == "errno=0\n\n"); // nobody waits for the slow one
    std::string reply;
    const std::string ends = "errno=0\n\nerrno=0\n\n";
    const auto complete = [&] {
        return reply.size() >= ends.size() && reply.substr(reply.size() - ends.size()) == ends;
    };
    for (int i = 0; i < 1000 && !complete(); ++i) {
        reply += World::receive(client);
        world.dispatch();
    }
    CHECK(complete());
    CHECK(reply.size() > 20000 * 100);
    CHECK(world.sets.size() == 2);
}

TEST_CASE("the connection that was silent longest makes room") {
    World world;
    std::vector<Fd> clients;
    for (int i = 0; i < 16; ++i)
        clients.push_back(world.client());
    world.send(clients[0], "set=1\n\n"); // not the oldest any more
    const Fd extra = world.client();
    world.send(extra, "set=1\n\n");
    CHECK(World::receive(extra) == "errno=0\n\n");
    CHECK(World::receive(clients[1]) == "<closed>");
    CHECK(World::receive(clients[0]) == "errno=0\n\n");
}

TEST_CASE("a stale socket is replaced, a live one respected") {
    World world;
    const auto second = UapiSocket::create(world.directory.run(), "wg0");
    REQUIRE_FALSE(second);
    CHECK(second.error().sys_errno == EADDRINUSE);
    world.server.reset();
    world.socket.reset(); // gone without unlinking, as after kill -9
    auto third = UapiSocket::create(world.directory.run(), "wg0");
    REQUIRE(third);
    third->unlink();
    struct stat info {};
    CHECK(::lstat((world.directory.run() + "/wg0.sock").c_str(), &info) < 0);
}

TEST_CASE("removing the file is noticed, and only our file is removed") {
    World world;
    const std::string path = world.directory.run() + "/wg0.sock";
    CHECK_FALSE(world.socket->removed());
    // Another interface's socket is none of our business.
    auto neighbour = UapiSocket::create(world.directory.run(), "wg1");
    REQUIRE(neighbour);
    neighbour->unlink();
    CHECK_FALSE(world.socket->removed());
    REQUIRE(::unlink(path.c_str()) == 0);
    CHECK(world.socket->removed());
    // Somebody else took the name since: it stays.
    auto successor = UapiSocket::create(world.directory.run(), "wg0");
    REQUIRE(successor);
    world.socket->unlink();
    struct stat info {};
    CHECK(::lstat(path.c_str(), &info) == 0);
}

TEST_CASE("an adopted descriptor must listen") {
    CHECK_FALSE(UapiSocket::adopt(Fd(::socket(AF_UNIX, SOCK_STREAM, 0))));
    World world;
    auto adopted = UapiSocket::adopt(Fd(::dup(world.socket->fd())));
    REQUIRE(adopted);
    CHECK(adopted->watch_fd() == -1);
}
