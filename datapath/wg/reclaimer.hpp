// SPDX-License-Identifier: MIT
// Quiescent-state reclamation: the control thread takes an object out of every table, retires it here, and it
// is destroyed once every data thread has said quiescent() (or was offline) since. Readers pay one load per
// batch.
//
// Orders that matter are sequentially consistent: a reader announces itself, then loads pointers; the control
// thread unlinks pointers, then advances the epoch, then reads announcements.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace wgd::wg {

// A reader's announcement: the epoch it has seen, 0 while offline. On a cache line of its own.
struct alignas(64) ReaderSlot {
    std::atomic<std::uint64_t> seen{0};
    std::atomic<bool> taken{false};
};

class Reclaimer {
  public:
    Reclaimer() = default;
    ~Reclaimer(); // destroys all; no reader may be left
    Reclaimer(const Reclaimer&) = delete;
    Reclaimer& operator=(const Reclaimer&) = delete;

    // --- any thread ---
    [[nodiscard]] ReaderSlot* enter();
    void leave(ReaderSlot* slot);
    void online(ReaderSlot& slot) const { slot.seen.store(epoch_.load()); }
    void quiescent(ReaderSlot& slot) const {
        const std::uint64_t epoch = epoch_.load();
        if (slot.seen.load(std::memory_order_relaxed) != epoch) slot.seen.store(epoch);
    }
    static void offline(ReaderSlot& slot) { slot.seen.store(0, std::memory_order_release); }

    // --- control thread ---
    template <class T>
    void retire(T* object) {
        fresh_.push_back({0, object, [](void* pointer) { delete static_cast<T*>(pointer); }});
    }
    // Objects that nobody can see any more move to the doomed list; then, what the caller still has to drain
    // having been drained, destroy_doomed() ends them.
    void collect();
    void destroy_doomed();
    [[nodiscard]] bool pending() const { return !fresh_.empty() || !waiting_.empty(); }

  private:
    struct Retired {
        std::uint64_t epoch;
        void* object;
        void (*destroy)(void*);
    };

    std::atomic<std::uint64_t> epoch_{1};
    std::mutex slots_mutex_; // of the list, not of the slots
    std::vector<std::unique_ptr<ReaderSlot>> slots_;
    std::vector<Retired> fresh_, waiting_, doomed_;
};

} // namespace wgd::wg
