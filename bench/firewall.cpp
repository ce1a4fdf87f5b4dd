// SPDX-License-Identifier: MIT
// One replace of the kill switch's table with 1, 100 and 10,000 endpoints: libnftables in this process, as
// wgd does it, beside an `nft -f -` process for each. In a network namespace of its own. Needs root.
//
//   firewall_bench [ROUNDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <string>
#include <vector>

#include "daemon/plan/lock.hpp"
#include "daemon/sys/nftables.hpp"

using namespace wgd;
using Stopwatch = std::chrono::steady_clock;

namespace {

// The n-th of tables that differ in every element from the one before.
std::string transaction(std::size_t elements, unsigned n) {
    plan::LockTable table;
    plan::LockedTunnel& tunnel = table.tunnels.emplace_back();
    tunnel.link = "bench";
    tunnel.fwmark = 51820;
    for (std::size_t i = 0; i < elements; ++i) {
        const auto part = [&](unsigned shift) { return static_cast<std::uint8_t>(i >> shift); };
        tunnel.endpoints.push_back(
            {IpAddress::v4({static_cast<std::uint8_t>(11 + n % 2), part(16), part(8), part(0)}),
             static_cast<std::uint16_t>(1024 + i % 60000)});
    }
    return render(table).transaction;
}

bool by_process(const std::string& text) {
    std::FILE* pipe = ::popen("exec nft -f -", "w"); // bench only: wgd starts no shell for this
    if (pipe == nullptr) return false;
    const bool written = std::fwrite(text.data(), 1, text.size(), pipe) == text.size();
    return ::pclose(pipe) == 0 && written;
}

template <class Replace>
void measure(const char* name, std::size_t elements, unsigned rounds, Replace replace) {
    std::vector<double> times;
    for (unsigned n = 0; n < rounds; ++n) {
        const std::string text = transaction(elements, n);
        const auto begin = Stopwatch::now();
        if (!replace(text)) {
            std::printf("| %zu | %s | failed |\n", elements, name);
            return;
        }
        times.push_back(std::chrono::duration<double, std::milli>(Stopwatch::now() - begin).count());
    }
    std::sort(times.begin(), times.end());
    std::printf("| %zu | %s | %.2f | %.2f | %.2f |\n", elements, name, times.front(), times[times.size() / 2],
                times.back());
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
    const unsigned rounds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 11;
    sys::Nftables nft;
    if (rounds == 0 || ::unshare(CLONE_NEWNET) != 0 || !nft.tables()) {
        std::fputs("needs root and a kernel with nftables\n", stderr);
        return 77;
    }
    std::puts("| elements | by | fastest, ms | median, ms | slowest, ms |\n|---|---|---|---|---|");
    for (const std::size_t elements : {1U, 100U, 10000U}) {
        measure("libnftables in wgd", elements, rounds,
                [&](const std::string& text) { return nft.run(text).has_value(); });
        measure("a process `nft -f -`", elements, rounds, by_process);
    }
    return 0;
}
