// SPDX-License-Identifier: MIT
// /etc/resolv.conf, played in a directory of the test's own: written, restored, left alone.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include "daemon/sys/dns_file.hpp"

using namespace wgd;
using namespace wgd::sys;
namespace fs = std::filesystem;

namespace {

struct Scene {
    fs::path root;
    fs::path conf;
    std::unique_ptr<DnsLedger> ledger;
    std::unique_ptr<DnsFile> file;

    Scene() {
        std::string pattern = (fs::temp_directory_path() / "wgd-dns-XXXXXX").string();
        root = ::mkdtemp(pattern.data());
        conf = root / "resolv.conf";
        fs::create_directory(root / "ledger");
        start();
    }
    ~Scene() { fs::remove_all(root); }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;

    // As a daemon that has just been started.
    void start() {
        ledger = std::make_unique<DnsLedger>(DnsLedger::open((root / "ledger").string()).value());
        file = std::make_unique<DnsFile>(*ledger, conf.string());
    }
    Result<void> set(const std::string& link, const char* server, bool exclusive = true) {
        plan::DnsSettings settings;
        settings.servers = {*IpAddress::parse(server)};
        settings.exclusive = exclusive;
        WGD_TRY(ledger->enter({link, plan::DnsBackend::kFile, settings, true}));
        Result<void> outcome;
        file->set(link, settings, [&](Result<void> result) { outcome = std::move(result); });
        return outcome;
    }
    Result<void> clear(const std::string& link) {
        Result<void> outcome;
        file->clear(link, [&](Result<void> result) { outcome = std::move(result); });
        WGD_TRY(outcome);
        return ledger->remove(link, plan::DnsBackend::kFile);
    }
    bool intact(const std::string& link) {
        for (const auto& [name, settings] : ledger->requests(plan::DnsBackend::kFile))
            if (name == link) return file->intact(link, settings);
        return false;
    }
    void write(const std::string& text) const { std::ofstream(conf) << text; }
    std::string read() const {
        std::stringstream text;
        text << std::ifstream(conf).rdbuf();
        return text.str();
    }
    bool asks(const std::string& server) const {
        return read().find("\nnameserver " + server + "\n") != std::string::npos;
    }
    bool nothing_kept() const { return fs::is_empty(root / "ledger"); }
};

const std::string kByHand = "# by hand\nnameserver  192.0.2.53\noptions edns0"; // and no line end

} // namespace

TEST_CASE("resolv.conf comes back byte for byte, with its mode") {
    Scene scene;
    scene.write(kByHand);
    ::chmod(scene.conf.c_str(), 0640);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    CHECK(scene.asks("10.5.0.1"));
    CHECK_FALSE(scene.asks("192.0.2.53"));
    CHECK(scene.intact("wg0"));
    REQUIRE(scene.set("wg0", "10.5.0.1")); // again
    REQUIRE(scene.clear("wg0"));
    CHECK(scene.read() == kByHand);
    struct stat status {};
    REQUIRE(::stat(scene.conf.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
    CHECK(scene.nothing_kept());
    REQUIRE(scene.clear("wg0")); // nothing to clear
    CHECK(scene.read() == kByHand);
}

TEST_CASE("resolv.conf of two tunnels, over restarts of the daemon") {
    const bool first_goes_first = GENERATE(true, false);
    Scene scene;
    scene.write(kByHand);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    scene.start();
    REQUIRE(scene.set("wg1", "10.6.0.1"));
    CHECK(scene.asks("10.6.0.1"));
    CHECK((scene.intact("wg0") && scene.intact("wg1")));
    scene.start();
    REQUIRE(scene.clear(first_goes_first ? "wg0" : "wg1"));
    CHECK(scene.asks(first_goes_first ? "10.6.0.1" : "10.5.0.1"));
    REQUIRE(scene.clear(first_goes_first ? "wg1" : "wg0"));
    CHECK(scene.read() == kByHand);
    CHECK(scene.nothing_kept());
}

TEST_CASE("what somebody else writes is the new original") {
    Scene scene;
    scene.write(kByHand);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    scene.write("nameserver 192.0.2.99\n");
    CHECK_FALSE(scene.intact("wg0"));
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    CHECK(scene.asks("10.5.0.1"));
    REQUIRE(scene.clear("wg0"));
    CHECK(scene.read() == "nameserver 192.0.2.99\n");

    REQUIRE(scene.set("wg0", "10.5.0.1"));
    scene.write("nameserver 192.0.2.100\n");
    REQUIRE(scene.clear("wg0")); // not ours any more: it stays
    CHECK(scene.read() == "nameserver 192.0.2.100\n");
    CHECK(scene.nothing_kept());
}

TEST_CASE("a line added to our file does not make it somebody else's") {
    Scene scene;
    scene.write(kByHand);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    std::ofstream(scene.conf, std::ios::app) << "options debug\n";
    CHECK_FALSE(scene.intact("wg0"));
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    REQUIRE(scene.clear("wg0"));
    CHECK(scene.read() == kByHand);
}

TEST_CASE("a link comes back as a link, and nothing as nothing") {
    Scene scene;
    std::ofstream(scene.root / "elsewhere") << "nameserver 192.0.2.53\noptions edns0\n";
    fs::create_symlink("elsewhere", scene.conf);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    CHECK_FALSE(fs::is_symlink(scene.conf));
    CHECK(scene.read().find("options edns0\n") != std::string::npos); // of where it led
    REQUIRE(scene.clear("wg0"));
    CHECK(fs::read_symlink(scene.conf) == "elsewhere");
    CHECK(scene.read() == "nameserver 192.0.2.53\noptions edns0\n");

    fs::remove(scene.conf);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    CHECK(scene.asks("10.5.0.1"));
    REQUIRE(scene.clear("wg0"));
    CHECK_FALSE(fs::exists(fs::symlink_status(scene.conf)));
}

TEST_CASE("after a power cut the file itself has the original") {
    Scene scene;
    scene.write(kByHand);
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    fs::remove_all(scene.root / "ledger");
    fs::create_directory(scene.root / "ledger");
    scene.start();
    REQUIRE(scene.file->recover());
    CHECK(scene.read() == kByHand);

    // Also when a tunnel comes up again before anything else.
    REQUIRE(scene.set("wg0", "10.5.0.1"));
    fs::remove_all(scene.root / "ledger");
    fs::create_directory(scene.root / "ledger");
    scene.start();
    REQUIRE(scene.set("wg1", "10.6.0.1"));
    REQUIRE(scene.clear("wg1"));
    CHECK(scene.read() == kByHand);

    // Somebody else's file is not touched by a start.
    REQUIRE(scene.file->recover());
    CHECK(scene.read() == kByHand);
}

TEST_CASE("killed between the ledger and the file, nothing is lost") {
    Scene scene;
    scene.write(kByHand);
    plan::DnsSettings settings;
    settings.servers = {*IpAddress::parse("10.5.0.1")};
    settings.exclusive = true;
    REQUIRE(scene.ledger->enter({"wg0", plan::DnsBackend::kFile, settings, true}));
    scene.start(); // killed here
    CHECK_FALSE(scene.intact("wg0"));
    REQUIRE(scene.clear("wg0"));
    CHECK(scene.read() == kByHand);
    CHECK(scene.nothing_kept());
}
