// SPDX-License-Identifier: MIT
#include "daemon/control/endpoint_choice.hpp"

namespace wgd::control {

EndpointChoice choose_endpoints(const Profile& profile, const plan::ResolvedEndpoints& answers,
                                const Record& applied) {
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
        if (given != applied.endpoints.end() && (before == now || answer == answers.end())) {
            // Also while the new name has no answer: better an old address than none, and it keeps its words,
            // so that the answer is still news when it comes.
            choice.endpoints.emplace(key, given->second);
            choice.specs.emplace(key, std::move(before));
            continue;
        }
        if (answer != answers.end()) {
            choice.endpoints.emplace(key, answer->second);
            if (before != now) choice.renewed.insert(key);
        }
        choice.specs.emplace(key, std::move(now));
    }
    return choice;
}

} // namespace wgd::control
