// SPDX-License-Identifier: MIT
#include "daemon/sys/nftables.hpp"

#include <cerrno>
#include <functional>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include "common/base/fd.hpp"
#include "common/model/marks.hpp"
#include "daemon/sys/nft_tables.hpp"

namespace wgd::sys {
namespace {

// nft's complaint is several lines with the offending text and a caret; the first is the sentence, and it
// begins with a place in our own buffer that tells a reader nothing.
std::string first_complaint(std::string text) {
    text = text.substr(0, text.find('\n'));
    const std::string marker = "Error: ";
    const auto at = text.find(marker);
    return at == std::string::npos ? text : text.substr(at + marker.size());
}

// libnftables ends the process if it cannot open its socket (1.0.6, mnl.c): found out before it tries.
Result<void> can_open_socket() {
    const Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (fd) return {};
    return fail_errno(ErrorCode::kUnsupported, errno, "nftables cannot be used here");
}

} // namespace

void Nftables::Closer::operator()(nft_ctx* context) const {
    nft_ctx_free(context);
}

Nftables::Nftables() = default;
Nftables::~Nftables() = default;

Result<std::string> Nftables::command(const std::string& text) {
    if (!context_) {
        WGD_TRY(can_open_socket());
        context_.reset(nft_ctx_new(NFT_CTX_DEFAULT));
        if (!context_ || nft_ctx_buffer_output(context_.get()) != 0 ||
            nft_ctx_buffer_error(context_.get()) != 0) {
            context_.reset();
            return fail(ErrorCode::kUnsupported, "nftables cannot be used here");
        }
        nft_ctx_clear_include_paths(context_.get());
        nft_ctx_output_set_flags(context_.get(), NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
    }
    const int failed = nft_run_cmd_from_buffer(context_.get(), text.c_str());
    // Reading a buffer empties it.
    std::string output = nft_ctx_get_output_buffer(context_.get());
    const std::string complaint = first_complaint(nft_ctx_get_error_buffer(context_.get()));
    if (failed != 0) return fail(ErrorCode::kKernel, "nftables: " + complaint);
    return output;
}

Result<void> Nftables::run(const std::string& transaction) {
    WGD_TRY(command(transaction));
    return {};
}

Result<std::map<std::string, plan::TableState>> Nftables::tables(const std::string& only) {
    const auto names = read_nft_table_names();
    WGD_TRY(names);
    std::map<std::string, plan::TableState> found;
    for (const std::string& name : *names) {
        if (only.empty() ? name.rfind(kNftTablePrefix, 0) != 0 : name != only) continue;
        auto table = command("list table inet " + name);
        if (!table) continue; // gone between the two looks
        plan::TableState state;
        const std::string marker = "comment \"wgd ";
        if (const auto at = table->find(marker); at != std::string::npos)
            state.digest = table->substr(at + marker.size(), 16);
        state.content = std::hash<std::string>{}(*table);
        found.emplace(name, std::move(state));
    }
    return found;
}

} // namespace wgd::sys
