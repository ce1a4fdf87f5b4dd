// SPDX-License-Identifier: MIT
#include "cli/wg_device.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <netdb.h>
#include <thread>

#include "cli/terminal.hpp"

namespace wgd::cli {
namespace {

constexpr unsigned kDefaultRetries = 15;
constexpr double kFirstDelay = 1.0;
constexpr double kDelayGrowth = 1.2;
constexpr double kLongestDelay = 20.0;

// nullopt: no limit. Complains about nonsense and ends, as wg(8) does.
std::optional<unsigned> retries() {
    const char* text = std::getenv("WG_ENDPOINT_RESOLUTION_RETRIES");
    if (text == nullptr) return kDefaultRetries;
    if (std::string_view(text) == "infinity") return std::nullopt;
    char* end = nullptr;
    errno = 0;
    const unsigned long count = std::strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || count > UINT32_MAX) {
        std::fprintf(stderr, "Unable to parse WG_ENDPOINT_RESOLUTION_RETRIES: `%s'\n",
                     printable(text).c_str());
        std::exit(kFailed);
    }
    return static_cast<unsigned>(count);
}

// What asking again cannot change.
bool is_final(int error) {
    return error == EAI_NONAME || error == EAI_FAIL || error == EAI_NODATA;
}

} // namespace

void print_wg_usage(const Invocation& invocation, std::string_view arguments) {
    std::fputs(fmt::format("Usage: {} {}{}{}\n", invocation.program, invocation.command,
                           arguments.empty() ? "" : " ", arguments)
                   .c_str(),
               stderr);
}

std::string wg_reason(const Error& error) {
    return error.sys_errno != 0 ? std::string(std::strerror(error.sys_errno)) : error.message;
}

std::optional<SystemClient> open_devices() {
    auto client = SystemClient::open();
    if (client) return *std::move(client);
    std::fprintf(stderr, "Unable to access interfaces: %s\n", wg_reason(client.error()).c_str());
    return std::nullopt;
}

std::optional<WgDevice> read_device(WgClient& client, const std::string& name) {
    auto device = client.get(name);
    if (device) return *std::move(device);
    std::fprintf(stderr, "Unable to access interface: %s\n", printable(wg_reason(device.error())).c_str());
    return std::nullopt;
}

bool change_device(WgClient& client, const std::string& name, const DeviceDelta& delta) {
    const auto done = client.set(name, delta);
    if (done) return true;
    std::fprintf(stderr, "Unable to modify interface: %s\n", printable(wg_reason(done.error())).c_str());
    return false;
}

std::optional<Endpoint> look_up(const EndpointSpec& endpoint) {
    if (const auto numeric = endpoint.numeric()) return numeric;
    const std::string host = endpoint.scope.empty() ? endpoint.host : endpoint.host + "%" + endpoint.scope;
    const std::string port = std::to_string(endpoint.port);
    const auto limit = retries();
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_protocol = IPPROTO_UDP;
    double delay = kFirstDelay;
    for (unsigned tried = 0;; ++tried) {
        addrinfo* found = nullptr;
        const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
        if (error == 0) {
            auto first = Endpoint::from_sockaddr(found->ai_addr, found->ai_addrlen);
            ::freeaddrinfo(found);
            if (first) return first;
        }
        const char* reason = error == 0            ? "No usable address"
                             : error == EAI_SYSTEM ? std::strerror(errno)
                                                   : ::gai_strerror(error);
        std::fputs(fmt::format("{}: `{}'", reason, printable(endpoint.text)).c_str(), stderr);
        if (error == 0 || is_final(error) || (limit && tried >= *limit)) {
            std::fputs("\n", stderr);
            return std::nullopt;
        }
        std::fputs(fmt::format(". Trying again in {:.2f} seconds...\n", delay).c_str(), stderr);
        std::this_thread::sleep_for(std::chrono::duration<double>(delay));
        delay = std::min(delay * kDelayGrowth, kLongestDelay);
    }
}

std::optional<ResolvedPeerEndpoints> look_up_all(const Profile& profile) {
    ResolvedPeerEndpoints endpoints;
    for (const auto& peer : profile.peers) {
        endpoints.emplace_back();
        if (!peer.endpoint) continue;
        endpoints.back() = look_up(*peer.endpoint);
        if (!endpoints.back()) return std::nullopt;
    }
    return endpoints;
}

std::string fwmark_text(std::uint32_t mark) {
    return mark == 0 ? "off" : fmt::format("{:#x}", mark);
}

} // namespace wgd::cli
