// SPDX-License-Identifier: MIT
// Result<T>: a value or an Error. The one way functions of this project fail.
//
// Exceptions appear only at the edges of libraries that throw; there they are caught and turned into an
// Error.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace wgd {

// What kind of failure it is. Each code has one D-Bus error name (dbus/names.hpp) and one wgctl exit code.
enum class ErrorCode {
    kInvalidArgument, // the caller passed something that can never work
    kInvalidName,     // not a profile or interface name
    kParse,           // text did not parse; the message carries the diagnostics, one per line
    kNotFound,        // no such profile, tunnel, device, peer
    kUnsafeFile,      // owner, mode or kind of a file is not one we trust
    kNotAuthorized,   // the caller may not do this
    kConflict,        // something that is not ours is in the way; never overwritten
    kBusy,            // another operation on the same tunnel is under way
    kUnsupported,     // this kernel, device or build cannot do it
    kKernel,          // the kernel said no; sys_errno is set
    kIo,              // a file or socket operation failed; sys_errno is set
    kProtocol,        // the other end of a socket spoke nonsense
    kTimeout,
    kResolve,   // a name did not resolve
    kBackend,   // a helper program (datapath, hook, resolvconf) failed
    kCancelled, // superseded or the daemon is stopping
    kRollback,  // undo itself failed: something was left behind, the message says what
    kInternal,
};

// Stable lower-case word for a code, used in logs and JSON ("unsafe-file").
std::string_view to_string(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::kInternal;
    std::string message; // one sentence a person understands; never contains a secret
    int sys_errno = 0;   // errno where the operating system was the cause, else 0

    // "context: message", for callers that know more about what was being attempted.
    [[nodiscard]] Error with_context(std::string_view context) &&;
};

// A Result must be looked at. Derives from tl::expected so that `map`, `and_then`, `*r`, `r->` all work.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  public:
    using tl::expected<T, Error>::expected;
    Result(tl::expected<T, Error> other)
        : tl::expected<T, Error>(std::move(other)) {}
};

using Failure = tl::unexpected<Error>;

// `return fail(ErrorCode::kNotFound, "no profile named 'home'");`
[[nodiscard]] Failure fail(ErrorCode code, std::string message);
// Appends ": <strerror(err)>" and records err. `code` is usually kIo or kKernel.
[[nodiscard]] Failure fail_errno(ErrorCode code, int err, std::string_view what);
[[nodiscard]] inline Failure fail(Error error) {
    return Failure(std::move(error));
}

} // namespace wgd

// Leaves the function with the error of a failed Result<...>; otherwise goes on. For Result<void> and for
// values that are read later.
#define WGD_TRY(result)                                                                                      \
    do {                                                                                                     \
        if (auto&& wgd_try_r = (result); !wgd_try_r) return ::wgd::Failure(std::move(wgd_try_r).error());    \
    } while (0)
