// SPDX-License-Identifier: MIT
#include "cli/command.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace wgd;
using namespace wgd::cli;

TEST_CASE("the command table is well formed") {
    std::set<std::string_view> names;
    for (const auto& command : commands()) {
        INFO(command.name);
        CHECK(names.insert(command.name).second);
        CHECK(command.run != nullptr);
        CHECK_FALSE(command.summary.empty());
        CHECK(command.summary.back() != '.');
        CHECK_FALSE(command.details.empty());
        CHECK(command.required <= command.operands.size());
        for (const auto& option : command.options)
            CHECK(option.name.substr(0, 2) == "--");
        CHECK(find_command(command.name) == &command);
    }
    CHECK(find_command("nosuch") == nullptr);
    CHECK(find_command("") == nullptr);
}

TEST_CASE("exit codes are what wgctl(1) promises") {
    CHECK(exit_code(ErrorCode::kInvalidName) == 2);
    CHECK(exit_code(ErrorCode::kNotAuthorized) == 4);
    CHECK(exit_code(ErrorCode::kParse) == 5);
    CHECK(exit_code(ErrorCode::kUnsafeFile) == 5);
    CHECK(exit_code(ErrorCode::kNotFound) == 6);
    CHECK(exit_code(ErrorCode::kConflict) == 7);
    CHECK(exit_code(ErrorCode::kBusy) == 7);
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
        CHECK(exit_code(static_cast<ErrorCode>(i)) != kOk);
}
