// SPDX-License-Identifier: MIT
#include "common/base/result.hpp"

#include <system_error>

namespace wgd {

std::string_view to_string(ErrorCode code) {
    switch (code) {
    case ErrorCode::kInvalidArgument:
        return "invalid-argument";
    case ErrorCode::kInvalidName:
        return "invalid-name";
    case ErrorCode::kParse:
        return "parse";
    case ErrorCode::kNotFound:
        return "not-found";
    case ErrorCode::kUnsafeFile:
        return "unsafe-file";
    case ErrorCode::kNotAuthorized:
        return "not-authorized";
    case ErrorCode::kConflict:
        return "conflict";
    case ErrorCode::kBusy:
        return "busy";
    case ErrorCode::kUnsupported:
        return "unsupported";
    case ErrorCode::kKernel:
        return "kernel";
    case ErrorCode::kIo:
        return "io";
    case ErrorCode::kProtocol:
        return "protocol";
    case ErrorCode::kTimeout:
        return "timeout";
    case ErrorCode::kResolve:
        return "resolve";
    case ErrorCode::kBackend:
        return "backend";
    case ErrorCode::kCancelled:
        return "cancelled";
    case ErrorCode::kRollback:
        return "rollback";
    case ErrorCode::kInternal:
        return "internal";
    }
    return "internal";
}

Error Error::with_context(std::string_view context) && {
    message.insert(0, std::string(context) + ": ");
    return std::move(*this);
}

Failure fail(ErrorCode code, std::string message) {
    return Failure(Error{code, std::move(message), 0});
}

Failure fail_errno(ErrorCode code, int err, std::string_view what) {
    return Failure(Error{code, std::string(what) + ": " + std::generic_category().message(err), err});
}

} // namespace wgd
