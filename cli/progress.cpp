// SPDX-License-Identifier: MIT
#include "cli/progress.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace wgd::cli {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(500); // what takes less needs no explanation

bool smart_terminal() {
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

} // namespace

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what))
    , terminal_(smart_terminal()) {}

ProgressLine::~ProgressLine() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
}

DaemonClient::Progress ProgressLine::callback() {
    if (!terminal_) return {};
    return [this](const std::string& state) { show(state); };
}

void ProgressLine::show(const std::string& state) {
    const auto elapsed = std::chrono::steady_clock::now() - start_;
    if (elapsed < kPatience) return;
    shown_ = true;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
    std::fputs(fmt::format("\r\x1b[K{}: {} ... {} s", printable(what_),
                           state.empty() ? "waiting" : printable(state), seconds)
                   .c_str(),
               stderr);
    std::fflush(stderr);
}

} // namespace wgd::cli
