// SPDX-License-Identifier: MIT
#include "daemon/control/path_watch.hpp"

#include <algorithm>

#include "common/base/log.hpp"

namespace wgd::control {

void PathWatch::see(const plan::Snapshot& snapshot, const std::string& own_link, std::uint32_t mark) {
    mark_ = mark;
    std::map<IpAddress, Path> gone = std::move(paths_);
    paths_.clear();
    std::vector<IpAddress> due;
    for (const plan::EndpointPath& seen : snapshot.endpoint_paths) {
        const auto link = snapshot.links.find(seen.link);
        if (seen.link == own_link || link == snapshot.links.end() || seen.destination.is_link_local() ||
            seen.destination.is_loopback() || paths_.count(seen.destination) != 0)
            continue;
        Path& path = paths_[seen.destination];
        if (const auto before = gone.find(seen.destination); before != gone.end() &&
                                                             before->second.link == seen.link &&
                                                             before->second.ceiling == link->second.mtu) {
            path = std::move(before->second);
            continue;
        }
        path.link = seen.link;
        path.ceiling = link->second.mtu;
        // What an earlier daemon found holds until it is measured again; of another way it says nothing.
        if (const auto known = known_.find(seen.destination); known != known_.end())
            path.mtu = std::min(known->second, path.ceiling);
        known_.erase(seen.destination);
        due.push_back(seen.destination);
    }
    for (const IpAddress& destination : due)
        measure(destination);
}

void PathWatch::doubt_all() {
    std::vector<IpAddress> all;
    for (const auto& [destination, path] : paths_)
        all.push_back(destination);
    for (const IpAddress& destination : all)
        measure(destination);
}

void PathWatch::measure(const IpAddress& destination) {
    Path& path = paths_.at(destination);
    path.again.reset();
    path.running.reset();
    const std::weak_ptr<bool> alive = alive_;
    auto running = prober_.measure(destination, mark_, path.ceiling,
                                   [this, alive, destination](Result<std::optional<std::uint32_t>> mtu) {
                                       if (!alive.expired()) found(destination, std::move(mtu));
                                   });
    // It may have answered at once.
    if (const auto at = paths_.find(destination); at != paths_.end() && !at->second.again)
        at->second.running = std::move(running);
}

void PathWatch::found(const IpAddress& destination, Result<std::optional<std::uint32_t>> mtu) {
    const auto at = paths_.find(destination);
    if (at == paths_.end()) return;
    Path& path = at->second;
    path.again = timers_.after(kAgain, [this, destination] {
        if (paths_.count(destination) != 0) measure(destination);
    });
    path.problem.clear();
    if (!mtu)
        path.problem = "mtu_probe: " + mtu.error().message;
    else if (!*mtu)
        path.problem = "mtu_probe: " + destination.to_string() +
                       " answers no echo request, and no router says what would fit";
    else
        path.mtu = **mtu;
    if (mtu && *mtu) log::debug("packets of {} bytes reach {} in one piece", **mtu, destination.to_string());
    // Also when it is what it was: the kernel remembers what a router said, and forgets it after as long
    // (ip(7), mtu_expires), which it does not announce.
    changed_();
}

void PathWatch::limit(plan::Snapshot& snapshot) const {
    for (plan::EndpointPath& seen : snapshot.endpoint_paths)
        if (const auto path = paths_.find(seen.destination);
            path != paths_.end() && path->second.mtu && path->second.link == seen.link)
            seen.mtu = std::min(seen.mtu, *path->second.mtu);
}

PathWatch::Mtus PathWatch::limits() const {
    Mtus limits;
    for (const auto& [destination, path] : paths_)
        if (path.mtu && *path.mtu < path.ceiling) limits.emplace(destination, *path.mtu);
    return limits;
}

std::optional<std::uint32_t> PathWatch::smallest() const {
    std::optional<std::uint32_t> smallest;
    for (const auto& [destination, path] : paths_)
        if (path.mtu && (!smallest || *path.mtu < *smallest)) smallest = path.mtu;
    return smallest;
}

std::vector<std::string> PathWatch::problems() const {
    std::vector<std::string> problems;
    for (const auto& [destination, path] : paths_)
        if (!path.problem.empty()) problems.push_back(path.problem);
    return problems;
}

} // namespace wgd::control
