// SPDX-License-Identifier: MIT
#include "daemon/sys/journal.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "daemon/plan/op_json.hpp"

using namespace wgd;
using namespace wgd::sys;
using plan::Op;

namespace {

struct Directory {
    std::string path;
    Directory() {
        char name[] = "/tmp/wgdt-journal-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Directory() { std::filesystem::remove_all(path); }
};

ProfileName name(const char* text) {
    return ProfileName::parse(text).value();
}
Op mtu(std::uint32_t value) {
    return plan::SetMtu{"home", value};
}

std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::uint32_t> mtus(const std::vector<Op>& ops) {
    std::vector<std::uint32_t> values;
    for (const Op& op : ops)
        values.push_back(std::get<plan::SetMtu>(op).mtu);
    return values;
}

} // namespace

TEST_CASE("undo is read back last step first, the ops of a step in their order") {
    Directory directory;
    {
        auto journal = std::move(FileJournal::open(directory.path)).value();
        REQUIRE(journal->append_undo(name("home"), {mtu(1), mtu(2)}));
        REQUIRE(journal->append_undo(name("home"), {}));
        REQUIRE(journal->append_undo(name("work"), {mtu(9)}));
        REQUIRE(journal->append_undo(name("home"), {mtu(3)}));
    }
    auto journal = std::move(FileJournal::open(directory.path)).value();
    auto pending = std::move(journal->pending_undo()).value();
    REQUIRE(pending.size() == 2);
    CHECK(pending[0].first == name("home"));
    CHECK(mtus(pending[0].second) == std::vector<std::uint32_t>{3, 1, 2});
    CHECK(mtus(pending[1].second) == std::vector<std::uint32_t>{9});
    REQUIRE(journal->clear_undo(name("home")));
    REQUIRE(journal->clear_undo(name("home")));
    CHECK(journal->pending_undo()->size() == 1);
}

TEST_CASE("a log cut at any byte loses the line that was being written and no other") {
    Directory directory;
    const std::string file = directory.path + "/undo/home";
    {
        auto journal = std::move(FileJournal::open(directory.path)).value();
        for (std::uint32_t i = 1; i <= 4; ++i)
            REQUIRE(journal->append_undo(name("home"), {mtu(1000 + i)}));
    }
    const std::string whole = read(file);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        std::ofstream(file, std::ios::trunc) << whole.substr(0, size);
        const auto lines = static_cast<std::size_t>(
            std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
        auto journal = std::move(FileJournal::open(directory.path)).value();
        auto pending = std::move(journal->pending_undo()).value();
        REQUIRE(pending.size() == 1);
        REQUIRE(pending[0].second.size() == lines);
        // What is appended next is not glued to the torn line.
        REQUIRE(journal->append_undo(name("home"), {mtu(7)}));
        auto after = std::move(journal->pending_undo()).value();
        REQUIRE(after[0].second.size() == lines + 1);
        REQUIRE(mtus(after[0].second).front() == 7);
    }
}

TEST_CASE("killed while appending, every step that was reported written is there") {
    for (int round = 0; round < 20; ++round) {
        Directory directory;
        int reported[2];
        REQUIRE(::pipe(reported) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            auto journal = std::move(FileJournal::open(directory.path)).value();
            for (std::uint32_t i = 1;; ++i) {
                if (!journal->append_undo(name("home"), {mtu(i)})) ::_exit(1);
                if (!journal->save_record(name("home"), std::string(1 + i % 5000, 'x') + "\n")) ::_exit(1);
                if (::write(reported[1], "x", 1) != 1) ::_exit(1);
            }
        }
        ::close(reported[1]);
        char byte = 0;
        std::size_t count = 0;
        while (count < 50U + static_cast<unsigned>(round) * 7 && ::read(reported[0], &byte, 1) == 1)
            ++count;
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        while (::read(reported[0], &byte, 1) == 1)
            ++count;
        ::close(reported[0]);
        auto journal = std::move(FileJournal::open(directory.path)).value();
        auto pending = std::move(journal->pending_undo()).value();
        REQUIRE(pending.size() == 1);
        const auto values = mtus(pending[0].second);
        REQUIRE(values.size() >= count);
        REQUIRE(values.size() <= count + 1);
        for (std::size_t i = 0; i < values.size(); ++i)
            REQUIRE(values[i] == values.size() - i);
        // A record is the old or the new one, whole.
        auto records = std::move(journal->load_records()).value();
        REQUIRE(records.size() == 1);
        const std::string& text = records[0].second;
        REQUIRE(text.back() == '\n');
        const std::size_t size = text.size();
        const bool known = size == 1 + count % 5000 + 1 || size == 1 + (count + 1) % 5000 + 1;
        REQUIRE(known);
    }
}

TEST_CASE("records are replaced and removed") {
    Directory directory;
    auto journal = std::move(FileJournal::open(directory.path)).value();
    CHECK(journal->load_records()->empty());
    REQUIRE(journal->save_record(name("home"), "{\"mark\":1}"));
    REQUIRE(journal->save_record(name("home"), "{\"mark\":51820}"));
    REQUIRE(journal->save_record(name(".hidden.undo"), "{}"));
    auto records = std::move(journal->load_records()).value();
    REQUIRE(records.size() == 2);
    CHECK(records[0].first == name(".hidden.undo"));
    CHECK(records[1].second == "{\"mark\":51820}");
    REQUIRE(journal->remove_record(name("home")));
    REQUIRE(journal->remove_record(name("home")));
    CHECK(journal->load_records()->size() == 1);
}

TEST_CASE("everything is root's alone, whatever the umask") {
    Directory directory;
    const mode_t before = ::umask(0);
    auto journal = std::move(FileJournal::open(directory.path + "/run")).value();
    REQUIRE(journal->append_undo(name("home"), {mtu(1)}));
    REQUIRE(journal->save_record(name("home"), "{}"));
    ::umask(before);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path + "/run")) {
        struct stat status {};
        REQUIRE(::stat(entry.path().c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == (entry.is_directory() ? 0700U : 0600U));
    }
}

TEST_CASE("a second wgd does not get the directory while the first has it") {
    Directory directory;
    auto first = FileJournal::open(directory.path);
    REQUIRE(first);
    auto second = FileJournal::open(directory.path);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == ErrorCode::kBusy);
    first->reset();
    CHECK(FileJournal::open(directory.path));
}

TEST_CASE("a damaged line in the middle is reported, the others are still undone") {
    Directory directory;
    std::vector<std::string> logged;
    log::set_sink([&](log::Level, std::string_view line) { logged.emplace_back(line); });
    auto journal = std::move(FileJournal::open(directory.path)).value();
    std::ofstream(directory.path + "/undo/home") << plan::ops_to_json({mtu(1)}) << "\ngarbage\n"
                                                 << plan::ops_to_json({mtu(2)}) << "\n";
    auto pending = std::move(journal->pending_undo()).value();
    log::set_sink(nullptr);
    CHECK(mtus(pending.at(0).second) == std::vector<std::uint32_t>{2, 1});
    REQUIRE(logged.size() == 1);
    CHECK(logged[0].find("undo/home, line 2: ") != std::string::npos);
}

TEST_CASE("a full disk takes no step: the line that did not fit is gone again") {
    Directory directory;
    auto journal = std::move(FileJournal::open(directory.path)).value();
    REQUIRE(journal->append_undo(name("home"), {mtu(1)}));
    const std::string before = read(directory.path + "/undo/home");
    const pid_t child = ::fork(); // the limit is for good
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{before.size() + 10, before.size() + 10};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ::_exit(journal->append_undo(name("home"), {mtu(2)}) ? 1 : 0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(read(directory.path + "/undo/home") == before);
}
