// SPDX-License-Identifier: MIT
#include "daemon/sys/journal.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "daemon/plan/op_json.hpp"
#include "daemon/sys/beneath.hpp"

namespace wgd::sys {
namespace {

constexpr std::size_t kMaxFile = 256u << 20;

Result<Fd> open_private_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(ErrorCode::kIo, errno, "cannot make directory " + path);
    auto fd = open_directory(path);
    if (!fd) return fd;
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(ErrorCode::kIo, errno, "cannot examine " + path);
    if (status.st_uid != ::geteuid())
        return fail(ErrorCode::kUnsafeFile,
                    fmt::format("{} belongs to user {}: remove it", path, status.st_uid));
    if ((status.st_mode & 0077) != 0 && ::fchmod(fd->get(), 0700) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot make " + path + " private");
    return fd;
}

// Cuts off a last line that has no end.
Result<void> trim_torn_line(int fd, const std::string& path) {
    auto text = read_to_end<std::string>(fd, kMaxFile, path);
    if (!text) return fail(std::move(text).error());
    const std::size_t end = text->rfind('\n');
    const std::size_t keep = end == std::string::npos ? 0 : end + 1;
    if (keep != text->size() && ::ftruncate(fd, static_cast<off_t>(keep)) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot shorten " + path);
    return {};
}

} // namespace

Result<std::unique_ptr<FileJournal>> FileJournal::open(const std::string& directory) {
    auto root = open_private_directory(directory);
    if (!root) return fail(std::move(root).error());
    if (::flock(root->get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(ErrorCode::kBusy, "another wgd is running (it holds " + directory + ")");
        return fail_errno(ErrorCode::kIo, errno, "cannot lock " + directory);
    }
    for (const char* name : {"/undo", "/record", "/tmp", "/datapath", "/dns", "/down"})
        if (auto made = open_private_directory(directory + name); !made) return fail(std::move(made).error());
    return std::unique_ptr<FileJournal>(new FileJournal(directory, std::move(*root)));
}

Result<void> FileJournal::append_undo(const ProfileName& name, const std::vector<plan::Op>& undo) {
    const std::string file = "undo/" + name.str();
    const std::string path = path_ + "/" + file;
    auto log = undo_.find(name);
    if (log == undo_.end()) {
        Fd fd = open_beneath(root_.get(), file, O_RDWR | O_CREAT | O_APPEND, 0600);
        if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path);
        WGD_TRY(trim_torn_line(fd.get(), path));
        log = undo_.emplace(name, std::move(fd)).first;
    }
    const int fd = log->second.get();
    const off_t before = ::lseek(fd, 0, SEEK_END);
    auto written = write_all(fd, plan::ops_to_json(undo) + "\n", path);
    // Out of space: the step will not be taken, so its line must not stay either.
    if (!written && before >= 0 && ::ftruncate(fd, before) != 0) log::error("cannot shorten {}", path);
    return written;
}

Result<void> FileJournal::clear_undo(const ProfileName& name) {
    undo_.erase(name);
    return remove_file("undo/" + name.str());
}

Result<std::vector<std::pair<ProfileName, std::vector<plan::Op>>>> FileJournal::pending_undo() {
    auto names = names_in("undo");
    if (!names) return fail(std::move(names).error());
    std::vector<std::pair<ProfileName, std::vector<plan::Op>>> pending;
    for (const ProfileName& name : *names) {
        auto text = read_file("undo/" + name.str());
        if (!text) return fail(std::move(text).error());
        std::vector<std::vector<plan::Op>> steps;
        unsigned number = 0;
        for (std::size_t at = 0; at < text->size();) {
            const std::size_t end = text->find('\n', at);
            if (end == std::string::npos) break; // torn: the step was not taken
            ++number;
            auto ops = plan::ops_from_json(std::string_view(*text).substr(at, end - at));
            at = end + 1;
            if (ops)
                steps.push_back(std::move(*ops));
            else // no crash leaves this behind; what can be undone still is
                log::error("{}/undo/{}, line {}: {}; this step is not undone", path_, name.str(), number,
                           ops.error().message);
        }
        std::vector<plan::Op> ops;
        for (auto step = steps.rbegin(); step != steps.rend(); ++step)
            std::move(step->begin(), step->end(), std::back_inserter(ops));
        pending.emplace_back(name, std::move(ops));
    }
    return pending;
}

Result<void> FileJournal::save_record(const ProfileName& name, const std::string& json) {
    return replace_file("tmp/" + name.str(), "record/" + name.str(), json);
}

Result<void> FileJournal::set_taken_down(const ProfileName& name, bool taken_down) {
    const std::string file = "down/" + name.str();
    if (!taken_down) return remove_file(file);
    if (!open_beneath(root_.get(), file, O_WRONLY | O_CREAT, 0600))
        return fail_errno(ErrorCode::kIo, errno, "cannot make " + path_ + "/" + file);
    return {};
}

bool FileJournal::is_taken_down(const ProfileName& name) const {
    return ::faccessat(root_.get(), ("down/" + name.str()).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<void> FileJournal::save_lock(const std::string& json) {
    if (json.empty()) return remove_file("lock");
    return replace_file("lock.new", "lock", json);
}

Result<std::string> FileJournal::load_lock() {
    if (::faccessat(root_.get(), "lock", F_OK, 0) != 0 && errno == ENOENT) return std::string();
    return read_file("lock");
}

Result<void> FileJournal::replace_file(const std::string& temporary, const std::string& file,
                                       const std::string& text) {
    Fd fd = open_beneath(root_.get(), temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path_ + "/" + temporary);
    WGD_TRY(write_all(fd.get(), text, path_ + "/" + temporary));
    if (::renameat(root_.get(), temporary.c_str(), root_.get(), file.c_str()) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot write " + path_ + "/" + file);
    return {};
}

Result<void> FileJournal::remove_record(const ProfileName& name) {
    return remove_file("record/" + name.str());
}

Result<std::vector<std::pair<ProfileName, std::string>>> FileJournal::load_records() {
    auto names = names_in("record");
    if (!names) return fail(std::move(names).error());
    std::vector<std::pair<ProfileName, std::string>> records;
    for (const ProfileName& name : *names) {
        auto text = read_file("record/" + name.str());
        if (!text) return fail(std::move(text).error());
        records.emplace_back(name, std::move(*text));
    }
    return records;
}

Result<std::vector<ProfileName>> FileJournal::names_in(const std::string& directory) const {
    Fd fd = open_beneath(root_.get(), directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path_ + "/" + directory);
    DIR* stream = ::fdopendir(fd.get());
    if (stream == nullptr) return fail_errno(ErrorCode::kIo, errno, "cannot list " + path_ + "/" + directory);
    static_cast<void>(fd.release());
    std::vector<ProfileName> names;
    while (const dirent* entry = ::readdir(stream))
        if (auto name = ProfileName::parse(entry->d_name))
            names.push_back(std::move(*name)); // not "." and ".."
    ::closedir(stream);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::string> FileJournal::read_file(const std::string& file) const {
    Fd fd = open_beneath(root_.get(), file, O_RDONLY | O_NONBLOCK);
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path_ + "/" + file);
    return read_to_end<std::string>(fd.get(), kMaxFile, path_ + "/" + file);
}

Result<void> FileJournal::remove_file(const std::string& file) {
    if (::unlinkat(root_.get(), file.c_str(), 0) != 0 && errno != ENOENT)
        return fail_errno(ErrorCode::kIo, errno, "cannot remove " + path_ + "/" + file);
    return {};
}

} // namespace wgd::sys
