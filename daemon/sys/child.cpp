// SPDX-License-Identifier: MIT
#include "daemon/sys/child.hpp"

#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

namespace wgd::sys {
namespace {

// How posix_spawn(3) is told; each call of it can run out of memory, so the first error is kept.
class SpawnOptions {
  public:
    SpawnOptions() {
        note(posix_spawnattr_init(&attributes_));
        note(posix_spawn_file_actions_init(&actions_));
    }
    ~SpawnOptions() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnOptions(const SpawnOptions&) = delete;
    SpawnOptions& operator=(const SpawnOptions&) = delete;

    void own_session_and_signals() {
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        note(posix_spawnattr_setsigmask(&attributes_, &none));
        note(posix_spawnattr_setsigdefault(&attributes_, &all));
        note(posix_spawnattr_setflags(&attributes_,
                                      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
    }
    void standard_streams(int input, int output) {
        if (input < 0)
            note(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
        else
            note(posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO));
        note(posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO));
        note(posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO));
        note(posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1));
        note(posix_spawn_file_actions_addchdir_np(&actions_, "/"));
    }
    int spawn(pid_t& pid, const char* program, char* const arguments[], char* const environment[]) {
        if (error_ == 0) note(::posix_spawn(&pid, program, &actions_, &attributes_, arguments, environment));
        return error_;
    }

  private:
    void note(int error) {
        if (error_ == 0) error_ = error;
    }

    posix_spawnattr_t attributes_{};
    posix_spawn_file_actions_t actions_{};
    int error_ = 0;
};

// As execve(2) takes them; valid as long as the texts are.
std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (std::string& text : texts)
        list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

} // namespace

Result<pid_t> spawn(Child child) {
    std::vector<std::string> words = std::move(child.arguments);
    words.insert(words.begin(), child.program);
    std::vector<std::string> settings = std::move(child.environment);
    settings.insert(settings.begin(),
                    {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"});
    SpawnOptions options;
    options.own_session_and_signals();
    options.standard_streams(child.input, child.output);
    pid_t pid = 0;
    if (const int err =
            options.spawn(pid, child.program.c_str(), pointers(words).data(), pointers(settings).data());
        err != 0)
        return fail_errno(ErrorCode::kBackend, err, "cannot start " + child.program);
    return pid;
}

} // namespace wgd::sys
