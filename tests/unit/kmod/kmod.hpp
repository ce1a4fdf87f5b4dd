// SPDX-License-Identifier: MIT
// The module's headers, and what several tests need.
#pragma once

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
extern "C" {
#include "kernel.h"

#include "allowed_ips.h"
#include "cookie.h"
#include "noise.h"
#include "ratelimiter.h"
#include "replay.h"
}
#pragma GCC diagnostic pop

using Key = std::array<u8, WG_KEY_SIZE>;

// Different for every call, the same in every run.
inline Key random_key() {
    Key key;
    get_random_bytes(key.data(), key.size());
    return key;
}

inline std::vector<std::vector<std::string>> read_vectors(const std::string& name) {
    std::ifstream file(WGD_SOURCE_DIR "/tests/vectors/" + name);
    std::vector<std::vector<std::string>> lines;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        lines.emplace_back();
        for (std::string word; words >> word;)
            lines.back().push_back(word);
    }
    return lines;
}

inline std::vector<u8> from_hex(const std::string& text) {
    std::vector<u8> bytes;
    for (size_t i = 0; text != "-" && i + 1 < text.size(); i += 2)
        bytes.push_back(static_cast<u8>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return bytes;
}
