// SPDX-License-Identifier: MIT
#include "daemon/control/backend_choice.hpp"

#include <fmt/format.h>

namespace wgd::control {
namespace {

std::string after_colon(const std::string& reason) {
    return reason.empty() ? "" : ": " + reason;
}

} // namespace

Result<BackendChoice> choose_backend(BackendPreference preference, const ports::BackendReport& report) {
    using plan::Backend;
    switch (preference) {
    case BackendPreference::kKernel:
        if (report.kernel)
            return BackendChoice{Backend::kKernel, "the settings say so" + after_colon(report.kernel_reason)};
        return fail(ErrorCode::kUnsupported,
                    "the settings say backend = \"kernel\", but this kernel has no WireGuard" +
                        after_colon(report.kernel_reason));
    case BackendPreference::kUserspace:
        if (report.userspace)
            return BackendChoice{Backend::kUserspace,
                                 "the settings say so" + after_colon(report.userspace_reason)};
        return fail(ErrorCode::kUnsupported,
                    "the settings say backend = \"userspace\", but that cannot be used here" +
                        after_colon(report.userspace_reason));
    case BackendPreference::kAuto:
        break;
    }
    if (report.kernel)
        return BackendChoice{Backend::kKernel,
                             "the kernel has WireGuard" + after_colon(report.kernel_reason)};
    if (report.userspace)
        return BackendChoice{Backend::kUserspace,
                             "the kernel has no WireGuard" + after_colon(report.kernel_reason)};
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("nothing here can carry a tunnel: no WireGuard in the kernel{}, no userspace datapath{}",
                    after_colon(report.kernel_reason), after_colon(report.userspace_reason)));
}

} // namespace wgd::control
