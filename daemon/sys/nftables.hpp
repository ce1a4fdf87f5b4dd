// SPDX-License-Identifier: MIT
// nftables through libnftables (libnftables(3)): runs a prepared transaction, looks at our own tables.
// Loop thread only: a context is not thread-safe, and belongs to the network namespace it was made in.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "daemon/plan/snapshot.hpp"

struct nft_ctx;

namespace wgd::sys {

class Nftables {
  public:
    Nftables(); // opens nothing yet
    ~Nftables();
    Nftables(const Nftables&) = delete;
    Nftables& operator=(const Nftables&) = delete;

    // `transaction` comes from plan/firewall.hpp: all of it is done, or nothing (kKernel, nft's first
    // complaint). kUnsupported if the kernel or this process cannot do nftables, with the reason.
    Result<void> run(const std::string& transaction);
    // Tables of family inet whose name begins with kNftTablePrefix; with `only`, the one of that name alone.
    // Errors as above.
    Result<std::map<std::string, plan::TableState>> tables(const std::string& only = "");

    // What `nft list WHAT` prints. `what` is made of fixed words and of names that the kernel gave.
    Result<std::string> list(const std::string& what) { return command("list " + what); }

  private:
    struct Closer {
        void operator()(nft_ctx* context) const;
    };
    Result<std::string> command(const std::string& text);
    std::unique_ptr<nft_ctx, Closer> context_;
};

} // namespace wgd::sys
