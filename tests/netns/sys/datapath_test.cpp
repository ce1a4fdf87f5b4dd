// SPDX-License-Identifier: MIT
// The userspace backend with real programs: Debian's wireguard-go always, wgd-datapath if it was built.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "common/model/marks.hpp"
#include "daemon/sys/monitor.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "tests/netns/sys/machine.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;
using wgd::test::run_json;

namespace {

std::string built_program(const char* name) {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

const plan::CreateLink kCreate{"home", plan::Backend::kUserspace, "wgd:home"};
const plan::DeleteLink kDelete{"home", plan::Backend::kUserspace};

bool link_exists(const std::string& name) {
    return test::status_of("ip link show dev " + name + " >/dev/null 2>&1") == 0;
}

// A program that is a shell script, outside /run, which is a new one for every test.
struct Script {
    std::string path;
    explicit Script(const std::string& text) {
        char name[] = "/tmp/wgdt-datapath-XXXXXX";
        const Fd fd(::mkstemp(name));
        path = name;
        std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
        ::chmod(name, 0755);
    }
    ~Script() { ::unlink(path.c_str()); }
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;
};

} // namespace

TEST_CASE("a userspace tunnel is created, configured, read and deleted") {
    const std::string program = GENERATE(from_range(test::datapath_programs()));
    {
        INFO(program);
        test::Machine machine(program);
        auto created = machine.perform(kCreate);
        INFO((created ? "" : created.error().message));
        REQUIRE(created);
        const pid_t pid = machine.datapaths.pid_of("home");
        REQUIRE(pid > 0);
        CHECK(::getsid(pid) == pid); // a session of its own
        auto shown = run_json("ip -j -d link show dev home").at(0);
        CHECK(shown.at("ifalias") == "wgd:home");
        CHECK(shown.at("linkinfo").at("info_kind") == "tun");
        CHECK(machine.perform(kCreate)); // it exists already, just so
        CHECK(machine.datapaths.pid_of("home") == pid);

        auto delta = std::make_shared<DeviceDelta>();
        delta->private_key = PrivateKey::from_base64("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=");
        delta->listen_port = 40404;
        delta->fwmark = 51820;
        PeerDelta& peer = delta->peers.emplace_back();
        peer.public_key = PublicKey::from_base64("HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=").value();
        peer.public_key = PublicKey(std::array<std::uint8_t, 32>{9});
        peer.allowed_ips.push_back({IpPrefix::parse("0.0.0.0/0").value()});
        REQUIRE(machine.perform(plan::ConfigureDevice{"home", delta}));
        REQUIRE(machine.perform(plan::AddAddress{"home", IpPrefix::parse("10.5.0.2/24").value()}));
        REQUIRE(machine.perform(plan::SetMtu{"home", 1380}));
        REQUIRE(machine.perform(plan::SetLinkUp{"home", true}));
        CHECK(run("wg show home fwmark") == "0xca6c\n");
        CHECK(run("wg show home listen-port") == "40404\n");

        auto snapshot =
            machine.reader.read({"home", {}, 0, {"net/ipv4/conf/all/src_valid_mark", "net/none"}});
        INFO((snapshot ? "" : snapshot.error().message));
        REQUIRE(snapshot);
        CHECK(snapshot->device_backend == plan::Backend::kUserspace);
        REQUIRE(snapshot->device);
        CHECK(snapshot->device->public_key.to_base64() == "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=");
        CHECK(snapshot->device->peers.size() == 1);
        CHECK(snapshot->links.at("home").mtu == 1380);
        CHECK(snapshot->links.at("home").up);
        CHECK(snapshot->addresses.at("home").front() == IpPrefix::parse("10.5.0.2/24"));
        CHECK(snapshot->sysctls ==
              std::map<std::string, std::string>{{"net/ipv4/conf/all/src_valid_mark", "0"}});
        CHECK(snapshot->marks_in_use.empty());
        CHECK(snapshot->ipv6_available);
        CHECK(snapshot->table_names.at("main") == 254);
        // For another tunnel, home's mark is taken.
        CHECK(machine.reader.read({"work", {}, 0, {}})->marks_in_use == std::set<std::uint32_t>{51820});

        REQUIRE(machine.perform(kDelete));
        CHECK_FALSE(link_exists("home"));
        CHECK_FALSE(std::filesystem::exists("/run/wireguard/home.sock"));
        CHECK_FALSE(std::filesystem::exists("/run/wgd/datapath/home"));
        CHECK(::kill(pid, 0) == -1); // reaped
        CHECK(machine.perform(kDelete));
    }
}

TEST_CASE("what is not ours is neither joined nor deleted") {
    test::Machine machine("/usr/bin/wireguard-go");
    run("ip tuntap add home mode tun");
    auto created = machine.perform(kCreate);
    REQUIRE_FALSE(created);
    CHECK(created.error().code == ErrorCode::kConflict);
    auto deleted = machine.perform(kDelete);
    REQUIRE_FALSE(deleted);
    CHECK(deleted.error().code == ErrorCode::kConflict);
    CHECK(machine.perform(plan::DeleteLink{"home", plan::Backend::kKernel}).error().code ==
          ErrorCode::kConflict);
    CHECK(link_exists("home"));
    CHECK(machine.perform(plan::ConfigureDevice{"home", std::make_shared<DeviceDelta>()}).error().code ==
          ErrorCode::kUnsupported);
    CHECK(machine.reader.read_device("home", "").error().code == ErrorCode::kUnsupported);
    CHECK(machine.reader.read_device("nowhere", "").error().code == ErrorCode::kNotFound);

    // Somebody's wireguard-go serves the name: it is not taken for a half-made tunnel of ours.
    run("/usr/bin/wireguard-go theirs >/dev/null 2>&1");
    REQUIRE(test::status_of("wg show theirs >/dev/null") == 0);
    CHECK(machine.perform(plan::CreateLink{"theirs", plan::Backend::kUserspace, "wgd:theirs"}).error().code ==
          ErrorCode::kConflict);
    CHECK(machine.perform(plan::DeleteLink{"theirs", plan::Backend::kUserspace}).error().code ==
          ErrorCode::kConflict);
    CHECK(link_exists("theirs"));
    run("ip link del dev theirs"); // ends it
}

TEST_CASE("a program that ends instead of starting is reported in its own words") {
    const Script script("echo 'Failed to create TUN device: no such file' >&2; exit 3");
    test::Machine machine(script.path);
    auto created = machine.perform(kCreate);
    REQUIRE_FALSE(created);
    CHECK(created.error().code == ErrorCode::kBackend);
    CHECK(created.error().message ==
          script.path + " for home exited with status 3: Failed to create TUN device: no such file");
    CHECK(machine.datapaths.pid_of("home") == 0);
    CHECK_FALSE(machine.datapaths.started_by_us("home"));

    test::Machine none("/run/no-such-program");
    CHECK(none.perform(kCreate).error().code == ErrorCode::kBackend);
    CHECK(none.perform(kCreate).error().message ==
          "cannot start /run/no-such-program: No such file or directory");
}

TEST_CASE("a program that never serves its socket is killed after the limit") {
    const Script script("exec sleep 1000");
    test::Machine machine(script.path, {.start = std::chrono::milliseconds(200)});
    std::optional<Result<void>> answer;
    machine.executor.perform(kCreate, [&](Result<void> result) { answer = std::move(result); });
    const pid_t pid = machine.datapaths.pid_of("home");
    REQUIRE(pid > 0);
    machine.runner.until([&] { return answer.has_value(); });
    CHECK(answer->error().code == ErrorCode::kTimeout);
    CHECK(::kill(pid, 0) == -1);
}

TEST_CASE("a program that ignores SIGTERM is killed, its socket removed, its words logged") {
    std::vector<std::string> lines;
    log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); });
    test::Machine machine(built_program("stubborn_datapath"), {.stop = std::chrono::milliseconds(100)});
    auto started =
        machine.runner.finish([&](ports::Done done) { machine.datapaths.start("home", std::move(done)); });
    REQUIRE(started);
    machine.runner.until(
        [&] { return std::find(lines.begin(), lines.end(), "wgd-datapath home: I stay") != lines.end(); });
    CHECK(std::filesystem::exists("/run/wireguard/home.sock"));
    REQUIRE(machine.perform(kDelete));
    CHECK_FALSE(std::filesystem::exists("/run/wireguard/home.sock"));
    log::set_sink(nullptr);
}

TEST_CASE("the end of a watched datapath is reported, with the link's") {
    struct Observer final : ports::WorldObserver {
        std::vector<std::string> gone;
        std::string how;
        std::string order;
        void on_world_changed() override {}
        void on_other_namespace_changed() override {}
        void on_dns_changed() override {}
        void on_link_gone(const std::string& link) override {
            gone.push_back(link);
            order += "link ";
        }
        void on_datapath_exit(const std::string& link, const std::string& text) override {
            how = link + " " + text;
            order += "datapath ";
        }
    };
    test::Machine machine("/usr/bin/wireguard-go");
    auto monitor = NetlinkMonitor::create(machine.runner.loop(), machine.netlink, machine.datapaths);
    REQUIRE(monitor);
    Observer observer;
    (*monitor)->set_observer(&observer);
    CHECK((*monitor)->watch_datapath("home").error().code == ErrorCode::kNotFound);
    REQUIRE(machine.perform(kCreate));
    REQUIRE((*monitor)->watch_datapath("home"));
    ::kill(machine.datapaths.pid_of("home"), SIGKILL);
    machine.runner.until([&] { return !observer.how.empty() && !observer.gone.empty(); });
    CHECK(observer.how == "home killed by signal 9 (Killed)");
    CHECK(observer.gone == std::vector<std::string>{"home"});
    CHECK(observer.order == "datapath link ");                        // the cause before its effect
    CHECK_FALSE(std::filesystem::exists("/run/wireguard/home.sock")); // it could not remove it itself

    // The other way round: a deleted link ends its datapath.
    observer = {};
    REQUIRE(machine.perform(kCreate));
    REQUIRE((*monitor)->watch_datapath("home"));
    run("ip link del dev home");
    machine.runner.until([&] { return !observer.how.empty() && !observer.gone.empty(); });
    CHECK(observer.order == "link datapath ");
    // Some say more: wireguard-go, when it looks at its link just then.
    CHECK(observer.how.rfind("home exited with status 0", 0) == 0);

    // One that we stop ourselves is no news.
    observer.how.clear();
    REQUIRE(machine.perform(kCreate));
    REQUIRE((*monitor)->watch_datapath("home"));
    REQUIRE(machine.perform(kDelete));
    CHECK(observer.how.empty());
}

TEST_CASE("a datapath outlives its wgd, and the next one finds, hears and stops it") {
    const std::string program = GENERATE(from_range(test::datapath_programs()));
    {
        INFO(program);
        test::FreshNamespaces fresh;
        // The first wgd: a process that creates the tunnel and is killed.
        const pid_t first = ::fork();
        if (first == 0) {
            test::LoopRunner runner;
            auto netlink = NetlinkSocket::open().value();
            auto kernel = NetlinkClient::open().value();
            UapiClient userspace;
            DatapathProcesses datapaths(runner.loop(), test::Machine::options(program, {}));
            const NetNamespaces namespaces{{}};
            const auto dns = test::dns_of_test(runner.loop());
            LinuxExecutor executor{netlink, kernel,        userspace,        datapaths,
                                   *dns,    runner.loop(), "/etc/wireguard", namespaces};
            auto created =
                runner.finish([&](ports::Done done) { executor.perform(kCreate, std::move(done)); });
            if (!created) ::_exit(1);
            ::kill(::getpid(), SIGKILL);
        }
        int status = 0;
        REQUIRE(::waitpid(first, &status, 0) == first);
        REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        REQUIRE(link_exists("home"));

        test::LoopRunner runner;
        auto netlink = NetlinkSocket::open().value();
        auto kernel = NetlinkClient::open().value();
        UapiClient userspace;
        DatapathProcesses datapaths(runner.loop(), test::Machine::options(program, {}));
        const NetNamespaces namespaces{{}};
        const auto dns = test::dns_of_test(runner.loop());
        LinuxExecutor executor{netlink, kernel,        userspace,        datapaths,
                               *dns,    runner.loop(), "/etc/wireguard", namespaces};
        std::string exit;
        datapaths.on_exit([&](const std::string&, const std::string& how, bool) { exit = how; });
        CHECK(datapaths.started_by_us("home"));
        REQUIRE(datapaths.watch("home"));
        const pid_t pid = datapaths.pid_of("home");
        CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe") == program);
        CHECK(userspace.get("home"));

        SECTION("stops it") {
            CHECK(runner.finish([&](ports::Done done) { executor.perform(kDelete, std::move(done)); }));
            CHECK(exit.empty());
            CHECK_FALSE(link_exists("home"));
        }
        SECTION("hears of its end") {
            ::kill(pid, SIGKILL);
            runner.until([&] { return !exit.empty(); });
            CHECK(exit == "ended"); // not our child: how is its parent's to know
            // What we watch is the keeper of wgd-datapath; the process with the TUN device ends right after
            // it.
            for (int i = 0; i < 100 && link_exists("home"); ++i)
                runner.turn_for(std::chrono::milliseconds(100));
            CHECK_FALSE(link_exists("home"));
        }
    }
}

TEST_CASE("a start that was cut short before the alias is undone") {
    test::Machine machine("/usr/bin/wireguard-go");
    REQUIRE(machine.perform(kCreate));
    run("ip link set dev home alias ''"); // as if killed between the program's start and the alias
    CHECK_FALSE((*find_link(machine.netlink, "home"))->is_ours());
    CHECK(machine.perform(kDelete));
    CHECK_FALSE(link_exists("home"));
}
