// SPDX-License-Identifier: MIT
// DatapathProcesses: starts, watches, finds again and stops the programs that run userspace tunnels
// (`wgd-datapath --foreground NAME`; `wireguard-go` understands the same command line).
//
// Such a process is not part of wgd: it has a session of its own and lives on when wgd ends, and the unit
// file's KillMode=process lets systemd leave it alone too. After a restart it is found again by its UAPI
// socket.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "common/wgapi/uapi_client.hpp"
#include "daemon/loop/event_loop.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class DatapathProcesses {
  public:
    struct Options {
        std::string program; // absolute path; empty if there is none
        std::string uapi_directory = std::string(kUapiDirectory);
        std::string log_directory; // for ProcessLog; exists, 0700
        Duration start_limit =
            std::chrono::seconds(20); // one that fails says so at once; a busy machine is slow
        Duration stop_limit = std::chrono::seconds(5); // then SIGKILL
    };
    // `by_itself`: it ended in good order (status 0), as a datapath does when its link is deleted.
    using ExitCall = std::function<void(const std::string& link, const std::string& how, bool by_itself)>;

    DatapathProcesses(loop::EventLoop& loop, Options options);
    ~DatapathProcesses(); // leaves the processes running
    DatapathProcesses(const DatapathProcesses&) = delete;
    DatapathProcesses& operator=(const DatapathProcesses&) = delete;

    // Starts the program and answers when its UAPI socket accepts connections. kBackend with what the program
    // wrote to standard error if it ends before, kTimeout (the process is killed) if it does neither.
    void start(const std::string& link, ports::Done done);
    // SIGTERM, then SIGKILL after the limit; answers when the process is gone, and with it its TUN link.
    // Success when there is none.
    void stop(const std::string& link, ports::Done done);

    // Reports the end of a process that stop() did not ask for, for links that are watched.
    void on_exit(ExitCall call) { on_exit_ = std::move(call); }
    Result<void> watch(const std::string& link); // kNotFound: nothing serves this link
    void unwatch(const std::string& link);
    // Watched, alive as far as we know, and not being stopped: its end would be reported.
    [[nodiscard]] bool will_report(const std::string& link) const;

    // Whether the process behind a link is one that start() made, in this or an earlier run of wgd.
    [[nodiscard]] bool started_by_us(const std::string& link) const;
    // What processes that start() made and that are gone have left behind, because they ended while no wgd
    // was there to see it: sockets that nobody serves. For the end of recovery.
    void clear_remains();
    // The process behind a link if this object knows it, else 0.
    [[nodiscard]] pid_t pid_of(const std::string& link) const;

  private:
    struct Process;
    struct Start;
    [[nodiscard]] std::string socket_path(const std::string& link) const;
    [[nodiscard]] std::string log_path(const std::string& link) const;
    Result<std::unique_ptr<Process>> spawn(const std::string& link);
    Result<Process*> find(const std::string& link);
    Result<void> follow(const std::string& link, Process& process);
    void ended(const std::string& link, int code, int status);
    Result<void> watch_directory();
    void check_start(const std::string& link);
    void fail_start(const std::string& link, Error error);

    loop::EventLoop& loop_;
    Options options_;
    ExitCall on_exit_;
    std::map<std::string, std::unique_ptr<Process>> processes_;
    std::map<std::string, std::unique_ptr<Start>> starts_;
    Fd inotify_; // on the directory of the sockets, from the first start on
    loop::SourcePtr appeared_;
};

// "killed by signal 9 (Killed)", "exited with status 1", "ended" when the status is not ours to know. Pure.
std::string describe_exit(int code, int status);

} // namespace wgd::sys
