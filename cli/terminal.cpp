// SPDX-License-Identifier: MIT
#include "cli/terminal.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "cli/exit_code.hpp"

namespace wgd::cli {
namespace {

// C0, DEL and, in UTF-8, C1 (0xc2 0x80..0x9f), which terminals obey as well.
std::string clean(std::string_view text, bool keep_lines) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        const bool control = c1 || byte < 0x20 || byte == 0x7f;
        out += control && !(keep_lines && byte == '\n') ? '?' : text[i];
    }
    return out;
}

} // namespace

int print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
        return kOk;
    std::perror("cannot write the answer");
    return kFailed;
}

std::string printable(std::string_view text) {
    return clean(text, false);
}
std::string printable_lines(std::string_view text) {
    return clean(text, true);
}

Style Style::for_stdout() {
    const char* mode = std::getenv("WG_COLOR_MODE");
    const std::string_view wanted = mode == nullptr ? "auto" : mode;
    if (wanted == "always" || wanted == "never") return Style(wanted == "always");
    const char* no_color = std::getenv("NO_COLOR");
    return Style((no_color == nullptr || *no_color == '\0') && ::isatty(STDOUT_FILENO) == 1);
}

std::string Style::wrap(const char* code, std::string_view text) const {
    return colours_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string duration_text(std::uint64_t seconds, const Style& style) {
    static constexpr std::array<std::pair<std::uint64_t, const char*>, 5> kUnits{
        {{365 * 86400, "year"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}}};
    std::string text;
    for (const auto& [length, unit] : kUnits) {
        const std::uint64_t count = seconds / length;
        seconds %= length;
        if (count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count,
                                style.cyan(std::string(unit) + (count == 1 ? "" : "s")));
    }
    return text.empty() ? "0 " + style.cyan("seconds") : text;
}

std::string ago_text(std::uint64_t then, std::uint64_t now, const Style& style) {
    if (then == now) return "Now";
    if (then > now)
        return "(" + style.red("System clock wound backward; connection problems may ensue.") + ")";
    return duration_text(now - then, style) + " ago";
}

std::string bytes_text(std::uint64_t bytes, const Style& style) {
    static constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return fmt::format("{} {}", bytes, style.cyan(kUnits[0]));
    std::size_t unit = 1;
    double amount = static_cast<double>(bytes) / 1024;
    while (unit + 1 < kUnits.size() && bytes >> (10 * (unit + 1)) != 0) {
        amount /= 1024;
        ++unit;
    }
    return fmt::format("{:.2f} {}", amount, style.cyan(kUnits[unit]));
}

std::uint64_t now_epoch() {
    return static_cast<std::uint64_t>(std::time(nullptr));
}

} // namespace wgd::cli
