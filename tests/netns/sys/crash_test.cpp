// SPDX-License-Identifier: MIT
// `up` of a full tunnel on the real kernel with a real datapath, killed or made to fail before and after
// every operation: afterwards (for a kill: after the next start) the machine is as it was, and no undo log is
// left. golden_crash_test.cpp does the same for every profile that people have; tests/system/crash.sh for
// every system call.
#include <catch2/catch.hpp>
#include <sys/wait.h>

#include "tests/netns/sys/crash_daemon.hpp"

using namespace wgd;
using test::CrashDaemon;
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

// Runs `up` in a process of its own. Its wait status; exit status 0: up, 1: refused, 9: operation n was not
// reached.
int up_in_child(const std::string& program, int n, Injury injury) {
    const pid_t child = ::fork();
    if (child == 0) {
        CrashDaemon daemon({program, n, injury, {}});
        if (!daemon.recover()) ::_exit(2);
        daemon.injured.arm();
        const bool up = daemon.up().has_value();
        ::_exit(!daemon.injured.disarm() ? 9 : up ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

} // namespace

TEST_CASE("up that is killed or fails at any operation leaves the machine as it was") {
    const std::string program = test::datapath_programs().back();
    const Injury injury =
        GENERATE(Injury::kKillBefore, Injury::kKillAfter, Injury::kFailBefore, Injury::kFailAfter);
    test::FreshNamespaces fresh;
    test::make_machine();
    test::put_profile(kFullTunnel);
    { CrashDaemon first({program, -1, injury, {}}); } // makes /run/wgd
    const std::string before = picture();
    int n = 0;
    for (;; ++n) {
        INFO("operation " << n << ", " << test::words(injury));
        const int status = up_in_child(program, n, injury);
        CrashDaemon next({program, -1, injury, {}});
        if (WIFEXITED(status) && WEXITSTATUS(status) == 9) { // the whole plan was run: that was the last n
            REQUIRE(next.recover());
            CHECK(next.is_up());
            REQUIRE(next.down());
            CHECK(picture() == before);
            break;
        }
        if (test::kills(injury)) {
            REQUIRE(WIFSIGNALED(status));
            REQUIRE(WTERMSIG(status) == SIGKILL);
            REQUIRE(next.recover());
        } else {
            REQUIRE(WIFEXITED(status));
            if (WEXITSTATUS(status) == 0) { // what may fail without undoing a tunnel: its DNS
                REQUIRE(next.recover());
                REQUIRE(next.down());
            } else {
                REQUIRE(WEXITSTATUS(status) == 1);
            }
        }
        CHECK(next.journal->pending_undo()->empty());
        CHECK(picture() == before);
    }
    CHECK(n >= 10); // link, device, addresses, MTU, up, sysctl, routes, rules
}
