// SPDX-License-Identifier: MIT
// SystemResolver against name servers on the loopback that say what the test tells them to.
#include "daemon/sys/resolver.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "daemon/sys/dns_lookup.hpp"

using namespace wgd;
using namespace wgd::sys;
using namespace std::chrono_literals;

namespace {

struct Record {
    std::string address;
    std::uint32_t ttl = 300;
};

// A DNS server (RFC 1035) for one question a datagram: addresses it knows, NXDOMAIN for other names, and for
// names that are held, nothing.
class NameServer {
  public:
    NameServer(loop::EventLoop& loop, const std::string& address, std::uint16_t port = 0)
        : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        ::inet_pton(AF_INET, address.c_str(), &at.sin_addr);
        REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
        socklen_t length = sizeof at;
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &length);
        endpoint = *Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&at), length);
        source_ = std::move(loop.add_fd(fd_.get(), EPOLLIN, [this](std::uint32_t) { answer(); })).value();
    }

    Endpoint endpoint;
    std::map<std::string, std::vector<Record>> names;
    bool silent = false;
    int asked = 0;

  private:
    static void put16(std::string& to, std::size_t value) {
        to += static_cast<char>(value >> 8);
        to += static_cast<char>(value & 0xff);
    }
    void answer() {
        char buffer[512];
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t n =
            ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (n < 17) return;
        ++asked;
        if (silent) return;
        const std::string query(buffer, static_cast<std::size_t>(n));
        std::string host;
        std::size_t at = 12;
        while (query[at] != 0) {
            const auto label = static_cast<std::size_t>(query[at]);
            host += (host.empty() ? "" : ".") + query.substr(at + 1, label);
            at += label + 1;
        }
        const std::string question = query.substr(12, at + 5 - 12);
        const bool v6 = query[at + 2] == 28; // AAAA
        std::string records;
        std::size_t count = 0;
        const auto known = names.find(host);
        if (known != names.end())
            for (const Record& record : known->second) {
                const auto address = *IpAddress::parse(record.address);
                if (address.is_v4() == v6) continue;
                ++count;
                put16(records, 0xc00c); // the name in the question
                put16(records, v6 ? 28 : 1);
                put16(records, 1);
                put16(records, record.ttl >> 16);
                put16(records, record.ttl & 0xffff);
                std::array<std::uint8_t, 16> bytes{};
                ::inet_pton(v6 ? AF_INET6 : AF_INET, record.address.c_str(), bytes.data());
                put16(records, v6 ? 16 : 4);
                records.append(reinterpret_cast<const char*>(bytes.data()), v6 ? 16 : 4);
            }
        std::string reply = query.substr(0, 2);
        put16(reply, known == names.end() ? 0x8183 : 0x8180); // an answer; recursion; NXDOMAIN or not
        put16(reply, 1);
        put16(reply, count);
        put16(reply, 0);
        put16(reply, 0);
        reply += question + records;
        ::sendto(fd_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }

    Fd fd_;
    loop::SourcePtr source_;
};

EndpointSpec spec(const std::string& host, std::uint16_t port) {
    EndpointSpec endpoint;
    endpoint.host = host;
    endpoint.port = port;
    endpoint.text = host + ":" + std::to_string(port);
    return endpoint;
}

std::string to_text(const Result<ports::Resolution>& answer) {
    if (!answer) return answer.error().message;
    std::string text;
    for (const Endpoint& endpoint : answer->addresses)
        text += endpoint.to_string() + " ";
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(answer->ttl.value_or(Duration::zero()));
    return text + "for " + std::to_string(seconds.count()) + " s";
}

std::string make_directory() {
    std::string path = (std::filesystem::temp_directory_path() / "wgd-resolver-XXXXXX").string();
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    return path;
}

// Its tunnel's name server is 127.0.0.1, which nobody is to ask; those of its link are 127.0.0.2 and .3, all
// at one port.
struct Rig {
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create()).value();
    NameServer tunnel{*loop, "127.0.0.1"};
    NameServer first{*loop, "127.0.0.2", tunnel.endpoint.port};
    NameServer second{*loop, "127.0.0.3", tunnel.endpoint.port};
    std::string root = make_directory();
    std::mutex mutex;
    std::map<std::string, std::string> system_names; // what getaddrinfo would say
    std::unique_ptr<SystemResolver> resolver;
    ports::LookupPath path{0, {IpAddress::v4({127, 0, 0, 1})}};
    std::vector<std::string> answers;

    explicit Rig(std::size_t max_asking = 16) {
        std::filesystem::create_directories(root + "/etc");
        std::ofstream(root + "/etc/resolv.conf")
            << "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n";
        SystemResolver::Options options;
        options.max_asking = max_asking;
        options.root = root;
        options.dns_port = tunnel.endpoint.port;
        options.system.lookup = [this](const std::string& host) -> Result<std::vector<Endpoint>> {
            const std::lock_guard lock(mutex);
            const auto found = system_names.find(host);
            if (found == system_names.end())
                return fail(ErrorCode::kResolve, "the system does not know " + host);
            return std::vector<Endpoint>{{*IpAddress::parse(found->second), 0, 0}};
        };
        resolver = std::move(SystemResolver::create(*loop, options)).value();
    }
    ~Rig() { std::filesystem::remove_all(root); }

    std::unique_ptr<ports::Resolver::Query> ask(const std::string& host, std::size_t quit_after = 1) {
        return resolver->resolve(spec(host, 51820), path,
                                 [this, quit_after](Result<ports::Resolution> answer) {
                                     answers.push_back(to_text(answer));
                                     if (answers.size() == quit_after) loop->quit(0);
                                 });
    }
    void run() {
        auto limit = loop->add_timer(20s, [&] { loop->quit(1); });
        CHECK(loop->run() == 0);
    }
};

using Answers = std::vector<std::string>;

} // namespace

TEST_CASE("a name is asked of the link's servers, and the answer holds as long as its shortest record") {
    Rig rig;
    rig.first.names["vpn.example"] = {{"192.0.2.7", 900}, {"192.0.2.8", 120}};
    auto query = rig.ask("vpn.example");
    rig.run();
    REQUIRE(rig.answers.size() == 1);
    CHECK(rig.answers[0].find("192.0.2.7:51820") != std::string::npos);
    CHECK(rig.answers[0].find("192.0.2.8:51820") != std::string::npos);
    CHECK(rig.answers[0].find("for 120 s") != std::string::npos);
    CHECK(rig.tunnel.asked == 0);
    CHECK(rig.second.asked == 0);
}

TEST_CASE("addresses of both families are found") {
    Rig rig;
    rig.first.names["vpn.example"] = {{"192.0.2.7"}, {"2001:db8::7"}};
    auto query = rig.ask("vpn.example");
    rig.run();
    REQUIRE(rig.answers.size() == 1);
    CHECK(rig.answers[0].find("192.0.2.7:51820") != std::string::npos);
    CHECK(rig.answers[0].find("[2001:db8::7]:51820") != std::string::npos);
}

TEST_CASE("a server that does not answer is followed by the next") {
    Rig rig;
    rig.first.silent = true;
    rig.second.names["vpn.example"] = {{"192.0.2.7"}};
    auto query = rig.ask("vpn.example");
    rig.run();
    CHECK(rig.answers == Answers{"192.0.2.7:51820 for 300 s"});
}

TEST_CASE("what DNS does not know is asked of the system") {
    Rig rig;
    rig.system_names["box.local"] = "192.0.2.9";
    auto known = rig.ask("box.local", 2);
    auto unknown = rig.ask("none.example", 2);
    rig.run();
    CHECK(rig.answers.size() == 2);
    CHECK(std::count(rig.answers.begin(), rig.answers.end(), "192.0.2.9:51820 for 0 s") == 1);
    CHECK(std::count(rig.answers.begin(), rig.answers.end(), "the system does not know none.example") == 1);
}

TEST_CASE("an address with an interface's name is for the system") {
    Rig rig;
    rig.system_names["fe80::1%eth7"] = "fe80::1";
    EndpointSpec endpoint = spec("fe80::1", 51820);
    endpoint.scope = "eth7";
    std::string answer;
    auto query = rig.resolver->resolve(endpoint, rig.path, [&](Result<ports::Resolution> said) {
        answer = to_text(said);
        rig.loop->quit(0);
    });
    rig.run();
    CHECK(answer == "[fe80::1]:51820 for 0 s");
    CHECK(rig.first.asked == 0);
}

TEST_CASE("names wait for their turn; one that is cancelled makes room") {
    Rig rig(1);
    rig.first.silent = rig.second.silent = true;
    auto held = rig.ask("held.example");
    rig.first.names["next.example"] = {{"192.0.2.7"}};
    auto waiting = rig.ask("next.example");
    auto unwanted = rig.ask("unwanted.example");
    rig.first.silent = rig.second.silent = false;
    unwanted.reset();
    held.reset();
    rig.run();
    CHECK(rig.answers == Answers{"192.0.2.7:51820 for 300 s"});
}

TEST_CASE("names of /etc/hosts are answered at once, ever so many") {
    Rig rig(2);
    rig.path.avoid.clear();
    std::vector<std::unique_ptr<ports::Resolver::Query>> queries;
    for (int i = 0; i < 1000; ++i)
        queries.push_back(rig.ask("localhost", 1000));
    if (rig.answers.size() < 1000) rig.run();
    CHECK(rig.answers.size() == 1000);
    CHECK(rig.answers[0].find("for 0 s") != std::string::npos);
}

TEST_CASE("a question may be dropped from within its answer, and the resolver with it") {
    Rig rig;
    rig.first.names["vpn.example"] = {{"192.0.2.7"}};
    std::unique_ptr<ports::Resolver::Query> query;
    query = rig.resolver->resolve(spec("vpn.example", 1), rig.path, [&](Result<ports::Resolution> answer) {
        CHECK(answer);
        query.reset();
        rig.resolver.reset();
        rig.loop->quit(0);
    });
    rig.run();
    CHECK_FALSE(query);
}
