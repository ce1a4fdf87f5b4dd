// SPDX-License-Identifier: MIT
// PreUp, PostUp, PreDown and PostDown: when they run, and what happens when one fails.
#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;

namespace {

using Runs = std::vector<std::string>;

std::string profile(const std::string& hooks) {
    return "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.9.0.2/24\n" +
           hooks +
           "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nAllowedIPs = 10.10.0.0/16\n";
}

struct World : FakeWorld {
    explicit World(const std::string& hooks) {
        furnish(*this);
        disk.put("hooked", profile(hooks));
    }
};

const std::string kAll = "PreUp = make a\nPostUp = make b; %i\nPostUp = make c\nPreDown = drop b; %i\n"
                         "PreDown = drop c\nPostDown = drop a\n";

} // namespace

TEST_CASE("hooks run in wg-quick's order, with the interface's name in them") {
    World world(kAll);
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    REQUIRE(daemon.up("hooked").value());
    CHECK(world.kernel.hooks_run() == Runs{"PreUp: make a", "PostUp: make b; hooked", "PostUp: make c"});
    REQUIRE(daemon.down("hooked").value());
    CHECK(Runs(world.kernel.hooks_run().begin() + 3, world.kernel.hooks_run().end()) ==
          Runs{"PreDown: drop b; hooked", "PreDown: drop c", "PostDown: drop a"});
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("after a failed PostUp what ran is taken back, and the error says which it was") {
    World world("PreUp = make a\nPostUp = make b\nPostUp = false\nPreDown = drop b\nPostDown = drop a\n");
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    const auto up = daemon.up("hooked").value();
    REQUIRE_FALSE(up);
    CHECK(up.error().message.find("PostUp of hooked") != std::string::npos);
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("after a failed PreUp no PreDown runs: its PostUp never did") {
    World world("PreUp = false\nPostUp = make b\nPreDown = drop b\nPostDown = drop a\n");
    Daemon daemon(world);
    REQUIRE_FALSE(daemon.up("hooked").value());
    CHECK(world.kernel.hooks_run() == Runs{"PreUp: false", "PostDown: drop a"});
}

TEST_CASE("a hook that fails on the way down does not keep the tunnel up, nor bring it back") {
    World world(GENERATE("PreDown = false\n", "PostDown = false\n"));
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    REQUIRE(daemon.up("hooked").value());
    REQUIRE(daemon.down("hooked").value());
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("the hooks of the profile that came up are those that run when it goes down") {
    World world("PostUp = make b\nPostDown = drop b\n");
    const std::string before = world.kernel.dump();
    {
        Daemon daemon(world);
        REQUIRE(daemon.up("hooked").value());
        world.bury_daemon();
    }
    world.disk.put("hooked", profile("PostDown = drop something else\n"));
    Daemon daemon(world);
    REQUIRE(daemon.recover());
    REQUIRE(daemon.down("hooked").value());
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("what hooks do to the interface stays: addresses, the MTU") {
    World world("PreUp = address fe80::207/64\nPostUp = address 172.20.1.7/32\nPostUp = mtu 1300\n");
    const std::string before = world.kernel.dump();
    {
        Daemon daemon(world);
        const auto up = daemon.up("hooked").value();
        if (!up) FAIL(up.error().message);
        world.bury_daemon();
    }
    const std::string after = world.kernel.dump();
    CHECK(after.find("172.20.1.7/32") != std::string::npos);
    CHECK(after.find("1300") != std::string::npos);
    Daemon daemon(world);
    REQUIRE(daemon.recover());
    world.kernel.announce_change();
    CHECK(world.kernel.dump() == after);
    world.disk.put("hooked", profile("MTU = 1400\nDNS = 10.9.0.1\nPreUp = address fe80::207/64\nPostUp = "
                                     "address 172.20.1.7/32\nPostUp = mtu 1300\n"));
    REQUIRE(daemon.reload("hooked").value());
    CHECK(world.kernel.dump().find("172.20.1.7/32") != std::string::npos);
    CHECK(world.kernel.dump().find("1400") == std::string::npos);
    REQUIRE(daemon.down("hooked").value());
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("what hooks do to peers stays through a reload, and what the profile says of them counts") {
    const std::string hooks =
        "PostUp = psk " + fakes::kPresharedKey + "\nPostUp = peer " + fakes::kPeerB + "\n";
    World world(hooks);
    {
        Daemon daemon(world);
        REQUIRE(daemon.up("hooked").value());
        world.bury_daemon();
    }
    Daemon daemon(world);
    REQUIRE(daemon.recover());
    const auto peers = [&]() -> const std::vector<WgPeer>& { return world.kernel.device("hooked")->peers; };
    REQUIRE(peers().size() == 2);
    world.disk.put("hooked", profile("MTU = 1400\n" + hooks));
    REQUIRE(daemon.reload("hooked").value());
    REQUIRE(peers().size() == 2);
    CHECK(peers()[0].preshared_key.reveal_base64() == fakes::kPresharedKey);

    world.disk.put("hooked", profile("MTU = 1400\n" + hooks) + "PresharedKey = " + fakes::kPrivateKey + "\n");
    REQUIRE(daemon.reload("hooked").value());
    CHECK(peers()[0].preshared_key.reveal_base64() == fakes::kPrivateKey);
}

TEST_CASE("hooks = false leaves them alone and says so") {
    World world(kAll);
    Settings settings;
    settings.defaults.hooks = false;
    Daemon daemon(world, settings);
    const auto up = daemon.up("hooked").value();
    REQUIRE(up);
    CHECK(world.kernel.hooks_run().empty());
    CHECK(std::any_of(up->warnings.begin(), up->warnings.end(), [](const std::string& warning) {
        return warning.find("PostUp") != std::string::npos;
    }));
}
