// SPDX-License-Identifier: MIT
#include "daemon/sys/dns_file.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "daemon/sys/beneath.hpp"

namespace wgd::sys {
namespace {

using plan::OriginalResolvConf;
using Kind = OriginalResolvConf::Kind;

constexpr std::size_t kMaxResolvConf = 256u << 10;

bool is_ours(const OriginalResolvConf& file) {
    return file.kind == Kind::kFile && file.text.rfind(plan::kResolvConfMark, 0) == 0;
}

Result<std::string> read_text(const std::string& path, int flags) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return fail(ErrorCode::kUnsafeFile, path + " is not a regular file");
    return read_to_end<std::string>(fd.get(), kMaxResolvConf, path);
}

std::string temporary_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return path.substr(0, slash + 1) + "." + path.substr(slash + 1) + ".wgd";
}

// What cannot be replaced by rename(2), a file that is a mount point (containers) or in a directory that is
// read-only, is written in place. In one write and without emptying it first: a reader in between gets a
// mixture, but never nothing.
Result<void> write_in_place(const std::string& path, const std::string& text, int why_not_renamed) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd)
        return fail_errno(ErrorCode::kIo, errno == ELOOP ? why_not_renamed : errno, "cannot write " + path);
    WGD_TRY(write_all(fd.get(), text, path));
    if (::ftruncate(fd.get(), static_cast<off_t>(text.size())) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot shorten " + path);
    return {};
}

Result<void> put_file(const std::string& path, const OriginalResolvConf& file) {
    const std::string temporary = temporary_name(path);
    ::unlink(temporary.c_str()); // of a crash
    int why = 0;
    {
        const Fd fd(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file.mode));
        if (!fd) {
            why = errno;
        } else {
            auto written = write_all(fd.get(), file.text, temporary);
            if (written && (::fchmod(fd.get(), file.mode) != 0 ||
                            (::fchown(fd.get(), file.uid, file.gid) != 0 && errno != EPERM)))
                written = fail_errno(ErrorCode::kIo, errno, "cannot set the mode of " + temporary);
            if (!written) {
                ::unlink(temporary.c_str());
                return written;
            }
        }
    }
    if (why == 0 && ::rename(temporary.c_str(), path.c_str()) == 0) return {};
    if (why == 0) why = errno;
    ::unlink(temporary.c_str());
    if (why != EBUSY && why != EROFS && why != EACCES && why != EPERM)
        return fail_errno(ErrorCode::kIo, why, "cannot replace " + path);
    return write_in_place(path, file.text, why);
}

Result<void> put_link(const std::string& path, const std::string& target) {
    const std::string temporary = temporary_name(path);
    ::unlink(temporary.c_str());
    if (::symlink(target.c_str(), temporary.c_str()) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot make a link for " + path);
    if (::rename(temporary.c_str(), path.c_str()) == 0) return {};
    const int err = errno;
    ::unlink(temporary.c_str());
    return fail_errno(ErrorCode::kIo, err, "cannot replace " + path);
}

Result<void> put(const std::string& path, const OriginalResolvConf& what) {
    if (what.kind == Kind::kFile) return put_file(path, what);
    if (what.kind == Kind::kLink) return put_link(path, what.text);
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return fail_errno(ErrorCode::kIo, errno, "cannot remove " + path);
}

} // namespace

Result<OriginalResolvConf> DnsFile::current() const {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) != 0) {
        if (errno == ENOENT) return OriginalResolvConf{};
        return fail_errno(ErrorCode::kIo, errno, "cannot examine " + path_);
    }
    OriginalResolvConf original;
    if (S_ISLNK(status.st_mode)) {
        std::array<char, PATH_MAX> target{};
        const ssize_t length = ::readlink(path_.c_str(), target.data(), target.size());
        if (length < 0) return fail_errno(ErrorCode::kIo, errno, "cannot read the link " + path_);
        original.kind = Kind::kLink;
        original.text.assign(target.data(), static_cast<std::size_t>(length));
        return original;
    }
    original.kind = Kind::kFile;
    original.mode = status.st_mode & 07777;
    original.uid = status.st_uid;
    original.gid = status.st_gid;
    auto text = read_text(path_, O_NOFOLLOW);
    WGD_TRY(text);
    original.text = std::move(*text);
    return original;
}

// The link is not there any more when its text is wanted: where it leads is.
OriginalResolvConf DnsFile::with_seen_text(OriginalResolvConf original) const {
    if (original.kind != Kind::kLink) return original;
    const std::string directory = path_.substr(0, path_.rfind('/') + 1);
    if (auto text = read_text(original.text.front() == '/' ? original.text : directory + original.text, 0))
        original.seen_text = std::move(*text);
    return original;
}

Result<void> DnsFile::write(const plan::DnsRequests& requests) {
    auto now = current();
    WGD_TRY(now);
    if (!is_ours(*now)) {
        WGD_TRY(ledger_.keep_original(*now));
    } else if (!ledger_.original()) {
        // The runtime directory was emptied.
        OriginalResolvConf nothing;
        nothing.kind = Kind::kFile;
        WGD_TRY(ledger_.keep_original(plan::original_within(now->text).value_or(nothing)));
    }
    const OriginalResolvConf& original = *ledger_.original();
    OriginalResolvConf ours;
    ours.kind = Kind::kFile;
    if (original.kind == Kind::kFile) ours = original; // its mode and owner
    ours.text = plan::resolv_conf_text(requests, with_seen_text(original));
    if (is_ours(*now) && now->text == ours.text) return {};
    return put(path_, ours);
}

Result<void> DnsFile::restore() {
    auto now = current();
    WGD_TRY(now);
    if (is_ours(*now)) {
        const auto original = ledger_.original() ? ledger_.original() : plan::original_within(now->text);
        if (!original)
            return fail(ErrorCode::kIo, path_ + " is wgd's, but what was there before is not known");
        WGD_TRY(put(path_, *original));
    } else if (ledger_.original() && *ledger_.original() != *now) {
        log::notice("{} was changed by somebody else meanwhile: it stays as it is", path_);
    }
    return ledger_.forget_original();
}

Result<void> DnsFile::recover() {
    if (!ledger_.requests(plan::DnsBackend::kFile).empty())
        return {}; // of tunnels, which decide for themselves
    auto now = current();
    WGD_TRY(now);
    if (!is_ours(*now) && !ledger_.original()) return {};
    if (is_ours(*now)) log::notice("{} was left by an earlier wgd; what was there before comes back", path_);
    return restore();
}

void DnsFile::set(const std::string&, const plan::DnsSettings&, ports::Done done) {
    done(write(ledger_.requests(plan::DnsBackend::kFile)));
}

void DnsFile::clear(const std::string& link, ports::Done done) {
    plan::DnsRequests others;
    for (auto& request : ledger_.requests(plan::DnsBackend::kFile))
        if (request.first != link) others.push_back(std::move(request));
    done(others.empty() ? restore() : write(others));
}

bool DnsFile::intact(const std::string&, const plan::DnsSettings&) {
    if (!ledger_.original()) return false;
    const auto now = current();
    return now && is_ours(*now) &&
           now->text == plan::resolv_conf_text(ledger_.requests(plan::DnsBackend::kFile),
                                               with_seen_text(*ledger_.original()));
}

} // namespace wgd::sys
