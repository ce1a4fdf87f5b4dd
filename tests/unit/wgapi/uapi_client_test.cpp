// SPDX-License-Identifier: MIT
// The client against scripted servers in a directory of their own.
#include "common/wgapi/uapi_client.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

using namespace wgd;

namespace {

class Directory {
  public:
    Directory() {
        char name[] = "/tmp/wgdt-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

Fd listen_at(const std::string& path) {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd.get(), 8) == 0);
    return fd;
}

// Accepts one connection, reads to the empty line, does what the script says.
class Server {
  public:
    Server(const std::string& path, std::function<void(int fd)> script)
        : listener_(listen_at(path))
        , thread_([this, script = std::move(script)] {
            Fd fd(::accept(listener_.get(), nullptr, nullptr));
            char byte = 0;
            while (!request_.ends_with("\n\n") && ::read(fd.get(), &byte, 1) == 1)
                request_.push_back(byte);
            script(fd.get());
        }) {}
    ~Server() { join(); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    const std::string& request() {
        join();
        return request_;
    }

  private:
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    Fd listener_;
    std::string request_;
    std::thread thread_;
};

void say(int fd, std::string_view text) {
    (void)!::write(fd, text.data(), text.size());
}

UapiClient client_of(const Directory& dir, std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    return UapiClient({dir.path(), timeout});
}

} // namespace

TEST_CASE("get") {
    Directory dir;
    Server server(dir.path() + "/wg0.sock", [](int fd) { say(fd, "listen_port=5\nerrno=0\n\n"); });
    const auto device = client_of(dir).get("wg0");
    REQUIRE(device);
    CHECK(device->name == "wg0");
    CHECK(device->listen_port == 5);
    CHECK(server.request() == "get=1\n\n");
}

TEST_CASE("set, a refusal, and a reply that comes byte by byte") {
    Directory dir;
    Server server(dir.path() + "/wg0.sock", [](int fd) {
        for (const char c : std::string("errno=-98\n\n"))
            say(fd, std::string(1, c));
    });
    DeviceDelta delta;
    delta.listen_port = 51820;
    const auto done = client_of(dir).set("wg0", delta);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ErrorCode::kBackend);
    CHECK(done.error().sys_errno == EADDRINUSE);
    CHECK(server.request() == "set=1\nlisten_port=51820\n\n");
}

TEST_CASE("a request larger than the socket's buffer, a reply of megabytes") {
    Directory dir;
    std::string reply = "public_key=" + std::string(64, 'a') + "\n";
    for (int i = 0; i < 100000; ++i)
        reply += "allowed_ip=10.0.0.0/8\n";
    reply += "errno=0\n\n";
    {
        Server server(dir.path() + "/get.sock", [&](int fd) { say(fd, reply); });
        const auto device = client_of(dir).get("get");
        REQUIRE(device);
        CHECK(device->peers.at(0).allowed_ips.size() == 100000);
    }
    Server server(dir.path() + "/set.sock", [](int fd) { say(fd, "errno=0\n\n"); });
    DeviceDelta delta;
    delta.peers.resize(20000);
    CHECK(client_of(dir).set("set", delta));
    CHECK(server.request().size() > 20000 * 64);
}

TEST_CASE("nobody there: no directory, no socket, a socket whose owner is gone") {
    Directory dir;
    CHECK(UapiClient({dir.path() + "/none", std::chrono::seconds(1)}).list()->empty());
    CHECK(client_of(dir).get("wg0").error().code == ErrorCode::kNotFound);
    CHECK(client_of(dir).get("wg0").error().sys_errno == ENODEV);
    { Fd gone = listen_at(dir.path() + "/wg0.sock"); }
    CHECK(client_of(dir).get("wg0").error().code == ErrorCode::kNotFound);
    CHECK_FALSE(client_of(dir).serves("wg0"));
    CHECK(client_of(dir).list()->empty());
}

TEST_CASE("list: the sockets somebody listens on, by name") {
    Directory dir;
    const auto b = listen_at(dir.path() + "/wgb.sock");
    const auto a = listen_at(dir.path() + "/wga.sock");
    const auto other = listen_at(dir.path() + "/wgc.other");
    { Fd gone = listen_at(dir.path() + "/gone.sock"); }
    CHECK(*client_of(dir).list() == std::vector<std::string>{"wga", "wgb"});
}

TEST_CASE("a server that closes early, or never answers") {
    Directory dir;
    {
        Server server(dir.path() + "/early.sock", [](int fd) { say(fd, "listen_port=1\n"); });
        CHECK(client_of(dir).get("early").error().code == ErrorCode::kProtocol);
    }
    const auto silent = listen_at(dir.path() + "/silent.sock");
    CHECK(client_of(dir, std::chrono::milliseconds(30)).get("silent").error().code == ErrorCode::kTimeout);
}

TEST_CASE("a long answer may take its time, but not for ever") {
    Directory dir;
    const auto limit = std::chrono::milliseconds(100);
    const auto pause = [&] { std::this_thread::sleep_for(limit / 2); };
    {
        Server server(dir.path() + "/slow.sock", [&](int fd) {
            for (const char* line : {"listen_", "port=1\n", "fwmark=2\n", "errno=0\n", "\n"}) {
                pause();
                say(fd, line);
            }
        });
        CHECK(client_of(dir, limit).get("slow")->listen_port == 1);
    }
    Server server(dir.path() + "/endless.sock", [&](int fd) {
        // Until the client hangs up.
        while (::send(fd, "x", 1, MSG_NOSIGNAL) == 1)
            pause();
    });
    CHECK(client_of(dir, limit).get("endless").error().code == ErrorCode::kTimeout);
}

TEST_CASE("names that would leave the directory or not fit") {
    Directory dir;
    for (const auto* name : {"", ".", "..", "../x", "a/b", "sixteen-letters-"})
        CHECK(client_of(dir).get(name).error().code == ErrorCode::kInvalidName);
    CHECK(UapiClient({std::string(200, 'd'), std::chrono::seconds(1)}).get("wg0").error().code ==
          ErrorCode::kInvalidName);
}

TEST_CASE("an exchange for an event loop never blocks") {
    Directory dir;
    const auto listener = listen_at(dir.path() + "/wg0.sock");
    auto exchange = UapiExchange::start(dir.path() + "/wg0.sock", "get=1\n\n");
    REQUIRE(exchange);
    CHECK(exchange->events() == POLLOUT);
    auto step = exchange->advance(); // nobody accepted yet
    REQUIRE(step);
    CHECK_FALSE(*step);
    CHECK(exchange->events() == POLLIN);
    const Fd accepted(::accept(listener.get(), nullptr, nullptr));
    say(accepted.get(), "errno=0\n");
    CHECK_FALSE(*exchange->advance());
    say(accepted.get(), "\n");
    const auto reply = exchange->advance();
    REQUIRE(reply);
    REQUIRE(*reply);
    CHECK(**reply == "errno=0\n\n");
}
