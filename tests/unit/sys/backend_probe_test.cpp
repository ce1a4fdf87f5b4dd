// SPDX-License-Identifier: MIT
#include "daemon/sys/backend_probe.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace wgd::sys;

namespace {

// What sysfs shows of a loaded module, in a folder of our own.
struct Sysfs {
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("wgd-sysfs-" + std::to_string(::getpid()));
    Sysfs() { std::filesystem::create_directory(folder); }
    ~Sysfs() { std::filesystem::remove_all(folder); }
    Sysfs(const Sysfs&) = delete;
    Sysfs& operator=(const Sysfs&) = delete;

    void has(const char* file, const char* text) const { std::ofstream(folder / file) << text << '\n'; }
    [[nodiscard]] std::string text() const { return kernel_module_text(folder.string()); }
};

} // namespace

TEST_CASE("the module that serves WireGuard has a name") {
    const Sysfs sysfs;
    CHECK(kernel_module_text((sysfs.folder / "none").string()) == "built into the kernel");
    sysfs.has("version", "1.0.0");
    sysfs.has("taint", "");
    CHECK(sysfs.text() == "in-tree");
    sysfs.has("taint", "OE");
    CHECK(sysfs.text() == "out-of-tree module, version 1.0.0");
    sysfs.has("version", "1.1.0-wgd");
    CHECK(sysfs.text() == "wgd kmod 1.1.0");
    sysfs.has("version", "");
    CHECK(sysfs.text() == "out-of-tree module");
}
