// SPDX-License-Identifier: MIT
// Intel's multi-buffer library, x86 only: several packets of one key are enciphered side by side in the
// vector unit. A manager is not thread-safe and is about 100 KiB, hence one per Aead.
#include <algorithm>
#include <intel-ipsec-mb.h>
#include <sodium.h>

#include "datapath/crypto/backends.hpp"

namespace wgd::crypto {

namespace {

struct ManagerDeleter {
    void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerDeleter>;

constexpr std::size_t kBurst = 64; // IMB_MAX_BURST_SIZE is 128; the packet path takes up to 64 at a time

// In constant time; libsodium's comparison goes byte by byte through volatile memory, 3 % of all time spent.
bool tags_equal(const std::uint8_t* a, const std::uint8_t* b) {
    static_assert(kAeadTagSize == 16);
    return ((load_le<std::uint64_t>(a) ^ load_le<std::uint64_t>(b)) |
            (load_le<std::uint64_t>(a + 8) ^ load_le<std::uint64_t>(b + 8))) == 0;
}

class IpsecMbAead final : public Aead {
  public:
    explicit IpsecMbAead(Manager manager)
        : manager_(std::move(manager)) {}
    ~IpsecMbAead() override { sodium_memzero(tags_, sizeof tags_); }

    void seal(const AeadKey& key, std::span<AeadPacket> packets) override {
        while (!packets.empty()) {
            const auto burst = packets.first(std::min(packets.size(), kBurst));
            submit(key, burst, IMB_DIR_ENCRYPT);
            packets = packets.subspan(burst.size());
        }
    }

    void open(const AeadKey& key, std::span<AeadPacket> packets) override {
        while (!packets.empty()) {
            const auto burst = packets.first(std::min(packets.size(), kBurst));
            submit(key, burst, IMB_DIR_DECRYPT);
            for (std::size_t i = 0; i < burst.size(); ++i)
                burst[i].authentic =
                    burst[i].authentic && tags_equal(tags_[i], burst[i].in + burst[i].length);
            packets = packets.subspan(burst.size());
        }
    }

  private:
    void submit(const AeadKey& key, std::span<AeadPacket> packets, IMB_CIPHER_DIRECTION direction) {
        IMB_MGR* const manager = manager_.get();
        IMB_JOB* jobs[kBurst];
        const auto count = static_cast<std::uint32_t>(packets.size());
        // This algorithm completes within the submit, so the queue is always empty here and a burst always
        // fits.
        IMB_GET_NEXT_BURST(manager, count, jobs);
        for (std::size_t i = 0; i < count; ++i) {
            AeadPacket& packet = packets[i];
            packet.authentic = false;
            std::memcpy(nonces_[i], key.nonce_prefix.data(), 4);
            store_le(nonces_[i] + 4, packet.counter);
            IMB_JOB& job = *jobs[i];
            job.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
            job.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
            job.cipher_direction = direction;
            job.chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
            job.enc_keys = key.data();
            job.dec_keys = key.data();
            job.key_len_in_bytes = kAeadKeySize;
            job.src = packet.in;
            job.dst = packet.out;
            job.cipher_start_src_offset_in_bytes = 0;
            job.msg_len_to_cipher_in_bytes = packet.length;
            job.hash_start_src_offset_in_bytes = 0;
            job.msg_len_to_hash_in_bytes = packet.length;
            job.iv = nonces_[i];
            job.iv_len_in_bytes = sizeof nonces_[i];
            job.auth_tag_output = direction == IMB_DIR_ENCRYPT ? packet.out + packet.length : tags_[i];
            job.auth_tag_output_len_in_bytes = kAeadTagSize;
            job.u.CHACHA20_POLY1305.aad = key.additional.data();
            job.u.CHACHA20_POLY1305.aad_len_in_bytes = key.additional.size();
            job.user_data = &packet;
        }
        // Unchecked: every field is set above and every packet's is of the same kind, so that looking at them
        // again for each packet (3 % of a full one's time, 10 % of a small one's) would find nothing.
        std::uint32_t done = IMB_SUBMIT_BURST_NOCHECK(manager, count, jobs);
        complete(jobs, done);
        while (done < count) {
            const std::uint32_t more = IMB_FLUSH_BURST(manager, count - done, jobs);
            if (more == 0)
                break; // the jobs were refused: nothing is authentic (the self-test keeps such a build out)
            complete(jobs, more);
            done += more;
        }
    }

    static void complete(IMB_JOB** jobs, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i)
            static_cast<AeadPacket*>(jobs[i]->user_data)->authentic = jobs[i]->status == IMB_STATUS_COMPLETED;
    }

    Manager manager_;
    std::uint8_t nonces_[kBurst][12] = {};
    std::uint8_t tags_[kBurst][kAeadTagSize] = {};
};

} // namespace

std::unique_ptr<Aead> make_ipsec_mb_aead() {
    Manager manager(alloc_mb_mgr(0));
    if (!manager) return nullptr;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(manager.get(), &arch); // the best of SSE, AVX, AVX2, AVX-512 this CPU has
    // Without SSE4.2 the library leaves its function table empty; without AES-NI it emulates, which is not
    // ours to use.
    if (imb_get_errno(manager.get()) != 0 || arch == IMB_ARCH_NONE || arch == IMB_ARCH_NOAESNI)
        return nullptr;
    return std::make_unique<IpsecMbAead>(std::move(manager));
}

} // namespace wgd::crypto
