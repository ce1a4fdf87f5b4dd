// SPDX-License-Identifier: MIT
#include "datapath/io/tun.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/model/limits.hpp"
#include "datapath/io/splitter.hpp"

namespace wgd::io {

namespace {

// Linux 6.2; not in Debian 12's headers.
constexpr unsigned kTunFUso4 = 0x20;
constexpr unsigned kTunFUso6 = 0x40;

// The kernel's 500 packets overflow while the thread that empties the queue waits for its core; 5000 small
// ones last for 20 ms at 250,000 a second. TCP does not fill it: its super-packets count as one each, and
// what it may have under way is limited by its windows (docs/performance.md).
constexpr int kTransmitQueueLength = 5000;

void set_name(ifreq& request, const std::string& name) {
    std::memset(&request, 0, sizeof request);
    std::memcpy(request.ifr_name, name.data(), std::min(name.size(), sizeof request.ifr_name - 1));
}

} // namespace

// EINVAL where a persistent interface of that name was made with the other answer to "several queues?".
int Tun::attach(int fd, const std::string& name, bool several, std::string& real_name) {
    ifreq request;
    set_name(request, name);
    const int flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (several ? IFF_MULTI_QUEUE : 0);
    request.ifr_flags = static_cast<short>(flags);
    if (::ioctl(fd, TUNSETIFF, &request) < 0) return errno;
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    real_name = request.ifr_name;
    return 0;
}

Result<Tun> Tun::open(const std::string& name, unsigned queues, Offloads wanted) {
    if (name.empty() || name.size() > kMaxInterfaceName || name.find('/') != std::string::npos ||
        name == "." || name == "..")
        return fail(ErrorCode::kInvalidName, "'" + name + "' cannot name an interface");
    Tun tun;
    bool several = queues > 1;
    for (unsigned queue = 0; queue < queues; ++queue) {
        Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
        if (!fd)
            return fail_errno(errno == EACCES || errno == EPERM ? ErrorCode::kNotAuthorized
                                                                : ErrorCode::kUnsupported,
                              errno, "cannot open /dev/net/tun (is the kernel's tun driver there?)");
        int error = attach(fd.get(), name, several, tun.name_);
        if (error == EINVAL && queue == 0) {
            several = !several;
            if (!several) queues = 1;
            error = attach(fd.get(), name, several, tun.name_);
        }
        if (error == EBUSY || error == EINVAL)
            return fail_errno(ErrorCode::kConflict, error,
                              "cannot create interface '" + name + "': the name is in use");
        if (error != 0)
            return fail_errno(error == EPERM ? ErrorCode::kNotAuthorized : ErrorCode::kKernel, error,
                              "cannot create interface '" + name + "'");
        tun.queues_.push_back(std::move(fd));
    }
    WGD_TRY(tun.configure(wanted));
    WGD_TRY(tun.read_link(true));
    return tun;
}

Result<Tun> Tun::adopt(Fd fd, Offloads wanted) {
    ifreq request;
    std::memset(&request, 0, sizeof request);
    if (::ioctl(fd.get(), TUNGETIFF, &request) < 0)
        return fail_errno(ErrorCode::kInvalidArgument, errno,
                          "the descriptor in WG_TUN_FD is no TUN interface");
    const auto flags = static_cast<unsigned short>(request.ifr_flags);
    if ((flags & IFF_TUN) == 0 || (flags & IFF_NO_PI) == 0)
        return fail(ErrorCode::kInvalidArgument,
                    "the descriptor in WG_TUN_FD must be IFF_TUN with IFF_NO_PI");
    const int status = ::fcntl(fd.get(), F_GETFL);
    if (status < 0 || ::fcntl(fd.get(), F_SETFL, status | O_NONBLOCK) < 0 ||
        ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot set up the descriptor in WG_TUN_FD");
    Tun tun;
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    tun.name_ = request.ifr_name;
    tun.vnet_header_ = (flags & IFF_VNET_HDR) != 0;
    tun.queues_.push_back(std::move(fd));
    WGD_TRY(tun.configure(wanted));
    WGD_TRY(tun.read_link(false));
    return tun;
}

// The offloads are a property of the interface, set through any queue. Try the most, then less.
Result<void> Tun::configure(Offloads wanted) {
    offloads_ = wanted;
    if (!vnet_header_) {
        offloads_.tun_tso4 = offloads_.tun_tso6 = offloads_.tun_uso = false;
        return {};
    }
    const int fd = queues_.front().get();
    int header_size = static_cast<int>(kVnetHeaderSize);
    if (::ioctl(fd, TUNSETVNETHDRSZ, &header_size) < 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot set the virtio-net header size");

    // The kernel grants none of these without the checksums' (ours to compute), and UDP's only to both
    // families.
    const unsigned long tso = (wanted.tun_tso4 ? TUN_F_TSO4 : 0U) | (wanted.tun_tso6 ? TUN_F_TSO6 : 0U);
    const unsigned long uso = wanted.tun_uso ? kTunFUso4 | kTunFUso6 : 0;
    const auto granted = [&](unsigned long what) {
        return ::ioctl(fd, TUNSETOFFLOAD, what != 0 ? what | TUN_F_CSUM : 0) == 0;
    };
    offloads_.tun_uso = uso != 0 && granted(tso | uso);
    if (!offloads_.tun_uso && !granted(tso)) offloads_.tun_tso4 = offloads_.tun_tso6 = false;
    return {};
}

Result<void> Tun::read_link(bool created) {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno(ErrorCode::kIo, errno, "cannot open a socket");
    ifreq request;
    if (created) {
        set_name(request, name_);
        request.ifr_mtu = static_cast<int>(kDefaultMtu);
        if (::ioctl(socket.get(), SIOCSIFMTU, &request) < 0)
            return fail_errno(ErrorCode::kKernel, errno, "cannot set the MTU of '" + name_ + "'");
        set_name(request, name_);
        request.ifr_qlen = kTransmitQueueLength;
        (void)::ioctl(socket.get(), SIOCSIFTXQLEN, &request); // an improvement, not a need
    }
    set_name(request, name_);
    if (::ioctl(socket.get(), SIOCGIFMTU, &request) < 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot read the MTU of '" + name_ + "'");
    mtu_ = static_cast<unsigned>(request.ifr_mtu);
    set_name(request, name_);
    if (::ioctl(socket.get(), SIOCGIFINDEX, &request) < 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot read the index of '" + name_ + "'");
    index_ = static_cast<unsigned>(request.ifr_ifindex);
    set_name(request, name_);
    up_ = ::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
    return {};
}

bool Tun::alive() const {
    ifreq request;
    std::memset(&request, 0, sizeof request);
    return ::ioctl(queues_.front().get(), TUNGETIFF, &request) == 0 || errno != EBADFD;
}

} // namespace wgd::io
