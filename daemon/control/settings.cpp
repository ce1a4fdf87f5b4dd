// SPDX-License-Identifier: MIT
#include "daemon/control/settings.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <functional>
#include <sstream>
#include <toml.hpp>
#include <vector>

#include "daemon/plan/exclusion.hpp"

namespace wgd::control {
namespace {

// Edits between two words (insertions, deletions, replacements), to suggest what was meant.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

struct Key {
    std::string_view name;
    std::function<void(const toml::value&)> read;
};

class Reader {
  public:
    explicit Reader(std::string file)
        : file_(std::move(file)) {}

    Result<Settings> read(const toml::value& root) {
        table(root, "",
              {{"daemon", [&](const toml::value& value) { daemon(value); }},
               {"defaults", [](const toml::value&) {}},
               {"tunnel", [](const toml::value&) {}}});
        // The defaults first, wherever they stand in the file: the tunnels begin with them.
        if (root.contains("defaults")) tunnel(root.at("defaults"), "defaults", settings_.defaults);
        if (root.contains("tunnel")) tunnels(root.at("tunnel"));
        if (problems_.empty()) return std::move(settings_);
        std::sort(problems_.begin(), problems_.end());
        std::string text;
        for (const auto& [line, message] : problems_)
            text += fmt::format("{}{}:{}: {}", text.empty() ? "" : "\n", file_, line, message);
        return fail(ErrorCode::kParse, text);
    }

  private:
    void problem(const toml::value& at, std::string message) {
        problems_.emplace_back(at.location().line(), std::move(message));
    }

    void table(const toml::value& value, const std::string& name, const std::vector<Key>& keys) {
        if (!value.is_table())
            return problem(value, fmt::format("'{}' is a section: write [{}]", name, name));
        for (const auto& item : value.as_table()) {
            const std::string& key = item.first; // clang 14 cannot capture a structured binding
            const toml::value& entry = item.second;
            const auto known =
                std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == key; });
            if (known != keys.end())
                known->read(entry);
            else
                unknown(entry, key, name, keys);
        }
    }

    void unknown(const toml::value& at, const std::string& key, const std::string& section,
                 const std::vector<Key>& keys) {
        std::string message = fmt::format("unknown {} '{}'", section.empty() ? "section or key" : "key", key);
        if (!section.empty()) message += fmt::format(" in [{}]", section);
        const auto nearest = std::min_element(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
            return distance(key, a.name) < distance(key, b.name);
        });
        if (nearest != keys.end() && distance(key, nearest->name) <= std::max<std::size_t>(2, key.size() / 3))
            message += fmt::format(" (did you mean '{}'?)", nearest->name);
        problem(at, message);
    }

    std::optional<std::string> text(const toml::value& value, std::string_view key) {
        if (value.is_string()) return value.as_string().str;
        problem(value, fmt::format("{} is a text: write it in quotes", key));
        return std::nullopt;
    }

    template <class T>
    void word(const toml::value& value, std::string_view key, T& into,
              const std::vector<std::pair<std::string_view, T>>& words) {
        const auto given = text(value, key);
        if (!given) return;
        std::string list;
        for (const auto& [name, meaning] : words) {
            if (name == *given) {
                into = meaning;
                return;
            }
            list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name);
        }
        problem(value, fmt::format("{} = \"{}\" is none of {}", key, *given, list));
    }

    void boolean(const toml::value& value, std::string_view key, bool& into) {
        if (!value.is_boolean())
            return problem(value, fmt::format("{} is true or false, without quotes", key));
        into = value.as_boolean();
    }

    // true, false, or the interface that packets have to leave by. The name reaches nft, so it has to be one.
    void masquerade(const toml::value& value, plan::Gateway& into) {
        if (value.is_boolean()) {
            into.masquerade = value.as_boolean();
            into.masquerade_out.clear();
            return;
        }
        if (!value.is_string() || !ProfileName::parse(value.as_string().str))
            return problem(value, "masquerade is true, false, or the name of an interface in quotes");
        into.masquerade = true;
        into.masquerade_out = value.as_string().str;
    }

    void lock(const toml::value& value, std::string_view key, plan::LockMode& into) {
        if (value.is_boolean())
            into = value.as_boolean() ? plan::LockMode::kOn : plan::LockMode::kOff;
        else if (value.is_string() && value.as_string().str == "lan")
            into = plan::LockMode::kLan;
        else
            problem(value, fmt::format("{} is true, false or \"lan\"", key));
    }

    void seconds(const toml::value& value, std::string_view key, std::chrono::seconds& into,
                 std::int64_t least) {
        constexpr std::int64_t kMost = 24 * 60 * 60;
        if (!value.is_integer() || value.as_integer() < least || value.as_integer() > kMost)
            return problem(value, fmt::format("{} is a number of seconds from {} to {}", key, least, kMost));
        into = std::chrono::seconds(value.as_integer());
    }

    void ranges(const toml::value& value, std::string_view key, std::vector<IpPrefix>& into) {
        if (!value.is_array())
            return problem(value, fmt::format("{0} is a list: {0} = [\"192.168.0.0/16\", \"lan\"]", key));
        into.clear();
        for (const toml::value& item : value.as_array()) {
            const auto given = text(item, fmt::format("what is in {}", key));
            if (!given) continue;
            if (*given == "lan") {
                into.insert(into.end(), plan::lan_ranges().begin(), plan::lan_ranges().end());
            } else if (const auto range = IpPrefix::parse(*given); !range) {
                problem(item, fmt::format("{} has \"{}\", which is neither an address range nor \"lan\"", key,
                                          *given));
            } else if (range->is_default()) {
                problem(item,
                        fmt::format("{} has \"{}\": nothing would be left for the tunnel", key, *given));
            } else {
                into.push_back(range->network());
            }
        }
    }

    // It becomes the name of a file under /run/netns (ip-netns(8)).
    void namespace_name(const toml::value& value, std::string_view key, std::string& into) {
        const auto given = text(value, key);
        if (!given) return;
        constexpr std::size_t kLongest = 64;
        const bool allowed =
            given->size() <= kLongest && std::all_of(given->begin(), given->end(), [](unsigned char c) {
                return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
            });
        if (!allowed || (!given->empty() && given->front() == '.'))
            return problem(
                value, fmt::format("{} is a name of letters, digits, '_', '-' and '.', at most {} long, that "
                                   "does not begin with '.'",
                                   key, kLongest));
        into = *given;
    }

    // A program run as root, or a directory trusted with keys: never found by way of a working directory.
    void path(const toml::value& value, std::string_view key, std::string& into) {
        const auto given = text(value, key);
        if (!given) return;
        if (given->empty() || given->front() != '/')
            return problem(value, fmt::format("{} is a path from the root: begin it with '/'", key));
        into = *given;
    }

    void daemon(const toml::value& value) {
        using log::Level;
        table(value, "daemon",
              {{"profile_dir", [&](const toml::value& v) { path(v, "profile_dir", settings_.profile_dir); }},
               {"datapath", [&](const toml::value& v) { path(v, "datapath", settings_.datapath); }},
               {"lockdown", [&](const toml::value& v) { lock(v, "lockdown", settings_.lockdown); }},
               {"log_level", [&](const toml::value& v) {
                    word<Level>(v, "log_level", settings_.log_level,
                                {{"error", Level::kError},
                                 {"warning", Level::kWarning},
                                 {"notice", Level::kNotice},
                                 {"info", Level::kInfo},
                                 {"debug", Level::kDebug}});
                }}});
    }

    void dns(const toml::value& value, plan::DnsPreference& into) {
        using plan::DnsBackend;
        using Words = std::pair<bool, std::optional<DnsBackend>>;
        Words chosen{into.none, into.backend};
        word<Words>(value, "dns", chosen,
                    {{"auto", {false, std::nullopt}},
                     {"resolved", {false, DnsBackend::kResolved}},
                     {"resolvconf", {false, DnsBackend::kResolvconf}},
                     {"networkmanager", {false, DnsBackend::kNetworkManager}},
                     {"file", {false, DnsBackend::kFile}},
                     {"none", {true, std::nullopt}}});
        into.none = chosen.first;
        into.backend = chosen.second;
    }

    void tunnel(const toml::value& value, const std::string& section, TunnelSettings& into) {
        if (value.is_table())
            for (const auto& item : value.as_table())
                into.places[item.first] = fmt::format("{}:{}", file_, item.second.location().line());
        table(value, section,
              {{"backend",
                [&](const toml::value& v) {
                    word<BackendPreference>(v, "backend", into.backend,
                                            {{"auto", BackendPreference::kAuto},
                                             {"kernel", BackendPreference::kKernel},
                                             {"userspace", BackendPreference::kUserspace}});
                }},
               {"on_link_lost",
                [&](const toml::value& v) {
                    word<OnLinkLost>(v, "on_link_lost", into.on_link_lost,
                                     {{"fail", OnLinkLost::kFail}, {"rebuild", OnLinkLost::kRebuild}});
                }},
               {"endpoint_wait",
                [&](const toml::value& v) { seconds(v, "endpoint_wait", into.endpoint_wait, 0); }},
               {"endpoint_retry",
                [&](const toml::value& v) { seconds(v, "endpoint_retry", into.endpoint_retry, 1); }},
               {"endpoint_retry_max",
                [&](const toml::value& v) { seconds(v, "endpoint_retry_max", into.endpoint_retry_max, 1); }},
               {"endpoint_refresh",
                [&](const toml::value& v) {
                    word<EndpointRefresh>(v, "endpoint_refresh", into.endpoint_refresh,
                                          {{"auto", EndpointRefresh::kAuto},
                                           {"follow", EndpointRefresh::kFollow},
                                           {"never", EndpointRefresh::kNever}});
                }},
               {"endpoint_ttl_min",
                [&](const toml::value& v) { seconds(v, "endpoint_ttl_min", into.endpoint_ttl_min, 1); }},
               {"autoconnect",
                [&](const toml::value& v) {
                    if (section == "defaults")
                        problem(v, "autoconnect is for one tunnel: write it in a section [tunnel.NAME]");
                    else
                        boolean(v, "autoconnect", into.autoconnect);
                }},
               {"kill_switch", [&](const toml::value& v) { lock(v, "kill_switch", into.kill_switch); }},
               {"forward", [&](const toml::value& v) { boolean(v, "forward", into.gateway.forward); }},
               {"masquerade", [&](const toml::value& v) { masquerade(v, into.gateway); }},
               {"mss_clamp", [&](const toml::value& v) { boolean(v, "mss_clamp", into.gateway.mss_clamp); }},
               {"isolate_peers",
                [&](const toml::value& v) { boolean(v, "isolate_peers", into.gateway.isolate_peers); }},
               {"mtu_probe", [&](const toml::value& v) { boolean(v, "mtu_probe", into.mtu_probe); }},
               {"netns", [&](const toml::value& v) { namespace_name(v, "netns", into.netns); }},
               {"exclude", [&](const toml::value& v) { ranges(v, "exclude", into.exclude); }},
               {"hooks", [&](const toml::value& v) { boolean(v, "hooks", into.hooks); }},
               {"dns", [&](const toml::value& v) { dns(v, into.dns); }},
               {"dns_required", [&](const toml::value& v) { boolean(v, "dns_required", into.dns.required); }},
               {"hook_timeout",
                [&](const toml::value& v) { seconds(v, "hook_timeout", into.hook_timeout, 1); }}});
        if (into.endpoint_retry > into.endpoint_retry_max)
            problem(value,
                    fmt::format("endpoint_retry ({} s) is more than endpoint_retry_max ({} s) in [{}]",
                                into.endpoint_retry.count(), into.endpoint_retry_max.count(), section));
        // The switch closes the machine; a tunnel in a namespace of its own leaves the machine alone.
        if (!into.netns.empty() && into.kill_switch != plan::LockMode::kOff)
            problem(value,
                    fmt::format("kill_switch and netns exclude each other in [{}]: a namespace whose only "
                                "network is the tunnel leaks nothing",
                                section));
    }

    void tunnels(const toml::value& value) {
        if (!value.is_table())
            return problem(value, "'tunnel' is a section for each tunnel: write [tunnel.NAME]");
        for (const auto& [key, entry] : value.as_table()) {
            const auto name = ProfileName::parse(key);
            if (!name) {
                problem(entry, name.error().message);
                continue;
            }
            TunnelSettings settings = settings_.defaults;
            tunnel(entry, "tunnel." + key, settings);
            settings_.tunnels.emplace(key, settings);
        }
    }

    std::string file_;
    Settings settings_;
    std::vector<std::pair<std::size_t, std::string>> problems_;
};

} // namespace

const TunnelSettings& Settings::of(const ProfileName& name) const {
    const auto found = tunnels.find(name.str());
    return found == tunnels.end() ? defaults : found->second;
}

Result<Settings> Settings::parse(std::string_view text, const std::string& file) {
    try {
        std::istringstream stream{std::string(text)};
        return Reader(file).read(toml::parse(stream, file));
    } catch (const toml::exception& error) {
        // What toml11 says is several lines with a picture; the first line is the sentence.
        std::string what = error.what();
        what = what.substr(0, what.find('\n'));
        if (what.rfind("[error] ", 0) == 0) what.erase(0, 8);
        return fail(ErrorCode::kParse, fmt::format("{}:{}: {}", file, error.location().line(), what));
    } catch (const std::exception& error) {
        return fail(ErrorCode::kParse, fmt::format("{}: {}", file, error.what()));
    }
}

} // namespace wgd::control
