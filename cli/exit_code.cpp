// SPDX-License-Identifier: MIT
#include "cli/exit_code.hpp"

namespace wgd::cli {

ExitCode exit_code(ErrorCode code) {
    switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidName:
        return kUsage;
    case ErrorCode::kParse:
    case ErrorCode::kUnsafeFile:
        return kBadProfile;
    case ErrorCode::kNotFound:
        return kNotFound;
    case ErrorCode::kNotAuthorized:
        return kDenied;
    case ErrorCode::kConflict:
    case ErrorCode::kBusy:
        return kInTheWay;
    case ErrorCode::kUnsupported:
    case ErrorCode::kKernel:
    case ErrorCode::kIo:
    case ErrorCode::kProtocol:
    case ErrorCode::kTimeout:
    case ErrorCode::kResolve:
    case ErrorCode::kBackend:
    case ErrorCode::kCancelled:
    case ErrorCode::kRollback:
    case ErrorCode::kInternal:
        return kFailed;
    }
    return kFailed;
}

CommandError to_command_error(const Error& error) {
    return {exit_code(error.code), std::string(to_string(error.code)), error.message};
}

} // namespace wgd::cli
