// SPDX-License-Identifier: MIT
#include <unordered_set>

#include "common/model/marks.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::plan {

// One number serves as fwmark and as routing table, so it must be free as both, whoever uses it (D4, D3).
Result<std::uint32_t> allocate_mark(const Snapshot& snapshot) {
    std::unordered_set<std::uint32_t> taken(snapshot.marks_in_use.begin(), snapshot.marks_in_use.end());
    for (const Rule& rule : snapshot.rules) {
        taken.insert(rule.table);
        if (rule.fwmark) taken.insert(*rule.fwmark);
    }
    for (const Route& route : snapshot.routes)
        taken.insert(route.table);
    for (const auto& [name, table] : snapshot.table_names)
        taken.insert(table);
    for (std::uint32_t mark = kFirstAutoMark; mark <= kLastAutoMark; ++mark)
        if (taken.count(mark) == 0) return mark;
    return fail(ErrorCode::kUnsupported, "no free firewall mark and routing table is left between " +
                                             std::to_string(kFirstAutoMark) + " and " +
                                             std::to_string(kLastAutoMark));
}

} // namespace wgd::plan
