// SPDX-License-Identifier: MIT
// Reads the files of tests/vectors: one test a line, fields separated by blanks, '#' begins a comment line.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/encoding.hpp"
#include "tests/source_tree/source_tree.hpp"

namespace wgd::test {

using Fields = std::vector<std::string>;

inline std::vector<Fields> read_vectors(const std::string& name) {
    std::ifstream file(source_tree("tests/vectors/" + name));
    std::vector<Fields> tests;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        Fields fields;
        for (std::string word; words >> word;)
            fields.push_back(word);
        tests.push_back(fields);
    }
    return tests;
}

// "-" is the empty string of bytes.
inline Bytes from_hex(const std::string& text) {
    if (text == "-") return {};
    Bytes bytes(text.size() / 2);
    if (!decode_hex(text, bytes)) throw std::runtime_error("bad hex in a vector file: " + text);
    return bytes;
}

template <std::size_t N>
std::span<const std::uint8_t, N> fixed(const Bytes& bytes) {
    if (bytes.size() != N) throw std::runtime_error("a vector field has the wrong size");
    return std::span<const std::uint8_t, N>(bytes.data(), N);
}

} // namespace wgd::test
