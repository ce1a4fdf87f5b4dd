// SPDX-License-Identifier: MIT
#include "daemon/plan/op.hpp"

namespace wgd::plan {

std::string_view to_string(Backend backend) {
    return backend == Backend::kKernel ? "kernel" : "userspace";
}

bool Rule::same_effect(const Rule& other) const {
    return family == other.family && fwmark == other.fwmark && invert == other.invert &&
           table == other.table && suppress_prefixlength == other.suppress_prefixlength;
}

} // namespace wgd::plan
