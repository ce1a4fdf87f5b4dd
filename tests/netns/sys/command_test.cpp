// SPDX-License-Identifier: MIT
// Hooks in a real bash.
#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>

#include "common/base/fd.hpp"
#include "daemon/loop/pidfd.hpp"
#include "daemon/sys/command_runner.hpp"
#include "tests/netns/sys/loop_runner.hpp"

using namespace wgd;
using namespace wgd::sys;

namespace {

struct Shell {
    test::LoopRunner runner;
    CommandRunner commands{runner.loop()};
    std::unique_ptr<CommandRunner::Run> running;
    std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("wgdt-hooks-" + std::to_string(::getpid()));

    Shell() { std::filesystem::create_directory(directory); }
    ~Shell() { std::filesystem::remove_all(directory); }
    Shell(const Shell&) = delete;
    Shell& operator=(const Shell&) = delete;

    Result<void> run(const std::string& text, Duration limit = std::chrono::seconds(20)) {
        return runner.finish([&](std::function<void(Result<void>)> done) {
            running =
                commands.run(hook_command("PostUp of wgdt", text, "wgdt", "/etc/wireguard/wgdt.conf", limit),
                             std::move(done));
        });
    }
    [[nodiscard]] std::string file(const std::string& name) const {
        std::ifstream stream(directory / name);
        std::stringstream text;
        text << stream.rdbuf();
        return text.str();
    }
    [[nodiscard]] std::string path(const std::string& name) const { return (directory / name).string(); }
};

} // namespace

TEST_CASE("a hook is bash with errexit and pipefail, as wg-quick's") {
    Shell shell;
    REQUIRE(shell.run("echo \"$INTERFACE $CONFIG_FILE\" > " + shell.path("a")));
    CHECK(shell.file("a") == "wgdt /etc/wireguard/wgdt.conf\n");
    CHECK_FALSE(shell.run("false; touch " + shell.path("b")));
    CHECK_FALSE(std::filesystem::exists(shell.path("b")));
    CHECK_FALSE(shell.run("false | true"));
    CHECK(shell.run("[[ wgdt == wg* ]] && array=(1 2) && (( ${#array[@]} == 2 ))"));
}

TEST_CASE("a failed hook says its status and its last words, not its first") {
    Shell shell;
    const auto failed =
        shell.run("for i in $(seq 1000); do echo line $i; done; echo it is broken >&2; exit 3");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ErrorCode::kBackend);
    CHECK(failed.error().message == "exit status 3: line 999; line 1000; it is broken");
    CHECK(shell.run("kill -9 $$").error().message == "killed by signal 9");
}

TEST_CASE("a hook sees nothing of ours: environment, descriptors, blocked signals, working directory") {
    Shell shell;
    ::setenv("WGDT_SECRET", "in the environment", 1);
    REQUIRE(shell.run("env > " + shell.path("env") + "; pwd > " + shell.path("pwd") +
                      "; ps -o sid= -p $$ > " + shell.path("session")));
    // What a program sees that takes the shell's place.
    REQUIRE(shell.run("exec ls /proc/self/fd > " + shell.path("fd")));
    REQUIRE(shell.run("exec grep -E '^Sig(Blk|Ign)' /proc/self/status > " + shell.path("signals")));
    ::unsetenv("WGDT_SECRET");
    CHECK(shell.file("env").find("WGDT_SECRET") == std::string::npos);
    CHECK(shell.file("env").find("LC_ALL=C\n") != std::string::npos);
    CHECK(shell.file("fd") == "0\n1\n2\n3\n"); // 3 is ls looking
    std::stringstream signals(shell.file("signals"));
    std::string name;
    std::uint64_t mask = 0;
    constexpr std::uint64_t kStandard = 0x7fffffff; // the two above them are the C library's own
    int lines = 0;
    for (; signals >> name >> std::hex >> mask; ++lines)
        CHECK((mask & kStandard) == 0);
    CHECK(lines == 2);
    CHECK(shell.file("pwd") == "/\n");
    CHECK(std::stol(shell.file("session")) != ::getsid(0));
}

TEST_CASE("a hook that takes too long is killed, its children too") {
    Shell shell;
    const auto failed =
        shell.run("sleep 1000 & echo $! > " + shell.path("child") + "; wait", std::chrono::seconds(1));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message.find("not finished after 1 s") != std::string::npos);
    const auto child = static_cast<pid_t>(std::stol(shell.file("child")));
    // Killed together with its parent, though perhaps not dead at once.
    const Fd process = loop::open_pidfd(child);
    pollfd ended{process.get(), POLLIN, 0};
    CHECK((!process || ::poll(&ended, 1, 10'000) == 1));
}

TEST_CASE("what a hook leaves running in the background is not waited for and lives on") {
    Shell shell;
    REQUIRE(shell.run("sleep 1000 & echo $! > " + shell.path("child")));
    shell.running.reset();
    const auto child = static_cast<pid_t>(std::stol(shell.file("child")));
    CHECK(::kill(child, 0) == 0);
    ::kill(child, SIGKILL);
}

TEST_CASE("a command that is given up ends at once") {
    Shell shell;
    bool called = false;
    shell.running =
        shell.commands.run(hook_command("PreUp of wgdt", "sleep 1000", "wgdt", "", std::chrono::seconds(60)),
                           [&](const Result<void>&) { called = true; });
    shell.running.reset();
    CHECK_FALSE(called);
}
