// SPDX-License-Identifier: MIT
// Whole files: profiles/NAME.conf are shaped like those that providers and installers write, bad/NAME.conf
// are wrong in every way we know. NAME.expected beside each is what the parser says. With WGD_UPDATE_GOLDEN=1
// in the environment the expected files are written instead; read the difference before you commit it.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "common/config/strip.hpp"
#include "tests/golden/profile_dump.hpp"
#include "tests/source_tree/source_tree.hpp"

using namespace wgd;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = test::source_tree("tests/golden");

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::set<fs::path> files(const std::string& folder) {
    std::set<fs::path> out;
    for (const auto& entry : fs::directory_iterator(kRoot / folder))
        if (entry.path().extension() == ".conf") out.insert(entry.path());
    return out;
}

ParseOutcome parse_file(const fs::path& path, Dialect dialect = Dialect::kWgQuick) {
    return parse(read(path), *ProfileName::parse("golden"), dialect);
}

void check_folder(const std::string& folder, std::size_t at_least, bool good) {
    const auto all = files(folder);
    CHECK(all.size() >= at_least);
    for (const auto& path : all) {
        CAPTURE(path.filename().string());
        const auto outcome = parse_file(path);
        CHECK(outcome.profile.has_value() == good);
        const auto text = golden::dump(outcome, path.filename().string());
        auto expected = path;
        expected.replace_extension(".expected");
        if (std::getenv("WGD_UPDATE_GOLDEN") != nullptr)
            std::ofstream(expected, std::ios::binary) << text;
        else
            CHECK(text == read(expected));
    }
}

} // namespace

TEST_CASE("profiles of the real world") {
    check_folder("profiles", 30, true);
}

TEST_CASE("files that are refused") {
    check_folder("bad", 15, false);
}

TEST_CASE("what strip leaves of a good profile is a good wg(8) configuration with the same peers") {
    for (const auto& path : files("profiles")) {
        if (path.stem() == "odd-spacing") continue; // its header has spaces: wg-quick strips nothing of it
        CAPTURE(path.filename().string());
        const auto whole = parse_file(path);
        const auto rest = parse(strip(read(path)), *ProfileName::parse("golden"), Dialect::kWg);
        REQUIRE(whole.profile);
        REQUIRE(rest.profile);
        CHECK(rest.profile->listen_port == whole.profile->listen_port);
        CHECK(rest.profile->peers.size() == whole.profile->peers.size());
        CHECK(rest.profile->addresses.empty());
        CHECK_FALSE(rest.profile->has_hooks());
    }
}
