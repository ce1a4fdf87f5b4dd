// SPDX-License-Identifier: MIT
#include "tests/netns/sys/idle_link.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sstream>
#include <sys/ioctl.h>

#include "common/base/fd.hpp"
#include "common/wgapi/uapi_codec.hpp"
#include "daemon/sys/rtnl_link.hpp"

namespace wgd::test {
namespace {

const std::filesystem::path kDevices = "/run/devices";

Result<WgDevice> load(const std::string& link) {
    std::stringstream text;
    text << std::ifstream(kDevices / link).rdbuf();
    auto device = uapi::parse_get_reply(text.str());
    if (device) device->name = link;
    return device;
}

// Whole or not at all, as the kernel changes a device.
void store(const std::string& link, const WgDevice& device) {
    const auto next = kDevices / ("." + link);
    const SecretText text = uapi::encode_get_reply(device);
    std::ofstream(next) << std::string_view(text);
    std::filesystem::rename(next, kDevices / link);
}

Result<void> make_link(const std::string& name) {
    const Fd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL;
    if (::ioctl(tun.get(), TUNSETIFF, &request) < 0 || ::ioctl(tun.get(), TUNSETPERSIST, 1) < 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot create link " + name);
    return {};
}

} // namespace

void IdleLinkExecutor::perform(const plan::Op& op, ports::Done done) {
    if (const auto* create = std::get_if<plan::CreateLink>(&op)) {
        std::filesystem::create_directories(kDevices);
        store(create->name, {});
        auto made = make_link(create->name);
        return done(made ? sys::set_link_alias(netlink_, create->name, create->alias) : std::move(made));
    }
    if (const auto* configure = std::get_if<plan::ConfigureDevice>(&op)) {
        auto device = load(configure->link);
        if (!device) return done(fail(std::move(device).error()));
        apply(*device, *configure->delta);
        store(configure->link, *device);
        return done({});
    }
    real_.perform(op, std::move(done));
}

Result<plan::Snapshot> IdleLinkReader::read(const ports::SnapshotScope& scope) {
    auto snapshot = real_.read(scope);
    WGD_TRY(snapshot);
    const auto link = snapshot->links.find(scope.link);
    if (link == snapshot->links.end() || link->second.kind != "tun") return snapshot;
    link->second.kind = "wireguard";
    if (scope.device) {
        auto device = load(scope.link);
        WGD_TRY(device);
        snapshot->device = std::move(*device);
    }
    snapshot->device_backend = plan::Backend::kKernel;
    return snapshot;
}

Result<WgDevice> IdleLinkReader::read_device(const std::string& link, const std::string&) {
    return load(link);
}

Result<ports::LinkReading> IdleLinkReader::read_link(const std::string& link, const std::string& netns) {
    ports::SnapshotScope scope;
    scope.link = link;
    scope.netns = netns;
    auto snapshot = read(scope);
    WGD_TRY(snapshot);
    if (!snapshot->device) return fail(Error{ErrorCode::kNotFound, "there is no link named " + link, ENODEV});
    return ports::LinkReading{snapshot->links.at(link), snapshot->addresses[link],
                              std::move(*snapshot->device), ""};
}

} // namespace wgd::test
