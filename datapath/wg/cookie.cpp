// SPDX-License-Identifier: MIT
#include "datapath/wg/cookie.hpp"

#include <sodium.h>

#include "datapath/crypto/aead.hpp"
#include "datapath/wg/protocol.hpp"

namespace wgd::wg {
namespace {

crypto::Hash labelled(std::string_view label, const PublicKey& key) {
    return crypto::hash(
        {ByteView(reinterpret_cast<const std::uint8_t*>(label.data()), label.size()), key.bytes()});
}

bool same(const crypto::Mac& expected, ByteView received) {
    return sodium_memcmp(expected.data(), received.data(), expected.size()) == 0;
}

ByteView before_mac1(ByteView message) {
    return message.first(message.size() - kMacsSize);
}
ByteView mac1_of(ByteView message) {
    return message.subspan(message.size() - kMacsSize, crypto::kMacSize);
}
ByteView before_mac2(ByteView message) {
    return message.first(message.size() - crypto::kMacSize);
}
ByteView mac2_of(ByteView message) {
    return message.subspan(message.size() - crypto::kMacSize);
}

std::span<const std::uint8_t, kCookieNonceSize> nonce_of(ByteView reply) {
    return reply.subspan<kCookieNonceOffset, kCookieNonceSize>();
}

} // namespace

crypto::Hash mac1_key(const PublicKey& key) {
    return labelled(kLabelMac1, key);
}
crypto::Hash cookie_key(const PublicKey& key) {
    return labelled(kLabelCookie, key);
}

// --- CookieChecker ---

void CookieChecker::set_key(const PublicKey& own) {
    mac1_key_ = mac1_key(own);
    cookie_key_ = cookie_key(own);
}

MacState CookieChecker::check(ByteView message, const Endpoint& from, bool want_cookie, Instant now) {
    if (!same(crypto::keyed_mac(mac1_key_, before_mac1(message)), mac1_of(message)))
        return MacState::kInvalid;
    if (!want_cookie) return MacState::kValid;
    const Cookie cookie = make_cookie(from, now);
    return same(crypto::keyed_mac(cookie, before_mac2(message)), mac2_of(message))
               ? MacState::kValidWithCookie
               : MacState::kValid;
}

void CookieChecker::write_reply(ByteSpan reply, ByteView message, const Endpoint& from, Instant now) {
    write_type(reply, MessageType::kCookieReply);
    store_le<std::uint32_t>(reply.data() + 4, sender_index(message));
    random_->fill(reply.subspan(kCookieNonceOffset, kCookieNonceSize));
    const Cookie cookie = make_cookie(from, now);
    // mac1 of the message being answered is the additional data: only who sent it can use the reply.
    crypto::xaead_seal(reply.subspan(kCookieOffset), cookie_key_, nonce_of(reply), cookie, mac1_of(message));
}

Cookie CookieChecker::make_cookie(const Endpoint& from, Instant now) {
    if (!secret_birth_ || now - *secret_birth_ >= kCookieSecretLife) {
        random_->fill(secret_.expose_mut());
        secret_birth_ = now;
    }
    std::array<std::uint8_t, 18> source;
    const ByteView address = from.address.bytes();
    std::memcpy(source.data(), address.data(), address.size());
    store_be<std::uint16_t>(source.data() + address.size(), from.port);
    return crypto::keyed_mac(secret_.expose(), ByteView(source).first(address.size() + 2));
}

// --- CookieKeeper ---

void CookieKeeper::add_macs(ByteSpan message, const PublicKey& peer, Instant now) {
    last_mac1_ = crypto::keyed_mac(mac1_key(peer), before_mac1(message));
    std::memcpy(message.data() + message.size() - kMacsSize, last_mac1_.data(), last_mac1_.size());
    awaiting_reply_ = true;

    crypto::Mac mac2{}; // zero without a cookie (WG 5.4.4)
    if (cookie_birth_ && now - *cookie_birth_ < kCookieLife)
        mac2 = crypto::keyed_mac(cookie_, before_mac2(message));
    std::memcpy(message.data() + message.size() - mac2.size(), mac2.data(), mac2.size());
}

bool CookieKeeper::consume_reply(ByteView reply, const PublicKey& peer, Instant now) {
    if (!awaiting_reply_) return false;
    Cookie cookie;
    if (!crypto::xaead_open(cookie, cookie_key(peer), nonce_of(reply), reply.subspan(kCookieOffset),
                            last_mac1_))
        return false;
    cookie_ = cookie;
    cookie_birth_ = now;
    awaiting_reply_ = false;
    return true;
}

void CookieKeeper::forget() {
    awaiting_reply_ = false;
    cookie_birth_.reset();
    sodium_memzero(cookie_.data(), cookie_.size());
}

} // namespace wgd::wg
