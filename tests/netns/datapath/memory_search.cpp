// SPDX-License-Identifier: MIT
// datapath_memory_search PID <needles: which of the needles, lines of "name hex" on the standard input, are
// anywhere in that process's memory. Prints "name count" for each. For keys.sh; needs to be root.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

struct Needle {
    std::string name, bytes;
    std::size_t found = 0;
};

std::vector<Needle> read_needles() {
    std::vector<Needle> needles;
    std::string name, hex;
    while (std::cin >> name >> hex) {
        Needle needle{name, {}};
        for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
            needle.bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
        needles.push_back(std::move(needle));
    }
    return needles;
}

void search(const std::string& memory, Needle& needle) {
    const std::boyer_moore_horspool_searcher searcher(needle.bytes.begin(), needle.bytes.end());
    for (auto at = memory.begin();; ++at, ++needle.found) {
        at = std::search(at, memory.end(), searcher);
        if (at == memory.end()) return;
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    std::vector<Needle> needles = read_needles();
    const std::string process = std::string("/proc/") + argv[1];
    std::ifstream maps(process + "/maps");
    const int mem = ::open((process + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (needles.empty() || !maps || mem < 0) {
        std::perror("datapath_memory_search");
        return 1;
    }
    std::size_t searched = 0;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0, end = 0;
        char writable = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " r%c", &begin, &end, &writable) != 3)
            continue;
        // Only what was written to can hold a key. A sanitizer reserves terabytes that nobody has touched.
        constexpr std::uintptr_t kLargest = std::uintptr_t{1} << 30;
        if (writable != 'w' || end - begin > kLargest) continue;
        std::string memory(end - begin, '\0');
        const ssize_t got = ::pread(mem, memory.data(), memory.size(), static_cast<off_t>(begin));
        if (got <= 0) continue; // a device's, say
        memory.resize(static_cast<std::size_t>(got));
        searched += memory.size();
        for (Needle& needle : needles)
            search(memory, needle);
    }
    ::close(mem);
    for (const Needle& needle : needles)
        std::printf("%s %zu\n", needle.name.c_str(), needle.found);
    return searched == 0;
}
