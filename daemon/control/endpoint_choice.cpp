// SPDX-License-Identifier: MIT
#include "daemon/control/endpoint_choice.hpp"

namespace wgd::control {

EndpointChoice choose_endpoints(const Profile& profile, const plan::ResolvedEndpoints& answers,
                                const std::set<PublicKey>& moved, const Record& applied) {
    EndpointChoice choice;
    for (const ProfilePeer& peer : profile.peers) {
        if (!peer.endpoint) continue;
        const PublicKey& key = peer.public_key;
        std::string now = peer.endpoint->text;
        // Without knowing the words of before, what is there stays.
        std::string before = now;
        if (applied.endpoint_specs) {
            const auto spec = applied.endpoint_specs->find(key);
            before = spec == applied.endpoint_specs->end() ? std::string() : spec->second;
        }
        const auto given = applied.endpoints.find(key);
        const auto answer = answers.find(key);
        const bool gone = moved.count(key) != 0;
        if (given != applied.endpoints.end() && (answer == answers.end() || (before == now && !gone))) {
            // Also while the new name has no answer: better an old address than none, and it keeps its words,
            // so that the answer is still news when it comes.
            choice.endpoints.emplace(key, given->second);
            choice.specs.emplace(key, std::move(before));
            continue;
        }
        if (answer != answers.end()) {
            choice.endpoints.emplace(key, answer->second);
            if (before != now || gone) choice.renewed.insert(key);
        }
        choice.specs.emplace(key, std::move(now));
    }
    return choice;
}

plan::ResolvedEndpoints endpoints_kept(const Profile& profile, const Record& applied) {
    EndpointChoice choice = choose_endpoints(profile, {}, {}, applied);
    for (const ProfilePeer& peer : profile.peers)
        if (peer.endpoint && choice.specs[peer.public_key] != peer.endpoint->text)
            choice.endpoints.erase(peer.public_key);
    return std::move(choice.endpoints);
}

} // namespace wgd::control
