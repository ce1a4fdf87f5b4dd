// SPDX-License-Identifier: MIT
#include "tests/sim/world.hpp"

#include <stdexcept>

#include "datapath/crypto/x25519.hpp"

namespace wgd::sim {

using wg::Drop;
using wg::InPacket;
using wg::Outcome;
using wg::OutPacket;
using wg::Path;
using wg::SealStatus;

// --- Node ---

Node::Node(World& world, Endpoint address, std::uint64_t seed)
    : world_(world)
    , address_(address)
    , random_(seed)
    , control_aead_(crypto::make_aead(crypto::AeadBackend::kSodium))
    , data_aead_(crypto::make_aead(crypto::AeadBackend::kSodium))
    , engine_(std::make_unique<wg::Engine>(
          wg::EngineEnvironment{&random_, control_aead_.get(), [this] { ++wakes; }}))
    , thread_(std::make_unique<wg::DataThread>(engine_->data_path().attach(*data_aead_)))
    , private_key_(crypto::generate_private_key(random_))
    , public_key_(derive_public_key(private_key_)) {}

void Node::move_to(Endpoint address) {
    address_ = address;
}

void Node::flush() {
    for (const wg::Outbox::Datagram& datagram : outbox_.datagrams()) {
        const ByteView bytes = outbox_.bytes(datagram);
        world_.transmit({address_, datagram.to.remote, Bytes(bytes.begin(), bytes.end()), datagram.tos});
    }
    outbox_.clear();
}

void Node::send(ByteView inner) {
    send_many({Bytes(inner.begin(), inner.end())});
}

void Node::send_many(const std::vector<Bytes>& inner) {
    thread_->online();
    for (std::size_t at = 0; at < inner.size();) {
        wg::Peer* peer = thread_->route(inner[at]);
        std::size_t end = at + 1;
        while (end < inner.size() && thread_->route(inner[end]) == peer)
            ++end;
        SealStatus status = SealStatus::kNoEndpoint;
        std::size_t sealed = 0;
        if (peer) {
            std::vector<Bytes> buffers;
            std::vector<OutPacket> packets;
            for (std::size_t i = at; i < end; ++i) {
                Bytes buffer(wg::kTransportHeaderSize + inner[i].size() + wg::kSealTailRoom, 0xee);
                std::copy(inner[i].begin(), inner[i].end(), buffer.begin() + wg::kTransportHeaderSize);
                buffers.push_back(std::move(buffer));
            }
            for (std::size_t i = at; i < end; ++i)
                packets.push_back({buffers[i - at].data(), static_cast<std::uint32_t>(inner[i].size())});
            const wg::SealResult result = thread_->seal(*peer, packets, world_.now());
            status = result.status;
            sealed = result.sealed;
            for (std::size_t i = 0; i < sealed; ++i)
                world_.transmit({address_, result.path.remote,
                                 Bytes(packets[i].buffer, packets[i].buffer + packets[i].datagram_size),
                                 packets[i].tos});
        }
        for (std::size_t i = at + sealed; i < end; ++i) {
            if (peer && (status == SealStatus::kNoSession || status == SealStatus::kSealed)) {
                thread_->stage(*peer, inner[i], world_.now());
            } else if (status != SealStatus::kDown) {
                std::array<std::uint8_t, 576> answer;
                const std::size_t size = thread_->unreachable(
                    inner[i], peer ? Drop::kNoEndpoint : Drop::kNoRoute, world_.now(), answer);
                if (size != 0)
                    unreachables.emplace_back(answer.begin(), answer.begin() + static_cast<long>(size));
            }
        }
        at = end;
    }
    thread_->offline();
    service();
}

void Node::receive(const std::vector<Datagram>& batch) {
    const std::size_t before = delivered.size();
    std::vector<Bytes> buffers;
    std::vector<Path> paths;
    for (const Datagram& datagram : batch) {
        buffers.push_back(datagram.bytes);
        paths.push_back({datagram.from, address_.address, 1});
    }
    std::vector<InPacket> packets(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        packets[i].data = buffers[i].data();
        packets[i].size = static_cast<std::uint32_t>(buffers[i].size());
        packets[i].tos = batch[i].tos;
        packets[i].from = &paths[i];
    }
    thread_->online();
    thread_->open(packets, world_.now());
    thread_->offline();
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const InPacket& packet = packets[i];
        switch (packet.outcome) {
        case Outcome::kDeliver:
            delivered.emplace_back(packet.inner, packet.inner + packet.inner_size);
            break;
        case Outcome::kHandshake:
            engine_->on_handshake({packet.data, packet.size}, paths[i], handshake_backlog, world_.now(),
                                  outbox_);
            break;
        case Outcome::kDropped:
            dropped.push_back(packet.drop);
            break;
        case Outcome::kKeepalive:
            break;
        }
    }
    if (on_delivery && delivered.size() > before) on_delivery();
    service();
}

void Node::apply(DeviceDelta delta) {
    if (!engine_->apply(std::move(delta), world_.now(), outbox_))
        throw std::logic_error("configuration refused");
    service();
}

void Node::service() {
    engine_->service(world_.now(), outbox_);
    flush();
}

WgPeer Node::peer(const PublicKey& key) const {
    WgDevice device = engine_->snapshot();
    for (WgPeer& peer : device.peers)
        if (peer.public_key == key) return std::move(peer);
    throw std::logic_error("no such peer");
}

// --- World ---

Node& World::add(const std::string& endpoint, bool up) {
    nodes_.push_back(std::make_unique<Node>(*this, Endpoint::parse(endpoint).value(), random_.next()));
    Node& node = *nodes_.back();
    DeviceDelta delta;
    delta.private_key = node.private_key();
    node.apply(std::move(delta));
    if (up) node.engine().set_up(true, now(), node.outbox_);
    return node;
}

void World::introduce(Node& a, const std::string& a_allowed, Node& b, const std::string& b_allowed,
                      bool a_knows_b, bool b_knows_a) {
    const auto tell = [](Node& node, const Node& other, const std::string& allowed, bool endpoint) {
        PeerDelta peer;
        peer.public_key = other.key();
        if (endpoint) peer.endpoint = other.address();
        std::size_t at = 0;
        while (at < allowed.size()) {
            const std::size_t comma = std::min(allowed.find(',', at), allowed.size());
            peer.allowed_ips.push_back({IpPrefix::parse(allowed.substr(at, comma - at)).value()});
            at = comma + 1;
        }
        DeviceDelta delta;
        delta.peers.push_back(std::move(peer));
        node.apply(std::move(delta));
    };
    tell(a, b, b_allowed, a_knows_b);
    tell(b, a, a_allowed, b_knows_a);
}

void World::transmit(Datagram datagram) {
    eavesdropper.see(datagram.from, datagram.to, datagram.bytes);
    if (middlebox && !middlebox(datagram)) return;
    if (random_.unit() < weather.loss) return;
    const int copies = random_.unit() < weather.duplication ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        const auto extra =
            Duration(static_cast<std::int64_t>(random_.unit() * static_cast<double>(weather.wobble.count())));
        in_flight_.emplace(now_ + weather.latency + extra, datagram);
    }
}

std::optional<Instant> World::next_event() {
    std::optional<Instant> next;
    if (!in_flight_.empty()) next = in_flight_.begin()->first;
    for (const auto& node : nodes_)
        if (const auto deadline = node->deadline(); deadline && (!next || *deadline < *next)) next = deadline;
    return next;
}

void World::advance_to(Instant at) {
    if (at > now_) {
        wall_ += at - now_;
        now_ = at;
    }
    std::map<Node*, std::vector<Datagram>> arrived;
    while (!in_flight_.empty() && in_flight_.begin()->first <= now_) {
        Datagram datagram = std::move(in_flight_.begin()->second);
        in_flight_.erase(in_flight_.begin());
        for (const auto& node : nodes_)
            if (node->address() == datagram.to) arrived[node.get()].push_back(std::move(datagram));
    }
    for (const auto& node : nodes_) {
        if (const auto found = arrived.find(node.get()); found != arrived.end()) node->receive(found->second);
        if (const auto deadline = node->deadline(); deadline && *deadline <= now_) node->service();
    }
}

void World::run_for(Duration duration) {
    const Instant end = now_ + duration;
    for (;;) {
        const auto next = next_event();
        if (!next || *next > end) break;
        advance_to(*next);
    }
    advance_to(end);
}

bool World::run_until(const std::function<bool()>& holds, Duration limit) {
    const Instant end = now_ + limit;
    while (!holds()) {
        const auto next = next_event();
        if (!next || *next > end) {
            advance_to(end);
            return holds();
        }
        advance_to(*next);
    }
    return true;
}

Bytes inner_packet(const std::string& from, const std::string& to, std::size_t payload, std::uint8_t ecn) {
    const IpAddress source = IpAddress::parse(from).value();
    const IpAddress destination = IpAddress::parse(to).value();
    const std::size_t udp = 8 + payload;
    Bytes packet;
    if (source.is_v4()) {
        packet.assign(20 + udp, 0);
        packet[0] = 0x45;
        packet[1] = ecn;
        store_be<std::uint16_t>(packet.data() + 2, static_cast<std::uint16_t>(packet.size()));
        packet[8] = 64;
        packet[9] = 17;
        std::copy(source.bytes().begin(), source.bytes().end(), packet.begin() + 12);
        std::copy(destination.bytes().begin(), destination.bytes().end(), packet.begin() + 16);
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < 20; i += 2)
            sum += load_be<std::uint16_t>(packet.data() + i);
        while ((sum >> 16) != 0)
            sum = (sum & 0xffff) + (sum >> 16);
        store_be<std::uint16_t>(packet.data() + 10, static_cast<std::uint16_t>(~sum));
    } else {
        packet.assign(40 + udp, 0);
        packet[0] = 0x60;
        packet[1] = static_cast<std::uint8_t>(ecn << 4);
        store_be<std::uint16_t>(packet.data() + 4, static_cast<std::uint16_t>(udp));
        packet[6] = 17;
        packet[7] = 64;
        std::copy(source.bytes().begin(), source.bytes().end(), packet.begin() + 8);
        std::copy(destination.bytes().begin(), destination.bytes().end(), packet.begin() + 24);
    }
    std::uint8_t* header = packet.data() + packet.size() - udp;
    store_be<std::uint16_t>(header, 4000);
    store_be<std::uint16_t>(header + 2, 5000);
    store_be<std::uint16_t>(header + 4, static_cast<std::uint16_t>(udp));
    for (std::size_t i = 0; i < payload; ++i)
        header[8 + i] = static_cast<std::uint8_t>(0x41 + i % 26);
    return packet;
}

} // namespace wgd::sim
