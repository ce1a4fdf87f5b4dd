// SPDX-License-Identifier: MIT
#include "daemon/plan/dns_text.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace wgd::plan {
namespace {

constexpr std::string_view kOriginalFile = "# original file, mode ";
constexpr std::string_view kOriginalLink = "# original link to ";
constexpr std::string_view kOriginalAbsent = "# original: none";
constexpr std::string_view kOriginalEnd = "# end of the original";
constexpr std::string_view kOriginalEndNoNewline = "# end of the original, which has no line end";
constexpr std::string_view kLinePrefix = "#|";

std::string join(const std::vector<std::string>& words) {
    std::string line;
    for (const auto& word : words)
        line += (line.empty() ? "" : " ") + word;
    return line;
}

void add_new(std::vector<std::string>& list, const std::string& word) {
    if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(word);
}

std::string servers_and_search(std::vector<std::string> servers, const std::vector<std::string>& search) {
    if (servers.size() > kMaxNameServers) servers.resize(kMaxNameServers);
    std::string text;
    for (const auto& server : servers)
        text += "nameserver " + server + "\n";
    if (!search.empty()) text += "search " + join(search) + "\n";
    return text;
}

std::string as_comment(const OriginalResolvConf& original) {
    if (original.kind == OriginalResolvConf::Kind::kAbsent) return std::string(kOriginalAbsent) + "\n";
    if (original.kind == OriginalResolvConf::Kind::kLink)
        return std::string(kOriginalLink) + original.text + "\n";
    char mode[48];
    std::snprintf(mode, sizeof mode, "%04o, owner %u:%u", original.mode, original.uid, original.gid);
    std::string text = std::string(kOriginalFile) + mode + ":\n";
    std::string_view rest = original.text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        text += kLinePrefix;
        text += rest.substr(0, end);
        text += '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    const bool ends = original.text.empty() || original.text.back() == '\n';
    return text + std::string(ends ? kOriginalEnd : kOriginalEndNoNewline) + "\n";
}

// The next line of `text`, which is shortened by it; nullopt at the end, or if the line has no end.
std::optional<std::string_view> take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

bool begins(std::string_view text, std::string_view with) {
    return text.substr(0, with.size()) == with;
}

std::optional<OriginalResolvConf> file_within(std::string_view first, std::string_view rest) {
    OriginalResolvConf original;
    original.kind = OriginalResolvConf::Kind::kFile;
    const std::string numbers(first.substr(kOriginalFile.size()));
    if (std::sscanf(numbers.c_str(), "%o, owner %u:%u:", &original.mode, &original.uid, &original.gid) != 3)
        return std::nullopt;
    original.mode &= 07777;
    while (const auto line = take_line(rest)) {
        if (*line == kOriginalEnd) return original;
        if (*line == kOriginalEndNoNewline) {
            if (!original.text.empty()) original.text.pop_back();
            return original;
        }
        if (!begins(*line, kLinePrefix)) return std::nullopt;
        original.text += line->substr(kLinePrefix.size());
        original.text += '\n';
    }
    return std::nullopt;
}

} // namespace

std::string resolvconf_text(const DnsSettings& settings) {
    std::string text;
    for (const auto& server : settings.servers)
        text += "nameserver " + server.to_string() + "\n";
    auto domains = settings.search;
    domains.insert(domains.end(), settings.route_only.begin(), settings.route_only.end());
    if (!domains.empty()) text += "search " + join(domains) + "\n";
    return text;
}

std::string resolv_conf_text(const DnsRequests& newest_first, const OriginalResolvConf& original) {
    std::vector<std::string> links;
    std::vector<std::string> servers;
    std::vector<std::string> search;
    bool exclusive = false;
    for (const auto& [link, settings] : newest_first) {
        links.push_back(link);
        // A plain resolv.conf cannot send some names here and others there.
        if (settings.split() || (settings.exclusive && exclusive)) continue;
        for (const auto& domain : settings.search)
            add_new(search, domain);
        if (!settings.exclusive) continue;
        exclusive = true;
        for (const auto& server : settings.servers)
            add_new(servers, server.to_string());
    }
    std::string kept;
    std::istringstream lines(original.content());
    std::vector<std::string> former_search; // of several lines the last one counts, resolv.conf(5)
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string keyword;
        words >> keyword;
        if (keyword == "options" || keyword == "sortlist") {
            kept += line + "\n";
        } else if (keyword == "nameserver") {
            std::string server;
            if (words >> server && !exclusive) add_new(servers, server);
        } else if (keyword == "search" || keyword == "domain") {
            former_search.clear();
            for (std::string domain; words >> domain;)
                add_new(former_search, domain);
        }
    }
    if (!exclusive)
        for (const auto& domain : former_search)
            add_new(search, domain);
    return std::string(kResolvConfMark) + join(links) +
           ". What was here before stands below, and comes back when the tunnels are down.\n" +
           servers_and_search(std::move(servers), search) + kept + as_comment(original);
}

std::optional<OriginalResolvConf> original_within(std::string_view text) {
    if (!begins(text, kResolvConfMark)) return std::nullopt;
    while (const auto line = take_line(text)) {
        if (*line == kOriginalAbsent) return OriginalResolvConf{};
        if (begins(*line, kOriginalLink)) {
            OriginalResolvConf original;
            original.kind = OriginalResolvConf::Kind::kLink;
            original.text = line->substr(kOriginalLink.size());
            return original;
        }
        if (begins(*line, kOriginalFile)) return file_within(*line, text);
    }
    return std::nullopt;
}

std::string resolv_conf_inside(const std::string& link, const DnsSettings& settings) {
    std::vector<std::string> servers;
    for (const auto& server : settings.servers)
        servers.push_back(server.to_string());
    return std::string(kResolvConfMark) + link + ".\n" +
           servers_and_search(std::move(servers), settings.search);
}

} // namespace wgd::plan
