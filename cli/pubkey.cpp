// SPDX-License-Identifier: MIT
// wgctl pubkey: the public key of the private key on standard input.
#include <cstdio>
#include <string_view>

#include "cli/key_tool.hpp"
#include "common/base/secret_text.hpp"
#include "common/model/keys.hpp"

namespace wgd::cli {

int run_pubkey(const Invocation& invocation) {
    if (!invocation.operands.empty()) return key_tool_usage(invocation);
    const auto complain = [&](const char* what) {
        std::fprintf(stderr, "%s: %s\n", invocation.program.c_str(), what);
        return kFailed;
    };
    std::setvbuf(stdin, nullptr, _IONBF, 0); // no copy of the key in a buffer that nobody wipes
    SecretText text;
    while (text.size() < kKeyBase64Size) {
        const int c = std::fgetc(stdin);
        if (c == EOF) break;
        text += static_cast<char>(c);
    }
    // In wg(8)'s order: what follows a complete key is complained about before the key itself.
    for (int c = std::fgetc(stdin); c != EOF; c = std::fgetc(stdin)) {
        const bool blank = c == 0 || c == ' ' || (c >= '\t' && c <= '\r');
        if (!blank) return complain("Trailing characters found after key");
    }
    const auto key = PrivateKey::from_base64(text);
    if (!key) return complain("Key is not the correct length or format");
    return print_key(derive_public_key(*key).to_base64());
}

} // namespace wgd::cli
