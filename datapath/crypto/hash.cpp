// SPDX-License-Identifier: MIT
// libb2 rather than OpenSSL: its state is a plain struct on the stack (EVP allocates), it takes keys and
// short outputs directly, and 64 bytes cost 175 ns against 266 ns.
#include "datapath/crypto/hash.hpp"

#include <blake2.h>
#include <cassert>
#include <sodium.h>

namespace wgd::crypto {

namespace {

constexpr std::size_t kBlockSize = 64;

// A running BLAKE2s-256 that leaves nothing behind.
class Blake2s {
  public:
    Blake2s() { blake2s_init(&state_, kHashSize); }
    Blake2s(ByteView key, std::size_t out_size) {
        if (key.empty())
            blake2s_init(&state_, out_size);
        else
            blake2s_init_key(&state_, out_size, key.data(), key.size());
    }
    Blake2s(const Blake2s&) = delete;
    Blake2s& operator=(const Blake2s&) = delete;
    ~Blake2s() { sodium_memzero(&state_, sizeof state_); }

    void update(ByteView data) {
        if (!data.empty()) blake2s_update(&state_, data.data(), data.size());
    }
    void finish(ByteSpan out) { blake2s_final(&state_, out.data(), out.size()); }

  private:
    blake2s_state state_;
};

} // namespace

Hash hash(std::initializer_list<ByteView> parts) {
    Blake2s state;
    for (ByteView part : parts)
        state.update(part);
    Hash out;
    state.finish(out);
    return out;
}

Mac keyed_mac(ByteView key, ByteView message) {
    assert(key.size() <= kHashSize);
    Blake2s state(key, kMacSize);
    state.update(message);
    Mac out;
    state.finish(out);
    return out;
}

Hash keyed_hash(ByteView key, ByteView message) {
    assert(key.size() <= kHashSize);
    Blake2s state(key, kHashSize);
    state.update(message);
    Hash out;
    state.finish(out);
    return out;
}

// RFC 2104: H((K ^ opad) || H((K ^ ipad) || text)), K longer than a block hashed first.
Secret<kHashSize> hmac(ByteView key, std::initializer_list<ByteView> parts) {
    Secret<kBlockSize> pad;
    if (key.size() > kBlockSize) {
        Blake2s state;
        state.update(key);
        state.finish(pad.expose_mut().first<kHashSize>());
    } else if (!key.empty()) {
        std::memcpy(pad.expose_mut().data(), key.data(), key.size());
    }

    Secret<kHashSize> inner;
    for (std::uint8_t& byte : pad.expose_mut())
        byte ^= 0x36;
    {
        Blake2s state;
        state.update(pad.expose());
        for (ByteView part : parts)
            state.update(part);
        state.finish(inner.expose_mut());
    }

    Secret<kHashSize> out;
    for (std::uint8_t& byte : pad.expose_mut())
        byte ^= 0x36 ^ 0x5c;
    Blake2s state;
    state.update(pad.expose());
    state.update(inner.expose());
    state.finish(out.expose_mut());
    return out;
}

namespace {

constexpr std::array<std::uint8_t, 1> kOne{1};
constexpr std::array<std::uint8_t, 1> kTwo{2};
constexpr std::array<std::uint8_t, 1> kThree{3};

} // namespace

void kdf1(Secret<kHashSize>& out1, ByteView key, ByteView input) {
    const Secret<kHashSize> extracted = hmac(key, {input});
    out1 = hmac(extracted.expose(), {kOne});
}

void kdf2(Secret<kHashSize>& out1, Secret<kHashSize>& out2, ByteView key, ByteView input) {
    const Secret<kHashSize> extracted = hmac(key, {input});
    Secret<kHashSize> first = hmac(extracted.expose(), {kOne});
    out2 = hmac(extracted.expose(), {first.expose(), kTwo});
    out1 = std::move(first);
}

void kdf3(Secret<kHashSize>& out1, Secret<kHashSize>& out2, Secret<kHashSize>& out3, ByteView key,
          ByteView input) {
    const Secret<kHashSize> extracted = hmac(key, {input});
    Secret<kHashSize> first = hmac(extracted.expose(), {kOne});
    Secret<kHashSize> second = hmac(extracted.expose(), {first.expose(), kTwo});
    out3 = hmac(extracted.expose(), {second.expose(), kThree});
    out2 = std::move(second);
    out1 = std::move(first);
}

std::uint64_t table_hash(const TableKey& key, ByteView data) {
    static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8);
    std::array<std::uint8_t, crypto_shorthash_BYTES> out;
    crypto_shorthash(out.data(), data.data(), data.size(), key.data());
    return load_le<std::uint64_t>(out.data());
}

} // namespace wgd::crypto
