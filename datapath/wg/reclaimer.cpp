// SPDX-License-Identifier: MIT
#include "datapath/wg/reclaimer.hpp"

#include <algorithm>

namespace wgd::wg {

Reclaimer::~Reclaimer() {
    for (std::vector<Retired>* list : {&doomed_, &waiting_, &fresh_})
        for (const Retired& retired : *list)
            retired.destroy(retired.object);
}

ReaderSlot* Reclaimer::enter() {
    const std::lock_guard lock(slots_mutex_);
    for (const auto& slot : slots_)
        if (!slot->taken.exchange(true)) return slot.get();
    slots_.push_back(std::make_unique<ReaderSlot>());
    slots_.back()->taken = true;
    return slots_.back().get();
}

void Reclaimer::leave(ReaderSlot* slot) {
    offline(*slot);
    slot->taken = false;
}

void Reclaimer::collect() {
    if (!fresh_.empty()) {
        // Everything in fresh_ was unlinked before this; whoever announces `epoch` or later cannot find it.
        const std::uint64_t epoch = epoch_.fetch_add(1) + 1;
        for (Retired& retired : fresh_) {
            retired.epoch = epoch;
            waiting_.push_back(retired);
        }
        fresh_.clear();
    }
    if (waiting_.empty()) return;
    std::uint64_t oldest = UINT64_MAX;
    {
        const std::lock_guard lock(slots_mutex_);
        for (const auto& slot : slots_)
            if (const std::uint64_t seen = slot->seen.load(); seen != 0) oldest = std::min(oldest, seen);
    }
    // waiting_ is in order of epochs.
    const auto end = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Retired& retired) { return retired.epoch > oldest; });
    doomed_.insert(doomed_.end(), waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
}

void Reclaimer::destroy_doomed() {
    for (const Retired& retired : doomed_)
        retired.destroy(retired.object);
    doomed_.clear();
}

} // namespace wgd::wg
