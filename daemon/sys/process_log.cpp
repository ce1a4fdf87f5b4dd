// SPDX-License-Identifier: MIT
#include "daemon/sys/process_log.hpp"

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.hpp"

namespace wgd::sys {
namespace {

constexpr std::size_t kMaxLine = 512; // longer lines are cut: the process parses packets from the internet
constexpr std::size_t kKeptLines = 3; // for last_words()
constexpr int kReadsPerTurn = 16;     // of 4 KiB; then the loop looks after others

} // namespace

struct ProcessLog::State {
    std::string prefix;
    Fd fd;
    loop::SourcePtr source;
    std::string partial;
    std::deque<std::string> kept;

    void finish_line() {
        if (!partial.empty()) {
            log::info("{}: {}", prefix, partial);
            kept.push_back(partial);
            if (kept.size() > kKeptLines) kept.pop_front();
        }
        partial.clear();
    }

    void read_some() {
        char buffer[4096];
        for (int i = 0; i < kReadsPerTurn; ++i) {
            const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return; // EAGAIN
            if (got == 0) {      // no writer is left
                finish_line();
                source.reset();
                return;
            }
            for (ssize_t at = 0; at < got; ++at) {
                const char c = buffer[at];
                if (c == '\n')
                    finish_line();
                else if (partial.size() < kMaxLine)
                    partial.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
            }
        }
    }
};

Result<ProcessLog> ProcessLog::attach(loop::EventLoop& loop, const std::string& path,
                                      const std::string& prefix) {
    auto state = std::make_shared<State>();
    state->prefix = prefix;
    state->fd = Fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (!state->fd) {
        const int err = errno;
        return fail_errno(err == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, err, "cannot open " + path);
    }
    auto source =
        loop.add_fd(state->fd.get(), EPOLLIN, [raw = state.get()](std::uint32_t) { raw->read_some(); });
    if (!source) return fail(std::move(source).error());
    state->source = std::move(*source);
    return ProcessLog(std::move(state));
}

Result<ProcessLog> ProcessLog::create(loop::EventLoop& loop, const std::string& path,
                                      const std::string& prefix, Fd& writer) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail_errno(ErrorCode::kIo, errno, "cannot remove " + path);
    if (::mkfifo(path.c_str(), 0600) != 0) return fail_errno(ErrorCode::kIo, errno, "cannot make " + path);
    writer = Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (!writer) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path);
    return attach(loop, path, prefix);
}

Result<ProcessLog> ProcessLog::reopen(loop::EventLoop& loop, const std::string& path,
                                      const std::string& prefix) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return fail_errno(ErrorCode::kNotFound, errno, path);
    if (!S_ISFIFO(status.st_mode)) return fail(ErrorCode::kUnsafeFile, path + " is not a FIFO");
    return attach(loop, path, prefix);
}

std::string ProcessLog::last_words() {
    if (state_->source) state_->read_some();
    if (state_->source) state_->finish_line();
    std::string words;
    for (const std::string& line : state_->kept)
        words += (words.empty() ? "" : "; ") + line;
    return words;
}

} // namespace wgd::sys
