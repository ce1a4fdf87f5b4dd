// SPDX-License-Identifier: MIT
// Named network namespaces as ip-netns(8) makes them: a mount of the namespace on /run/netns/NAME. Ours are
// marked by a file of that name in a directory of our own, with the namespace's inode in it, so that one
// which somebody else makes under the same name later is never taken for ours.
//
// Work inside of a namespace is done on a thread that lives for that work only: the thread enters the
// namespace, the daemon never does, and no socket of ours keeps a namespace alive after its last user.
#pragma once

#include <functional>
#include <string>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "daemon/plan/snapshot.hpp"

namespace wgd::sys {

class NetNamespaces {
  public:
    struct Options {
        std::string directory = "/run/netns";     // common to all programs
        std::string dns_directory = "/etc/netns"; // NAME/resolv.conf
        std::string marks;                        // ours alone; made when it is needed
    };
    explicit NetNamespaces(Options options)
        : options_(std::move(options)) {}

    // Success when there is one of this name already, whoever made it.
    [[nodiscard]] Result<void> create(const std::string& name) const;
    // Success when there is none, or when it is not ours: then it stays.
    [[nodiscard]] Result<void> remove(const std::string& name) const;
    // kAbsent, kForeign or kOurs; or kOursInUse if a process is in it.
    [[nodiscard]] plan::NamespaceState state(const std::string& name) const;

    // Runs the work inside and waits for it. kNotFound if there is no such namespace.
    Result<void> run_in(const std::string& name, const std::function<Result<void>()>& work) const;

    // Calls with a descriptor of it. kNotFound.
    Result<void> with_open(const std::string& name, const std::function<Result<void>(int)>& work) const;

    // The contents of its resolv.conf; "" if there is none.
    [[nodiscard]] Result<std::string> dns(const std::string& name) const;
    // "" removes it, and its directory NAME if nothing else is there. kConflict for a file that does not
    // begin with plan::kNamespaceDnsMark.
    [[nodiscard]] Result<void> set_dns(const std::string& name, const std::string& text) const;

  private:
    [[nodiscard]] std::string path(const std::string& name) const { return options_.directory + "/" + name; }
    [[nodiscard]] std::string mark_path(const std::string& name) const { return options_.marks + "/" + name; }
    [[nodiscard]] bool is_marked(const std::string& name) const;

    Options options_;
};

} // namespace wgd::sys
