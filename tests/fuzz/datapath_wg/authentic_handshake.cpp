// SPDX-License-Identifier: MIT
// What somebody with good keys may say in a handshake's three messages: any index, timestamp, ephemeral key,
// preshared key, cookie and nonce, and any bytes of the finished message changed. One that is whole does what
// it says, once; one that is changed, or not by the peer, does nothing; a cookie reply moves no endpoint.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "datapath/crypto/aead.hpp"
#include "datapath/crypto/x25519.hpp"
#include "tests/sim/fixtures.hpp"

using namespace wgd;

namespace {

// The input as what a message is made of; zeros behind its end.
class Source final : public Random {
  public:
    Source(const std::uint8_t* data, std::size_t size)
        : rest_(data, size) {}
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    void fill(ByteSpan out) override {
        const std::size_t size = std::min(out.size(), rest_.size());
        std::fill(std::copy_n(rest_.begin(), size, out.begin()), out.end(), std::uint8_t{0});
        rest_ = rest_.subspan(size);
    }
    template <std::size_t N>
    std::array<std::uint8_t, N> take() {
        std::array<std::uint8_t, N> out;
        fill(out);
        return out;
    }
    std::uint8_t byte() { return take<1>()[0]; }
    PrivateKey key() { return crypto::generate_private_key(*this); }

  private:
    ByteView rest_;
};

wg::SymmetricState wireguard_start() {
    return wg::SymmetricState::start(
        ByteView(reinterpret_cast<const std::uint8_t*>(wg::kIdentifier.data()), wg::kIdentifier.size()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 200) return 0;
    Source source(data, size);
    const std::uint8_t kind = source.byte() % 3, choices = source.byte();

    sim::Pair pair;
    Bytes initiation; // b's, which nobody answers but the input
    std::size_t answers = 0;
    pair.world.middlebox = [&](sim::Datagram& datagram) {
        if (datagram.bytes[0] == 1) initiation = datagram.bytes;
        if (datagram.bytes[0] == 2) ++answers;
        return false;
    };
    pair.b_to_a();
    pair.world.run_for(std::chrono::milliseconds(50));

    const bool stranger = (choices & 1) != 0, wrong_psk = (choices & 2) != 0;
    wg::NoiseIdentity self{pair.a.private_key(), pair.a.key()};
    if (stranger) {
        self.private_key = source.key();
        self.public_key = derive_public_key(self.private_key);
    }
    bool good = !(stranger && self.public_key != pair.a.key());
    Bytes message;
    const auto index = source.take<4>();
    if (kind == 0) {
        message.resize(wg::kInitiationSize);
        wg::write_type(message, wg::MessageType::kInitiation);
        std::memcpy(message.data() + 4, index.data(), index.size());
        wg::SharedSecret shared;
        if (!crypto::x25519(shared, self.private_key, pair.b.key())) std::abort();
        const auto timestamp = source.take<12>();
        if (!wg::write_initiation(
                ByteSpan(message).subspan(wg::kInitiationNoiseOffset, wg::kInitiationNoiseSize),
                wireguard_start(), self, pair.b.key(), shared, source.key(), timestamp))
            std::abort();
        good = good && timestamp != wg::Tai64n{}; // not greater than none
    } else if (kind == 1) {
        message.resize(wg::kResponseSize);
        wg::write_type(message, wg::MessageType::kResponse);
        std::memcpy(message.data() + 4, index.data(), index.size());
        std::memcpy(message.data() + 8, initiation.data() + 4, 4);
        const wg::NoiseIdentity a{pair.a.private_key(), pair.a.key()};
        auto responder = wg::read_initiation_static(
            ByteView(initiation).subspan(wg::kInitiationNoiseOffset, wg::kInitiationNoiseSize),
            wireguard_start(), a);
        wg::SharedSecret shared;
        wg::Tai64n timestamp;
        if (!responder || !crypto::x25519(shared, a.private_key, pair.b.key()) ||
            !wg::read_initiation_payload(
                *responder,
                ByteView(initiation).subspan(wg::kInitiationNoiseOffset, wg::kInitiationNoiseSize), shared,
                timestamp))
            std::abort();
        PresharedKey psk;
        if (wrong_psk) {
            const auto bytes = source.take<kKeySize>();
            std::memcpy(psk.expose_mut().data(), bytes.data(), bytes.size());
            good = bytes == std::array<std::uint8_t, kKeySize>{};
        } else {
            good = true; // whoever could read the initiation is the peer
        }
        if (!wg::write_response(ByteSpan(message).subspan(wg::kResponseNoiseOffset, wg::kResponseNoiseSize),
                                *responder, source.key(), psk, {}))
            std::abort();
    } else {
        message.resize(wg::kCookieReplySize);
        wg::write_type(message, wg::MessageType::kCookieReply);
        std::memcpy(message.data() + 4, initiation.data() + 4, 4);
        const auto nonce = source.take<wg::kCookieNonceSize>();
        std::memcpy(message.data() + wg::kCookieNonceOffset, nonce.data(), nonce.size());
        crypto::xaead_seal(ByteSpan(message).subspan(wg::kCookieOffset), wg::cookie_key(self.public_key),
                           nonce, source.take<wg::kCookieSize>(),
                           ByteView(initiation).last(wg::kMacsSize).first(crypto::kMacSize));
    }
    if (kind != 2) wg::CookieKeeper().add_macs(message, pair.b.key(), pair.world.now().mono);
    const Bytes whole = message;
    while (!source.empty()) {
        const std::uint8_t at = source.byte();
        message[at % message.size()] ^= source.byte();
    }
    if (kind != 2 && (choices & 4) != 0) // changed, and mac1 made good again
        wg::CookieKeeper().add_macs(message, pair.b.key(), pair.world.now().mono);
    // mac2 counts under load only, and the sender's index is covered by mac1 alone.
    const auto counts = [&](const Bytes& bytes) {
        Bytes covered(bytes.begin(), bytes.end() - (kind == 2 ? 0 : wg::kMacsSize));
        if (kind != 2 && (choices & 4) != 0) std::fill_n(covered.begin() + 4, 4, std::uint8_t{0});
        if (kind != 2 && (choices & 4) == 0) covered.assign(bytes.begin(), bytes.end() - crypto::kMacSize);
        return covered;
    };
    const bool changed = counts(message) != counts(whole);

    const Endpoint elsewhere = *Endpoint::parse("198.51.100.7:7");
    pair.world.run_for(std::chrono::milliseconds(50));
    wg::Peer& peer = pair.peer_in_b();
    for (int i = 0; i < 2; ++i)
        pair.b.receive({{elsewhere, pair.b.address(), message}});
    pair.world.run_for(std::chrono::milliseconds(5));
    const bool next = peer.next.load() != nullptr, current = peer.current.load() != nullptr;
    const bool expected = good && !changed;
    if (next != (kind == 0 && expected) || current != (kind == 1 && expected)) std::abort();
    if (answers != (kind == 0 && expected ? 1U : 0U)) std::abort();
    const bool moved = pair.b.peer(pair.a.key()).endpoint == elsewhere;
    if (moved != (kind != 2 && expected)) std::abort();
    if (pair.b.engine().counters().cookie_replies_received != (kind == 2 && expected ? 1U : 0U)) std::abort();
    return 0;
}
