// SPDX-License-Identifier: MIT
// Runs one fuzz target over every file of the directories it is given, and over what becomes of each file
// when it is cut short or a few bytes are changed: the same changes in every run. A crash is the failure;
// nothing to run is one too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kCuts = 200;
constexpr std::size_t kMutations = 400;
constexpr std::size_t kLargest = 64 << 10; // larger files are run as they are only

class Xorshift { // Marsaglia's xorshift64
  public:
    std::size_t below(std::size_t bound) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<std::size_t>(state_ % bound);
    }

  private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

void run(const std::vector<std::uint8_t>& input) {
    // A copy of exactly its size, so that AddressSanitizer sees a read behind its end.
    const std::vector<std::uint8_t> exact(input.begin(), input.end());
    (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void run_with_changes(const std::vector<std::uint8_t>& input, Xorshift& random) {
    run(input);
    if (input.empty() || input.size() > kLargest) return;
    const auto step = std::max<std::size_t>(1, input.size() / kCuts);
    for (std::size_t size = 0; size < input.size(); size += step)
        run({input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)});
    for (std::size_t i = 0; i < kMutations; ++i) {
        auto changed = input;
        for (auto changes = 1 + random.below(4); changes > 0 && !changed.empty(); --changes) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(changed.size()));
            const auto end = static_cast<std::ptrdiff_t>(changed.size());
            const auto length = std::min(end - at, static_cast<std::ptrdiff_t>(1 + random.below(40)));
            switch (random.below(4)) {
            case 0:
                changed[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random.below(256));
                break;
            case 1:
                changed[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(1U << random.below(8));
                break;
            case 2:
                changed.erase(changed.begin() + at, changed.begin() + at + length);
                break;
            default: { // a piece again, somewhere else
                const std::vector<std::uint8_t> piece(changed.begin() + at, changed.begin() + at + length);
                const auto to = static_cast<std::ptrdiff_t>(random.below(changed.size() + 1));
                changed.insert(changed.begin() + to, piece.begin(), piece.end());
            }
            }
        }
        run(changed);
    }
}

} // namespace

int main(int argc, char** argv) {
    std::vector<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i)
        for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
            if (entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    Xorshift random;
    for (const auto& path : files) {
        std::ifstream in(path, std::ios::binary);
        run_with_changes({std::istreambuf_iterator<char>(in), {}}, random);
    }
    std::printf("%zu files\n", files.size());
    return files.empty() ? 1 : 0;
}
