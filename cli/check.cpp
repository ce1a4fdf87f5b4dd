// SPDX-License-Identifier: MIT
// wgctl check NAME|FILE
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.hpp"
#include "cli/daemon_client.hpp"
#include "common/base/fd.hpp"
#include "common/base/secret_text.hpp"
#include "common/config/parser.hpp"
#include "common/model/limits.hpp"

namespace wgd::cli {
namespace {

bool is_file_name(const std::string& word) {
    const bool conf = word.size() > 5 && word.compare(word.size() - 5, 5, ".conf") == 0;
    return word == "-" || word.find('/') != std::string::npos || conf;
}

Outcome<SecretText> read_file(const std::string& path) {
    const auto failed = [&](int err) {
        return tl::unexpected(CommandError{err == ENOENT   ? kNotFound
                                           : err == EACCES ? kDenied
                                                           : kFailed,
                                           err == ENOENT ? "not-found" : "io",
                                           path + ": " + std::strerror(err)});
    };
    const Fd file(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return failed(errno);
    SecretText text;
    std::array<char, 65536> block; // holds keys: zeroed below
    for (;;) {
        const ssize_t n = ::read(file.get(), block.data(), block.size());
        const int err = errno;
        if (n > 0) text.append(block.data(), static_cast<std::size_t>(n));
        sodium_memzero(block.data(), block.size());
        if (n == 0) return text;
        if (n < 0 && err != EINTR) return failed(err);
        if (text.size() > kMaxProfileBytes)
            return tl::unexpected(
                CommandError{kBadProfile, "parse", path + ": larger than a profile may be"});
    }
}

// The name the profile would have: "home" for "/x/home.conf".
Result<ProfileName> name_of_file(const std::string& path) {
    if (path == "-") return ProfileName::parse("stdin");
    std::string base = path.substr(path.rfind('/') + 1); // npos + 1 is 0
    if (base.size() > 5 && base.compare(base.size() - 5, 5, ".conf") == 0) base.resize(base.size() - 5);
    return ProfileName::parse(base);
}

Outcome<std::vector<Diagnostic>> check_file(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    auto name = name_of_file(path);
    std::vector<Diagnostic> diagnostics;
    if (!name) // wrong for installing it, not for reading it
        diagnostics.push_back({Severity::kWarning, SourcePosition{1, 1},
                               "the file's name is no interface name: " + name.error().message, ""});
    const auto parsed = parse(*text, name ? *name : *ProfileName::parse("profile"));
    diagnostics.insert(diagnostics.end(), parsed.diagnostics.begin(), parsed.diagnostics.end());
    return diagnostics;
}

Outcome<std::vector<Diagnostic>> check_installed(const std::string& name) {
    auto daemon = DaemonClient::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    return (*daemon)->check(name);
}

nlohmann::ordered_json to_json(const std::string& file, const std::vector<Diagnostic>& diagnostics) {
    nlohmann::ordered_json json{
        {"version", 1}, {"file", file}, {"diagnostics", nlohmann::ordered_json::array()}};
    for (const auto& d : diagnostics)
        json["diagnostics"].push_back({{"severity", d.severity == Severity::kError ? "error" : "warning"},
                                       {"line", d.position.line},
                                       {"column", d.position.column},
                                       {"message", d.message},
                                       {"suggestion", d.suggestion}});
    return json;
}

} // namespace

int run_check(const Invocation& invocation) {
    const std::string& what = invocation.operands[0];
    const bool local = is_file_name(what);
    const auto found = local ? check_file(what) : check_installed(what);
    if (!found) return report(invocation, found.error());
    const std::string file = what == "-" ? "<stdin>" : local ? what : what + ".conf";
    const int written =
        print(invocation.has("--json") ? dump(to_json(file, *found)) : printable_lines(format(*found, file)));
    if (written != kOk) return written;
    if (has_errors(*found)) return kBadProfile;
    if (found->empty() && !invocation.has("--json")) return print(printable(file) + ": no mistakes found\n");
    return kOk;
}

} // namespace wgd::cli
