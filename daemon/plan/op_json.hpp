// SPDX-License-Identifier: MIT
// Ops <-> JSON, for the undo log. One line of text without a newline, so that a log of them is JSON lines.
//
// No key is ever written. The undo of a ConfigureDevice on a tunnel that stays (a reload) may hold one: in
// memory it is complete, on disk the keys are missing, and what is read back then only touches peers that
// still exist (update_only), so that no peer comes back without its preshared key. Recovery after a crash in
// mid-reload therefore goes forward to what the profile says instead of back (control/recovery).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::plan {

std::string ops_to_json(const std::vector<Op>& ops);
Result<std::vector<Op>> ops_from_json(std::string_view text); // kParse

} // namespace wgd::plan
