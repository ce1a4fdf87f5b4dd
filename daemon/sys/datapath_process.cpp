// SPDX-License-Identifier: MIT
#include "daemon/sys/datapath_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "common/base/log.hpp"
#include "daemon/loop/pidfd.hpp"
#include "daemon/sys/child.hpp"
#include "daemon/sys/process_log.hpp"
#include "daemon/sys/uapi_listener.hpp"

namespace wgd::sys {
namespace {

// Between bind(2), which inotify sees, and listen(2), which nothing sees, a program has next to nothing to
// do: it is worth a moment of ours. One that takes longer is asked again by a timer.
constexpr int kListenMoments = 20;
constexpr std::chrono::microseconds kListenMoment{25};
constexpr Duration kListenRetry = std::chrono::milliseconds(2);

} // namespace

struct DatapathProcesses::Process {
    pid_t pid = 0;
    Fd pidfd;
    loop::SourcePtr exit;
    std::optional<ProcessLog> log;
    bool watched = false;
    std::vector<ports::Done> stopping; // who waits for the end
    loop::SourcePtr kill_timer;
};

// A start that has not been answered yet.
struct DatapathProcesses::Start {
    ports::Done done;
    loop::SourcePtr retry;
    loop::SourcePtr limit;
};

std::string describe_exit(int code, int status) {
    if (code == CLD_KILLED || code == CLD_DUMPED)
        return fmt::format("killed by signal {} ({})", status,
                           ::sigdescr_np(status) ? ::sigdescr_np(status) : "unknown");
    if (code == CLD_EXITED && status >= 0) return fmt::format("exited with status {}", status);
    return "ended";
}

DatapathProcesses::DatapathProcesses(loop::EventLoop& loop, Options options)
    : loop_(loop)
    , options_(std::move(options)) {}

DatapathProcesses::~DatapathProcesses() = default;

std::string DatapathProcesses::socket_path(const std::string& link) const {
    return options_.uapi_directory + "/" + link + ".sock";
}
std::string DatapathProcesses::log_path(const std::string& link) const {
    return options_.log_directory + "/" + link;
}

pid_t DatapathProcesses::pid_of(const std::string& link) const {
    const auto found = processes_.find(link);
    return found == processes_.end() ? 0 : found->second->pid;
}

// Every start() makes the log's FIFO, in a directory that only we may write, and it goes when the process's
// end is seen.
bool DatapathProcesses::started_by_us(const std::string& link) const {
    struct stat status {};
    return ::lstat(log_path(link).c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
}

void DatapathProcesses::clear_remains() {
    std::error_code error;
    std::vector<std::string> links;
    for (const auto& entry : std::filesystem::directory_iterator(options_.log_directory, error))
        links.push_back(entry.path().filename().string());
    for (const std::string& link : links) {
        if (processes_.count(link) != 0 || !started_by_us(link)) continue;
        const auto listener = find_uapi_listener(socket_path(link));
        if (listener || listener.error().code != ErrorCode::kNotFound) continue;
        log::notice("{}: its datapath ended while wgd was away", link);
        ::unlink(socket_path(link).c_str());
        ::unlink(log_path(link).c_str());
    }
}

Result<std::unique_ptr<DatapathProcesses::Process>> DatapathProcesses::spawn(const std::string& link) {
    if (options_.program.empty()) return fail(ErrorCode::kUnsupported, "there is no wgd-datapath program");
    auto process = std::make_unique<Process>();
    Fd writer;
    auto log = ProcessLog::create(loop_, log_path(link), "wgd-datapath " + link, writer);
    if (!log) return fail(std::move(log).error());
    process->log = std::move(*log);

    // The setting keeps wireguard-go from printing advice about the kernel module.
    auto pid =
        sys::spawn({options_.program, {"--foreground", link}, {"WG_PROCESS_FOREGROUND=1"}, -1, writer.get()});
    if (!pid) {
        ::unlink(log_path(link).c_str());
        return fail(std::move(pid).error());
    }
    process->pid = *pid;
    process->pidfd = loop::open_pidfd(process->pid); // our child: it is there at least as a zombie
    if (auto followed = follow(link, *process); !followed) {
        ::kill(process->pid, SIGKILL);
        return fail(std::move(followed).error());
    }
    return process;
}

Result<void> DatapathProcesses::follow(const std::string& link, Process& process) {
    auto exit =
        loop_.add_process(process.pid, [this, link](int code, int status) { ended(link, code, status); });
    if (!exit) return fail(std::move(exit).error());
    process.exit = std::move(*exit);
    return {};
}

Result<DatapathProcesses::Process*> DatapathProcesses::find(const std::string& link) {
    if (const auto known = processes_.find(link); known != processes_.end()) return known->second.get();
    auto listener = find_uapi_listener(socket_path(link));
    if (!listener) return fail(std::move(listener).error());
    auto process = std::make_unique<Process>();
    process->pid = listener->pid;
    process->pidfd = std::move(listener->pidfd);
    // Not there if the process was started by somebody else; then its log is elsewhere as well.
    if (auto log = ProcessLog::reopen(loop_, log_path(link), "wgd-datapath " + link))
        process->log = std::move(*log);
    WGD_TRY(follow(link, *process));
    Process* raw = process.get();
    processes_.emplace(link, std::move(process));
    return raw;
}

void DatapathProcesses::start(const std::string& link, ports::Done done) {
    if (processes_.count(link) != 0 || find_uapi_listener(socket_path(link)))
        return done(fail(ErrorCode::kConflict, "a process serves " + socket_path(link) + " already"));
    if (::mkdir(options_.uapi_directory.c_str(), 0755) != 0 && errno != EEXIST)
        return done(fail_errno(ErrorCode::kIo, errno, "cannot make directory " + options_.uapi_directory));

    if (auto watched = watch_directory(); !watched) return done(std::move(watched));
    auto start = std::make_unique<Start>();
    start->done = std::move(done);
    auto limit = loop_.add_timer(options_.start_limit, [this, link] {
        fail_start(
            link, Error{ErrorCode::kTimeout,
                        fmt::format(
                            "{} did not make {} within {} s", options_.program, socket_path(link),
                            std::chrono::duration_cast<std::chrono::seconds>(options_.start_limit).count())});
    });
    if (!limit) return start->done(fail(std::move(limit).error()));
    start->limit = std::move(*limit);

    auto process = spawn(link);
    if (!process) return start->done(fail(std::move(process).error()));
    processes_.emplace(link, std::move(*process));
    starts_.emplace(link, std::move(start));
}

// Kept: taking back the last watch of a directory waits for the kernel, 13 ms and more, and a datapath has
// one of its own on the same directory, which it takes back as it ends.
Result<void> DatapathProcesses::watch_directory() {
    if (inotify_) return {};
    Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify ||
        ::inotify_add_watch(inotify.get(), options_.uapi_directory.c_str(), IN_CREATE | IN_MOVED_TO) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot watch " + options_.uapi_directory);
    auto appeared = loop_.add_fd(inotify.get(), EPOLLIN, [this](std::uint32_t) {
        char events[4096];
        while (::read(inotify_.get(), events, sizeof events) > 0) {
        }
        std::vector<std::string> waiting; // check_start() ends some
        for (const auto& [link, start] : starts_)
            waiting.push_back(link);
        for (const std::string& link : waiting)
            check_start(link);
    });
    if (!appeared) return fail(std::move(appeared).error());
    appeared_ = std::move(*appeared);
    inotify_ = std::move(inotify);
    return {};
}

// The directory changed (or the retry is due): is it our socket, and does it accept?
void DatapathProcesses::check_start(const std::string& link) {
    const auto found = starts_.find(link);
    if (found == starts_.end()) return;
    auto listener = find_uapi_listener(socket_path(link));
    for (int i = 0; i < kListenMoments && !listener && listener.error().sys_errno == ECONNREFUSED; ++i) {
        std::this_thread::sleep_for(kListenMoment);
        listener = find_uapi_listener(socket_path(link));
    }
    if (listener && listener->pid == pid_of(link)) {
        const auto start = std::move(found->second);
        starts_.erase(found);
        return start->done({});
    }
    if (listener)
        return fail_start(
            link, Error{ErrorCode::kConflict, fmt::format("process {} serves {}, not the one started for it",
                                                          listener->pid, socket_path(link))});
    if (listener.error().sys_errno != ECONNREFUSED) return; // some other name appeared
    auto retry = loop_.add_timer(kListenRetry, [this, link] { check_start(link); });
    if (retry) found->second->retry = std::move(*retry);
}

void DatapathProcesses::fail_start(const std::string& link, Error error) {
    const auto found = starts_.find(link);
    if (found == starts_.end()) return;
    const std::shared_ptr<Start> start = std::move(found->second);
    starts_.erase(found);
    if (processes_.count(link) == 0) return start->done(fail(std::move(error)));
    loop::signal_pidfd(processes_[link]->pidfd.get(), SIGKILL);
    stop(link, [start, error](const Result<void>&) mutable { start->done(fail(std::move(error))); });
}

void DatapathProcesses::stop(const std::string& link, ports::Done done) {
    auto process = find(link);
    if (!process) {
        if (process.error().code == ErrorCode::kNotFound) {
            ::unlink(log_path(link).c_str()); // of a start that was cut short before there was a process
            return done({});
        }
        return done(fail(std::move(process).error()));
    }
    (*process)->stopping.push_back(std::move(done));
    if ((*process)->kill_timer) return; // under way
    const int pidfd = (*process)->pidfd.get();
    loop::signal_pidfd(pidfd, SIGTERM);
    auto timer = loop_.add_timer(options_.stop_limit, [pidfd] { loop::signal_pidfd(pidfd, SIGKILL); });
    if (timer)
        (*process)->kill_timer = std::move(*timer);
    else
        loop::signal_pidfd(pidfd, SIGKILL); // rather abruptly than never
}

// The TUN device went with the process's last descriptor, before the process could be waited for.
void DatapathProcesses::ended(const std::string& link, int code, int status) {
    const auto found = processes_.find(link);
    if (found == processes_.end()) return;
    const auto process = std::move(found->second);
    processes_.erase(found);
    const std::string words = process->log ? process->log->last_words() : "";
    const std::string how = describe_exit(code, status) + (words.empty() ? "" : ": " + words);
    ::unlink(log_path(link).c_str());
    // A process that was killed leaves its socket file behind; nobody may take it for a tunnel.
    if (!find_uapi_listener(socket_path(link))) ::unlink(socket_path(link).c_str());

    if (const auto pending = starts_.find(link); pending != starts_.end()) {
        const auto start = std::move(pending->second);
        starts_.erase(pending);
        start->done(fail(ErrorCode::kBackend, options_.program + " for " + link + " " + how));
    }
    if (!process->stopping.empty()) {
        for (auto& done : process->stopping)
            done({});
    } else if (process->watched && on_exit_) {
        on_exit_(link, how, code == CLD_EXITED && status == 0);
    }
}

Result<void> DatapathProcesses::watch(const std::string& link) {
    auto process = find(link);
    if (!process) return fail(std::move(process).error());
    (*process)->watched = true;
    return {};
}

bool DatapathProcesses::will_report(const std::string& link) const {
    const auto found = processes_.find(link);
    return found != processes_.end() && found->second->watched && found->second->stopping.empty();
}

void DatapathProcesses::unwatch(const std::string& link) {
    if (const auto found = processes_.find(link); found != processes_.end()) found->second->watched = false;
}

} // namespace wgd::sys
