// SPDX-License-Identifier: MIT
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "daemon/sys/profile_store.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;

namespace {

const std::string kText = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n";

struct Directory {
    std::string path;
    Directory() {
        char name[] = "/tmp/wgdt-store-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string file(const std::string& name) const { return path + "/" + name; }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        std::ofstream(file(name)) << text;
        ::chmod(file(name).c_str(), mode);
        return file(name);
    }
    DirectoryProfileStore store(std::size_t max_bytes = kMaxProfileBytes) const {
        return DirectoryProfileStore({path, max_bytes});
    }
};

ProfileName home() {
    return ProfileName::parse("home").value();
}

Error refusal(DirectoryProfileStore store) {
    auto read = store.read(home());
    REQUIRE_FALSE(read);
    return read.error();
}

} // namespace

TEST_CASE("a profile that only root can read and write is read") {
    Directory directory;
    directory.write("home.conf", kText);
    auto profile = directory.store().read(home());
    REQUIRE(profile);
    CHECK(std::string_view(profile->text) == kText);
    CHECK(profile->path == directory.file("home.conf"));
    CHECK(profile->warnings.empty());
    ::chmod(directory.file("home.conf").c_str(), 0640);
    profile = directory.store().read(home());
    REQUIRE(profile);
    REQUIRE(profile->warnings.size() == 1);
    CHECK(profile->warnings[0].find("chmod 600 " + directory.file("home.conf")) != std::string::npos);
}

TEST_CASE("profiles are listed by name; other files are not") {
    Directory directory;
    for (const char* name : {"work.conf", "home.conf", "-rf.conf", "..conf", "sixteencharslong.conf", ".conf",
                             "home.conf.bak", "notes", "a b.conf"})
        directory.write(name, kText);
    auto names = directory.store().list();
    REQUIRE(names);
    std::vector<std::string> text;
    for (const ProfileName& name : *names)
        text.push_back(name.str());
    CHECK(text == std::vector<std::string>{"home", "work"});
    CHECK(DirectoryProfileStore({directory.path + "/none", 100}).list()->empty());
    CHECK(DirectoryProfileStore({directory.path + "/none", 100}).read(home()).error().code ==
          ErrorCode::kNotFound);
}

TEST_CASE("a file that somebody else could have written or can read is refused with what to do") {
    Directory directory;
    const std::string path = directory.write("home.conf", kText);
    for (const mode_t mode : {0644, 0604, 0660, 0602, 0666, 0777}) {
        ::chmod(path.c_str(), mode);
        const Error error = refusal(directory.store());
        CHECK(error.code == ErrorCode::kUnsafeFile);
        CHECK(error.message.find("chmod 600 " + path) != std::string::npos);
    }
    ::chmod(path.c_str(), 0600);
    CHECK(directory.store().read(home()));
    REQUIRE(::chown(path.c_str(), 65534, 0) == 0);
    CHECK(refusal(directory.store()).message ==
          path + " belongs to user 65534, not to root: run `chown root: " + path + "`");
    REQUIRE(::chown(path.c_str(), 0, 0) == 0);
    REQUIRE(::link(path.c_str(), directory.file("other").c_str()) == 0);
    CHECK(refusal(directory.store()).message.find("hard links") != std::string::npos);
    REQUIRE(::unlink(directory.file("other").c_str()) == 0);
    CHECK(directory.store().read(home()));
}

TEST_CASE("a directory that somebody else can write is refused, for listing as well") {
    Directory directory;
    directory.write("home.conf", kText);
    ::chmod(directory.path.c_str(), 0770);
    CHECK(refusal(directory.store()).message ==
          directory.path + " can be written by others than root: run `chmod go-w " + directory.path + "`");
    CHECK(directory.store().list().error().code == ErrorCode::kUnsafeFile);
    ::chmod(directory.path.c_str(), 0755);
    CHECK(directory.store().read(home()));
    REQUIRE(::chown(directory.path.c_str(), 65534, 0) == 0);
    CHECK(refusal(directory.store()).code == ErrorCode::kUnsafeFile);
}

TEST_CASE("what is not a regular file is refused at once") {
    Directory directory;
    const std::string path = directory.file("home.conf");
    SECTION("a symbolic link") {
        const std::string target = directory.write("target", kText);
        REQUIRE(::symlink(target.c_str(), path.c_str()) == 0);
        CHECK(refusal(directory.store()).message ==
              path + " is a symbolic link, which is not followed: put the file itself there");
    }
    SECTION("a FIFO, without waiting for a writer") {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        CHECK(refusal(directory.store()).message == path + " is not a regular file");
    }
    SECTION("a directory") {
        REQUIRE(::mkdir(path.c_str(), 0700) == 0);
        CHECK(refusal(directory.store()).message == path + " is not a regular file");
    }
    SECTION("a device") {
        REQUIRE(::mknod(path.c_str(), S_IFCHR | 0600, 0x0105) == 0); // /dev/zero
        CHECK(refusal(directory.store()).message == path + " is not a regular file");
    }
    SECTION("a socket") {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        CHECK(refusal(directory.store()).message == path + " is not a regular file");
        ::close(fd);
    }
    SECTION("nothing") {
        CHECK(refusal(directory.store()).code == ErrorCode::kNotFound);
    }
    SECTION("the directory itself a symbolic link") {
        const std::string link = directory.path + "-link";
        REQUIRE(::symlink(directory.path.c_str(), link.c_str()) == 0);
        CHECK(refusal(DirectoryProfileStore({link, 100})).code == ErrorCode::kUnsafeFile);
        ::unlink(link.c_str());
    }
}

TEST_CASE("a file that is too large is refused, also when it does not look it") {
    Directory directory;
    directory.write("home.conf", std::string(1001, '#'));
    CHECK(refusal(directory.store(1000)).message ==
          directory.file("home.conf") + " has 1001 bytes; a profile has at most 1000");
    REQUIRE(::truncate(directory.file("home.conf").c_str(), off_t{1} << 40) == 0); // sparse
    CHECK(refusal(directory.store()).code == ErrorCode::kUnsafeFile);
}

TEST_CASE("swapping the file while it is opened never gets another one read") {
    Directory directory;
    const std::string profile = directory.write("home.conf", kText);
    const std::string bait = directory.file("bait");
    const std::string foreign = directory.write("foreign", "not a profile that root vouches for", 0666);
    std::atomic<bool> stop = false;
    SECTION("with a symbolic link") {
        REQUIRE(::symlink(foreign.c_str(), bait.c_str()) == 0);
    }
    SECTION("with a file that others can write") {
        REQUIRE(::rename(foreign.c_str(), bait.c_str()) == 0);
    }
    SECTION("with a FIFO") {
        REQUIRE(::mkfifo(bait.c_str(), 0600) == 0);
    }
    std::thread swapper([&] {
        while (!stop)
            ::renameat2(AT_FDCWD, profile.c_str(), AT_FDCWD, bait.c_str(), RENAME_EXCHANGE);
    });
    int good = 0;
    int refused = 0;
    int wrong = 0;
    auto store = directory.store();
    for (int i = 0; i < 20000; ++i) {
        auto read = store.read(home());
        if (!read)
            ++(read.error().code == ErrorCode::kUnsafeFile ? refused : wrong);
        else
            ++(std::string_view(read->text) == kText ? good : wrong);
    }
    stop = true;
    swapper.join();
    CHECK(wrong == 0);
    CHECK(good > 0);
    CHECK(refused > 0);
}
