// SPDX-License-Identifier: MIT
#include "daemon/sys/thread_resolver.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <mutex>

using namespace wgd;
using namespace wgd::sys;
using namespace std::chrono_literals;

namespace {

// "host:port" or "[host]:port".
EndpointSpec spec(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    EndpointSpec endpoint;
    endpoint.host = text.front() == '[' ? text.substr(1, colon - 2) : text.substr(0, colon);
    endpoint.port = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)));
    endpoint.text = text;
    return endpoint;
}

// A name service that answers when it is told to. Shared with the threads that ask it.
struct NameService {
    std::mutex mutex;
    std::map<std::string, std::promise<void>> gates;
    std::vector<std::string> asked;

    std::promise<void>& gate(const std::string& host) {
        const std::lock_guard lock(mutex);
        return gates[host];
    }
    ThreadResolver::Lookup lookup(const std::shared_ptr<NameService>& self) {
        return [self](const std::string& host) -> Result<std::vector<Endpoint>> {
            std::future<void> open;
            {
                const std::lock_guard lock(self->mutex);
                self->asked.push_back(host);
                open = self->gates[host].get_future();
            }
            open.wait();
            if (host == "none.example")
                return fail(ErrorCode::kResolve, "cannot resolve none.example: no such name");
            return std::vector<Endpoint>{{IpAddress::v4({192, 0, 2, 1}), 0, 0},
                                         {IpAddress::parse("2001:db8::1").value(), 0, 0}};
        };
    }
};

struct Rig {
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create()).value();
    std::shared_ptr<NameService> names = std::make_shared<NameService>();
    std::unique_ptr<ThreadResolver> resolver;
    std::vector<std::string> answers;

    explicit Rig(unsigned threads = 4, std::size_t waiting = 256) {
        ThreadResolver::Options options;
        options.max_threads = threads;
        options.max_waiting = waiting;
        options.lookup = names->lookup(names);
        resolver = std::move(ThreadResolver::create(*loop, options)).value();
    }
    std::unique_ptr<ports::Resolver::Query> ask(const std::string& text, std::size_t quit_after = 1) {
        return resolver->resolve(spec(text), {}, [this, text, quit_after](Result<ports::Resolution> answer) {
            std::string line = text + " ->";
            if (answer)
                for (const Endpoint& endpoint : answer->addresses)
                    line += " " + endpoint.to_string();
            else
                line += " " + answer.error().message;
            answers.push_back(line);
            if (answers.size() == quit_after) loop->quit(0);
        });
    }
    void run() {
        auto limit = loop->add_timer(10s, [&] { loop->quit(1); });
        CHECK(loop->run() == 0);
    }
};

} // namespace

TEST_CASE("numeric endpoints are answered at once") {
    Rig rig;
    auto v4 = rig.ask("198.51.100.7:51820");
    auto v6 = rig.ask("[2001:db8::7]:1");
    CHECK(rig.answers == std::vector<std::string>{"198.51.100.7:51820 -> 198.51.100.7:51820",
                                                  "[2001:db8::7]:1 -> [2001:db8::7]:1"});
    CHECK(rig.names->asked.empty());
}

TEST_CASE("names are looked up without holding the loop, each answer with its own port") {
    Rig rig;
    auto slow = rig.ask("slow.example:1", 2);
    auto fast = rig.ask("fast.example:2", 2);
    CHECK(rig.answers.empty());
    rig.names->gate("fast.example").set_value();
    auto timer = rig.loop->add_timer(30ms, [&] { rig.names->gate("slow.example").set_value(); });
    rig.run();
    CHECK(rig.answers == std::vector<std::string>{"fast.example:2 -> 192.0.2.1:2 [2001:db8::1]:2",
                                                  "slow.example:1 -> 192.0.2.1:1 [2001:db8::1]:1"});
}

TEST_CASE("a name that does not resolve is an error in the resolver's words") {
    Rig rig;
    auto query = rig.ask("none.example:9");
    rig.names->gate("none.example").set_value();
    rig.run();
    CHECK(rig.answers ==
          std::vector<std::string>{"none.example:9 -> cannot resolve none.example: no such name"});
}

TEST_CASE("a cancelled query is not answered; one that waits is not even asked") {
    Rig rig(1);
    auto running = rig.ask("running.example:1");
    auto waiting = rig.ask("waiting.example:1");
    auto last = rig.ask("last.example:1");
    while (true) { // until the one thread has taken the first
        const std::lock_guard lock(rig.names->mutex);
        if (!rig.names->asked.empty()) break;
    }
    running.reset();
    waiting.reset();
    rig.names->gate("running.example").set_value();
    rig.names->gate("last.example").set_value();
    rig.run();
    CHECK(rig.answers == std::vector<std::string>{"last.example:1 -> 192.0.2.1:1 [2001:db8::1]:1"});
    CHECK(rig.names->asked == std::vector<std::string>{"running.example", "last.example"});
}

TEST_CASE("too many names at once are refused, not queued for ever") {
    Rig rig(1, 2);
    auto a = rig.ask("a.example:1", 99);
    while (true) {
        const std::lock_guard lock(rig.names->mutex);
        if (!rig.names->asked.empty()) break;
    }
    auto b = rig.ask("b.example:1", 99);
    auto c = rig.ask("c.example:1", 99);
    auto d = rig.ask("d.example:1", 99);
    CHECK(rig.answers == std::vector<std::string>{
                             "d.example:1 -> cannot resolve d.example: too many names are being resolved"});
    b.reset();
    c.reset();
    rig.names->gate("a.example").set_value();
}

TEST_CASE("the resolver may go while look-ups run, and queries may outlive it") {
    auto names = std::make_shared<NameService>();
    std::unique_ptr<ports::Resolver::Query> query;
    {
        Rig rig;
        names = rig.names;
        query = rig.ask("late.example:1");
        rig.resolver.reset();
        CHECK(rig.answers.empty());
    }
    query.reset();
    names->gate("late.example").set_value();
}

TEST_CASE("getaddrinfo answers for localhost") {
    auto loop = std::move(loop::EventLoop::create()).value();
    auto resolver = std::move(ThreadResolver::create(*loop)).value();
    bool found = false;
    auto query = resolver->resolve(spec("localhost:53"), {}, [&](Result<ports::Resolution> answer) {
        if (answer)
            for (const Endpoint& endpoint : answer->addresses)
                found = found || (endpoint.address.is_loopback() && endpoint.port == 53);
        loop->quit(0);
    });
    loop->run();
    CHECK(found);
}
