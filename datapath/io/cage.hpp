// SPDX-License-Identifier: MIT
// The cage: what the process that parses packets from the internet gives up once everything is open. After
// enter() it has no capability, no file system, no way to more privilege, another user if it was root, and of
// the system calls only those that move packets between descriptors it has. Anything else ends it (SIGSYS).
// Source: capabilities(7), pivot_root(2), seccomp(2), seccomp_rule_add(3).
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace wgd::io::cage {

// Closes all descriptors above the standard three but those named (which may be -1): whoever started us may
// have left some open, and the cage would leave them usable. First of all.
void close_inherited(std::initializer_list<int> kept);

// Locks what is touched into memory, no core dumps, not dumpable (so that no process of the same user can
// attach). Returns what could not be done, in words. To be called before enter(), in the process that holds
// keys.
[[nodiscard]] std::vector<std::string> protect_memory();

// In a process with one thread. An error: the system call filter could not be set, which is no cage at all.
// The result is what could not be done besides (in a container, say, without the right to mount), in words
// for the log.
Result<std::vector<std::string>> enter();

// When the last thread has been started: no further ones.
Result<void> forbid_new_threads();

// For the privileged parent (keeper.hpp): capabilities but CAP_NET_ADMIN and CAP_NET_BIND_SERVICE gone, and a
// filter of its own.
Result<void> enter_as_keeper();

// Sanitizers need system calls of their own: such builds have no filter.
[[nodiscard]] constexpr bool has_filter() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return false;
#else
    return true;
#endif
#else
    return true;
#endif
}

} // namespace wgd::io::cage
