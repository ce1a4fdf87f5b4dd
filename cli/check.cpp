// SPDX-License-Identifier: MIT
// wgctl check NAME|FILE
#include "cli/command.hpp"
#include "cli/daemon_client.hpp"
#include "cli/profile_file.hpp"
#include "common/config/parser.hpp"

namespace wgd::cli {
namespace {

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
