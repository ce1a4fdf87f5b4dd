// SPDX-License-Identifier: MIT
// Log facade. Where the lines go is decided once, in main (stderr with systemd's <N> prefixes, or plain).
// Core code (config, plan, datapath/wg) never logs; it returns. Log an error or return it, not both.
// Thread-safe. Never pass a secret: the types that hold one are not formattable.
#pragma once

#include <fmt/format.h>
#include <functional>
#include <string>
#include <string_view>

namespace wgd::log {

enum class Level { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 }; // syslog(3) numbers

using Sink = std::function<void(Level, std::string_view message)>;

void set_sink(Sink sink);
void set_level(Level level); // lines less important than this are dropped; default kInfo
[[nodiscard]] Level level();
// Writes "<N>message" when stderr is systemd's journal stream ($JOURNAL_STREAM), else "wgd: message".
Sink stderr_sink(std::string program);

void write(Level level, std::string_view message);

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kNotice, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (level() >= Level::kInfo) write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (level() >= Level::kDebug) write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace wgd::log
