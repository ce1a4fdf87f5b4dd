// SPDX-License-Identifier: MIT
#include "common/base/log.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace wgd::log {
namespace {

std::mutex g_mutex;
Sink g_sink;
std::atomic<Level> g_level = Level::kInfo;

// One line is one line: a control character in a message from outside must not forge another entry.
std::string one_line(std::string_view message) {
    std::string line(message);
    for (auto& c : line)
        if (static_cast<unsigned char>(c) < 0x20 && c != '\t') c = ' ';
    return line;
}

} // namespace

void set_sink(Sink sink) {
    const std::lock_guard lock(g_mutex);
    g_sink = std::move(sink);
}

void set_level(Level level) {
    g_level = level;
}
Level level() {
    return g_level;
}

Sink stderr_sink(std::string program) {
    const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
    return [program = std::move(program), journal](Level level, std::string_view message) {
        const std::string line = one_line(message);
        if (journal)
            std::fprintf(stderr, "<%d>%s\n", static_cast<int>(level), line.c_str());
        else
            std::fprintf(stderr, "%s: %s%s\n", program.c_str(),
                         level == Level::kError     ? "error: "
                         : level == Level::kWarning ? "warning: "
                                                    : "",
                         line.c_str());
    };
}

void write(Level level, std::string_view message) {
    if (level > g_level) return;
    const std::lock_guard lock(g_mutex);
    if (g_sink) g_sink(level, message);
}

} // namespace wgd::log
