// SPDX-License-Identifier: MIT
// The transaction on the real kernel, for every profile of tests/golden/profiles and every operation n: `up`
// fails at n, before and after it was done; `up` and `down` are killed at n, before and after, and the next
// daemon recovers. The namespace is then what it was, byte for byte (`ip -j`, `nft -j`, resolv.conf,
// sysctls), and neither an undo log nor a record is left.
//
// Links are idle ones (idle_link.hpp tells what stands in for what); crash_test.cpp has the datapath's
// process, and tests/unit/control/golden_test.cpp the journal's writes as well, on a fake kernel.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <sys/wait.h>

#include "common/base/fd.hpp"
#include "tests/netns/sys/crash_daemon.hpp"
#include "tests/source_tree/source_tree.hpp"

using namespace wgd;
using test::CrashDaemon;
using test::Injury;

namespace {

// Most of a case is waiting for the kernel, which deletes links.
constexpr int kWorkers = 6;

struct Named {
    std::string name;
    std::string text;
};

std::vector<Named> golden_profiles() {
    std::vector<Named> all;
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

// Hooks that do not take back what they do, or need a program that is not here, are left out: what they leave
// is their author's.
bool runs_hooks(const std::string& profile) {
    static const std::set<std::string> one_way{"key-from-hook", "kill-switch", "portal-server",
                                               "site-to-site"};
    return one_way.count(profile) == 0;
}

// One profile's cases, in namespaces of the caller. Throws what went wrong.
class Cases {
  public:
    Cases(const Named& profile, std::string before)
        : profile_(profile)
        , before_(std::move(before)) {
        // Names do not resolve here, and are not waited for.
        settings_.defaults.endpoint_wait = std::chrono::seconds(0);
        settings_.defaults.hooks = runs_hooks(profile.name);
    }
    int run() {
        test::put_profile(profile_.text);
        for (const Injury injury : {Injury::kFailBefore, Injury::kFailAfter})
            each("up", injury, &Cases::fails_in_up);
        for (const Injury injury : {Injury::kKillBefore, Injury::kKillAfter}) {
            each("up", injury, &Cases::killed_in_up);
            each("down", injury, &Cases::killed_in_down);
        }
        return count_;
    }

  private:
    // `one` says whether there was an operation n.
    void each(const char* verb, Injury injury, bool (Cases::*one)(int, Injury)) {
        int n = 0;
        for (bool reached = true; reached; ++n) {
            case_ = std::string(verb) + " " + test::words(injury) + " operation " + std::to_string(n);
            reached = (this->*one)(n, injury);
            expect_as_before();
            count_ += reached ? 1 : 0;
        }
        case_ = verb;
        expect(n > 1, "there is an operation to injure");
    }

    bool fails_in_up(int n, Injury injury) {
        CrashDaemon daemon({"", n, injury, settings_});
        daemon.injured.arm();
        const auto up = daemon.up();
        const bool reached = daemon.injured.disarm();
        // What may fail without undoing a tunnel is its DNS.
        if (!reached) expect(up.has_value(), "unharmed, it comes up: " + why(up));
        if (up) expect(daemon.down().has_value(), "down");
        return reached;
    }
    bool killed_in_up(int n, Injury injury) {
        const bool reached = in_child(n, injury, [](CrashDaemon& daemon) {
            daemon.injured.arm();
            return daemon.up();
        });
        CrashDaemon next({"", -1, injury, settings_});
        expect(next.recover().has_value(), "recovery");
        expect(next.is_up() == !reached, reached ? "it is not up" : "it is up");
        if (!reached) expect(next.down().has_value(), "down");
        return reached;
    }
    bool killed_in_down(int n, Injury injury) {
        const bool reached = in_child(n, injury, [](CrashDaemon& daemon) -> Result<void> {
            WGD_TRY(daemon.up());
            daemon.injured.arm();
            return daemon.down();
        });
        CrashDaemon next({"", -1, injury, settings_});
        expect(next.recover().has_value(), "recovery");
        expect(!next.is_up(), "it is not up");
        return reached;
    }

    // False: `work` came to its end, and it was success.
    bool in_child(int n, Injury injury, const std::function<Result<void>(CrashDaemon&)>& work) {
        const pid_t child = ::fork();
        if (child == 0) {
            CrashDaemon daemon({"", n, injury, settings_});
            const auto done = work(daemon);
            ::_exit(done ? 0 : 1);
        }
        int status = -1;
        expect(::waitpid(child, &status, 0) == child, "a child");
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
        expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "unharmed, it succeeds");
        return false;
    }

    void expect_as_before() {
        auto journal = sys::FileJournal::open("/run/wgd");
        expect(journal && (*journal)->pending_undo()->empty(), "no undo log is left");
        const std::string now = test::picture();
        if (now == before_) return;
        std::size_t at = 0;
        while (at < now.size() && at < before_.size() && now[at] == before_[at])
            ++at;
        at -= std::min<std::size_t>(at, 100);
        const std::string words = "'" + before_.substr(at, 400) + "' became '" + now.substr(at, 400) + "'";
        expect(false, "the namespace is as before: " + words);
    }
    static std::string why(const Result<void>& result) { return result ? "" : result.error().message; }
    void expect(bool truth, const std::string& what) const {
        if (!truth) throw std::runtime_error(profile_.name + ": " + case_ + ": not so: " + what);
    }

    const Named& profile_;
    std::string before_;
    control::Settings settings_;
    std::string case_;
    int count_ = 0;
};

// Every kWorkers-th profile, in a machine of its own. A line of text for each: a number of cases, or words.
std::string work(const std::vector<Named>& profiles, std::size_t first) {
    test::FreshNamespaces fresh;
    test::make_machine();
    // Hooks use iptables, which leaves its chains when the last rule is gone.
    test::run("for family in iptables ip6tables; do"
              " printf '%s\\n' '*filter' ':INPUT ACCEPT' ':FORWARD ACCEPT' ':OUTPUT ACCEPT' COMMIT"
              " '*nat' ':PREROUTING ACCEPT' ':INPUT ACCEPT' ':OUTPUT ACCEPT' ':POSTROUTING ACCEPT' COMMIT |"
              " $family-restore; done");
    { CrashDaemon first_daemon({}); } // makes /run/wgd
    const std::string before = test::picture();
    std::string lines;
    for (std::size_t i = first; i < profiles.size(); i += kWorkers) {
        try {
            lines += std::to_string(Cases(profiles[i], before).run()) + "\n";
        } catch (const std::exception& error) {
            std::string what = error.what();
            std::replace(what.begin(), what.end(), '\n', ' ');
            return lines + what + "\n"; // the next one would begin with what this one left
        }
    }
    return lines;
}

} // namespace

TEST_CASE("golden profiles: all of it or nothing of it, on the real kernel", "[golden]") {
    const auto profiles = golden_profiles();
    REQUIRE(profiles.size() >= 30);
    struct Worker {
        pid_t pid;
        Fd lines;
    };
    std::vector<Worker> workers;
    for (std::size_t first = 0; first < kWorkers; ++first) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        const pid_t pid = ::fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            std::string lines;
            try {
                lines = work(profiles, first);
            } catch (const std::exception& error) {
                lines = std::string(error.what()) + "\n";
            }
            const bool written =
                ::write(ends[1], lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
            ::_exit(written ? 0 : 1);
        }
        ::close(ends[1]);
        workers.push_back({pid, Fd(ends[0])});
    }
    std::size_t whole = 0;
    long cases = 0;
    for (Worker& worker : workers) {
        std::string lines;
        std::array<char, 4096> buffer{};
        for (ssize_t got = 0; (got = ::read(worker.lines.get(), buffer.data(), buffer.size())) > 0;)
            lines.append(buffer.data(), static_cast<std::size_t>(got));
        int status = -1;
        REQUIRE(::waitpid(worker.pid, &status, 0) == worker.pid);
        CHECK(status == 0);
        std::istringstream all(lines);
        for (std::string line; std::getline(all, line);) {
            if (line.empty() || line.find_first_not_of("0123456789") != std::string::npos) {
                FAIL_CHECK(line);
                continue;
            }
            cases += std::stol(line);
            ++whole;
        }
    }
    CHECK(whole == profiles.size());
    CHECK(cases > 1000);
    std::cout << cases << " failures and crashes of " << whole << " profiles\n";
}
