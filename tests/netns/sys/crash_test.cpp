// SPDX-License-Identifier: MIT
// `up` of every golden profile on the real kernel, with real programs, killed or made to fail before and
// after every operation: afterwards (for a kill: after the next start) the machine is as it was, byte for
// byte, and no undo log is left. tests/unit/control/golden_test.cpp does the same for every effect on a fake
// world.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>
#include <sys/wait.h>

#include "tests/netns/sys/crash_daemon.hpp"
#include "tests/source_tree/source_tree.hpp"

using namespace wgd;
using test::Daemon;
using test::Injury;
using test::picture;

namespace {

constexpr char kFullTunnel[] = "[Interface]\n"
                               "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
                               "Address = 10.5.0.2/24, fd05::2/64\n"
                               "DNS = 10.5.0.1\n"
                               "[Peer]\n"
                               "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n"
                               "AllowedIPs = 0.0.0.0/0, ::/0\n"
                               "Endpoint = 192.0.2.9:51820\n";

struct Named {
    std::string name;
    std::string text;
};

std::vector<Named> profiles() {
    std::vector<Named> all{{"full tunnel", kFullTunnel}};
    for (const auto& entry :
         std::filesystem::directory_iterator(test::source_tree("tests/golden/profiles"))) {
        if (entry.path().extension() != ".conf") continue;
        std::stringstream text;
        text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
        all.push_back({entry.path().stem().string(), text.str()});
    }
    std::sort(all.begin(), all.end(), [](const Named& a, const Named& b) { return a.name < b.name; });
    return all;
}

// Names do not resolve here, and are not waited for.
control::Settings settings(bool hooks) {
    control::Settings settings;
    settings.defaults.endpoint_wait = std::chrono::seconds(0);
    settings.defaults.hooks = hooks;
    return settings;
}

bool up_and_down_leave_nothing(const std::string& program, bool hooks, const std::string& before) {
    Daemon daemon(program, -1, Injury::kFailBefore, settings(hooks));
    if (auto up = daemon.up(); !up) {
        UNSCOPED_INFO(up.error().message);
        return false;
    }
    if (!daemon.down()) return false;
    return picture() == before;
}

// `up` in a process of its own that is killed at operation n. False: there is none.
bool killed_at(const std::string& program, bool hooks, int n, Injury injury) {
    const pid_t child = ::fork();
    if (child == 0) {
        Daemon daemon(program, n, injury, settings(hooks));
        (void)daemon.up();
        ::_exit(daemon.injured.reached() ? 1 : 9);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9) return false;
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
    return true;
}

void every_operation(Injury injury) {
    const bool kills = injury == Injury::kKillBefore || injury == Injury::kKillAfter;
    const std::string program = test::datapath_programs().back();
    test::FreshNamespaces fresh;
    test::make_machine();
    test::run("iptables -t nat -L -n; iptables -L -n; ip6tables -t nat -L -n; ip6tables -L -n; true");
    { Daemon first(program); } // makes /run/wgd
    const std::string before = picture();
    int cases = 0;
    for (const Named& profile : profiles()) {
        INFO(profile.name);
        test::put_profile(profile.text);
        // Hooks that do not take back what they do (or need a program that is not here) are their author's.
        bool hooks = true;
        if (!up_and_down_leave_nothing(program, hooks, before)) {
            hooks = false;
            test::run(
                "ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default");
            REQUIRE(up_and_down_leave_nothing(program, hooks, before));
        }
        int n = 0;
        for (;; ++n) {
            INFO("operation " << n);
            if (kills) {
                const bool reached = killed_at(program, hooks, n, injury);
                Daemon next(program, -1, injury, settings(hooks));
                REQUIRE(next.recover());
                if (!reached) { // the whole plan was run: that was the last n
                    CHECK(next.manager.tunnel(Daemon::home())->state == control::TunnelState::kUp);
                    REQUIRE(next.down());
                }
                CHECK(next.journal->pending_undo()->empty());
                REQUIRE(picture() == before);
                if (!reached) break;
            } else {
                Daemon daemon(program, n, injury, settings(hooks));
                const bool up = daemon.up().has_value();
                if (!daemon.injured.reached() || up) { // setting DNS may fail
                    REQUIRE(up);
                    REQUIRE(daemon.down());
                }
                CHECK(daemon.journal->pending_undo()->empty());
                REQUIRE(picture() == before);
                if (!daemon.injured.reached()) break;
            }
            ++cases;
        }
        CHECK(n >= 4); // link, device, MTU, up
    }
    CHECK(cases > 300);
    WARN(cases << " times");
}

} // namespace

TEST_CASE("golden profiles: up that is killed before any operation", "[golden][.]") {
    every_operation(Injury::kKillBefore);
}
TEST_CASE("golden profiles: up that is killed after any operation", "[golden][.]") {
    every_operation(Injury::kKillAfter);
}
TEST_CASE("golden profiles: up that fails before any operation", "[golden][.]") {
    every_operation(Injury::kFailBefore);
}
TEST_CASE("golden profiles: up that fails after any operation", "[golden][.]") {
    every_operation(Injury::kFailAfter);
}
