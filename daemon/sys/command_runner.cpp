// SPDX-License-Identifier: MIT
#include "daemon/sys/command_runner.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "common/base/log.hpp"
#include "daemon/sys/child.hpp"

namespace wgd::sys {
namespace {

constexpr std::size_t kKeptOutput = 4096; // for the error message; all of it goes to the log
constexpr std::size_t kMaxLogged = 64 << 10;

std::string last_lines(std::string text) {
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    std::size_t from = text.size();
    for (int lines = 0; lines < 3 && from != std::string::npos && from != 0; ++lines)
        from = text.rfind('\n', from - 1);
    text = from == std::string::npos || from == 0 ? text : text.substr(from + 1);
    std::string joined;
    for (const char c : text)
        joined += c == '\n' ? std::string("; ") : std::string(1, c);
    return joined;
}

class RunningCommand final : public CommandRunner::Run {
  public:
    RunningCommand(loop::EventLoop& loop, CommandRunner::Finished finished)
        : loop_(loop)
        , finished_(std::move(finished)) {}

    ~RunningCommand() override {
        if (running_) {
            end_session();
            ::waitpid(pid_, nullptr, 0); // killed: this does not wait long
        }
    }

    void interrupt() override {
        if (!running_) return;
        interrupted_ = true;
        end_session();
    }

    // An error here is delivered from the loop, like every other end.
    void start(const Command& command) {
        if (auto started = spawn(command); !started) {
            error_ = std::move(started).error();
            loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
                if (!alive.expired()) deliver(Failure(*error_));
            });
        }
    }

  private:
    Result<void> spawn(const Command& command) {
        label_ = command.label;
        std::array<int, 2> ends{};
        // The command gets a blocking end: few programs expect EAGAIN from their standard output.
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            return fail_errno(ErrorCode::kBackend, errno, "cannot run " + command.program + ": no pipe");
        output_ = Fd(ends[0]);
        const Fd writer(ends[1]);
        ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
        const Fd input(::memfd_create("input", MFD_CLOEXEC));
        if (::write(input.get(), command.input.data(), command.input.size()) !=
                static_cast<ssize_t>(command.input.size()) ||
            ::lseek(input.get(), 0, SEEK_SET) != 0)
            return fail_errno(ErrorCode::kBackend, errno, "cannot run " + command.program + ": no input");
        const auto start = [&]() -> Result<void> {
            auto started = sys::spawn(
                {command.program, command.arguments, environment_of(command), input.get(), writer.get()});
            WGD_TRY(started);
            pid_ = *started;
            return {};
        };
        WGD_TRY(command.enter ? command.enter(start) : start());
        running_ = true;

        auto exited = loop_.add_process(pid_, [this](int code, int status) { on_exit(code, status); });
        auto readable = loop_.add_fd(output_.get(), EPOLLIN, [this](std::uint32_t) { read_output(); });
        auto limit = loop_.add_timer(command.time_limit, [this, seconds = command.time_limit] {
            timed_out_ = std::chrono::duration_cast<std::chrono::seconds>(seconds).count();
            end_session();
        });
        for (auto* added : {&exited, &readable, &limit})
            if (!*added) return fail(added->error());
        exited_ = std::move(*exited);
        readable_ = std::move(*readable);
        limit_ = std::move(*limit);
        return {};
    }

    static std::vector<std::string> environment_of(const Command& command) {
        std::vector<std::string> settings{"HOME=/root"};
        settings.insert(settings.end(), command.environment.begin(), command.environment.end());
        return settings;
    }

    // The command is the leader of its session and process group.
    void end_session() const { ::kill(-pid_, SIGKILL); }

    void read_output() {
        std::array<char, 4096> buffer{};
        for (;;) {
            const auto got = ::read(output_.get(), buffer.data(), buffer.size());
            if (got <= 0) {
                if (got == 0) readable_.reset(); // every writer is gone
                return;
            }
            const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
            log_lines(text);
            kept_.append(text);
            if (kept_.size() > kKeptOutput) kept_.erase(0, kept_.size() - kKeptOutput);
        }
    }

    void log_lines(std::string_view text) {
        for (const char c : text) {
            if (c != '\n' && line_.size() < 1024) {
                line_ += c;
                continue;
            }
            if (logged_ < kMaxLogged) log::info("{}: {}", label_, line_);
            logged_ += line_.size() + 1;
            line_.clear();
        }
    }

    void on_exit(int code, int status) {
        running_ = false;
        limit_.reset(); // from here on the process number may be somebody else's
        read_output();
        readable_.reset();
        if (!line_.empty()) log_lines("\n");
        if (code == CLD_EXITED && status == 0 && !timed_out_) return deliver({});
        std::string why = interrupted_         ? "interrupted"
                          : timed_out_         ? fmt::format("not finished after {} s", *timed_out_)
                          : code == CLD_EXITED ? fmt::format("exit status {}", status)
                                               : fmt::format("killed by signal {}", status);
        if (const auto said = last_lines(kept_); !said.empty()) why += ": " + said;
        deliver(fail(ErrorCode::kBackend, why));
    }

    void deliver(Result<void> outcome) {
        const auto finished = std::move(finished_); // the callee may destroy us
        finished(std::move(outcome));
    }

    loop::EventLoop& loop_;
    CommandRunner::Finished finished_;
    std::string label_;
    pid_t pid_ = 0;
    bool running_ = false;
    Fd output_;
    loop::SourcePtr exited_;
    loop::SourcePtr readable_;
    loop::SourcePtr limit_;
    bool interrupted_ = false;
    std::optional<long> timed_out_; // the limit, in seconds
    std::optional<Error> error_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
    std::string kept_;
    std::string line_;
    std::size_t logged_ = 0;
};

} // namespace

Command hook_command(const std::string& label, const std::string& text, const std::string& interface,
                     const std::string& config_file, Duration time_limit) {
    Command command;
    command.label = label;
    command.program = "/bin/bash";
    command.arguments = {"--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text};
    command.time_limit = time_limit;
    command.environment = {"INTERFACE=" + interface, "CONFIG_FILE=" + config_file};
    return command;
}

std::unique_ptr<CommandRunner::Run> CommandRunner::run(const Command& command, Finished finished) {
    auto running = std::make_unique<RunningCommand>(loop_, std::move(finished));
    running->start(command);
    return running;
}

} // namespace wgd::sys
