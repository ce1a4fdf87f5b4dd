// SPDX-License-Identifier: MIT
#include "daemon/startup.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <getopt.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/sys/beneath.hpp"

namespace wgd {
namespace {

constexpr char kUsage[] =
    R"(Usage: wgd [OPTION]...
Brings WireGuard tunnels up and down from wg-quick profiles, asked over D-Bus (see wgctl(1)).

  --config=FILE        settings (default /etc/wgd/wgd.toml)
  --log-level=LEVEL    error, warning, notice, info or debug; wins over the settings
  --runtime-dir=DIR    undo logs and records of tunnels (default /run/wgd)
  --lockdown           close the firewall if the settings say lockdown, or cannot be read, and end (at boot, before
                       there is a network: wgd-lockdown.service)
  --help               show this
  --version            show the version

Runs in the foreground. SIGTERM and SIGINT end it and leave all tunnels up; SIGHUP reads the settings again.
)";

constexpr std::size_t kMaxSettings = 1u << 20;

std::optional<log::Level> level_from(std::string_view word) {
    using log::Level;
    constexpr std::array<std::pair<std::string_view, Level>, 5> kLevels{{{"error", Level::kError},
                                                                         {"warning", Level::kWarning},
                                                                         {"notice", Level::kNotice},
                                                                         {"info", Level::kInfo},
                                                                         {"debug", Level::kDebug}}};
    for (const auto& [name, level] : kLevels)
        if (name == word) return level;
    return std::nullopt;
}

CommandLine mistake(const std::string& sentence) {
    std::fprintf(stderr, "wgd: %s\nTry 'wgd --help'.\n", sentence.c_str());
    return {std::nullopt, 2};
}

} // namespace

CommandLine parse_command_line(int argc, char** argv) {
    enum { kConfig = 1, kLogLevel, kRuntimeDir, kLockdown, kHelp, kVersion };
    const option long_options[] = {{"config", required_argument, nullptr, kConfig},
                                   {"log-level", required_argument, nullptr, kLogLevel},
                                   {"runtime-dir", required_argument, nullptr, kRuntimeDir},
                                   {"lockdown", no_argument, nullptr, kLockdown},
                                   {"help", no_argument, nullptr, kHelp},
                                   {"version", no_argument, nullptr, kVersion},
                                   {nullptr, 0, nullptr, 0}};
    StartupOptions options;
    opterr = 0;
    for (int found = 0; (found = ::getopt_long(argc, argv, ":", long_options, nullptr)) != -1;) {
        switch (found) {
        case kConfig:
            options.config = optarg;
            options.config_given = true;
            break;
        case kLogLevel:
            options.log_level = level_from(optarg);
            if (!options.log_level) return mistake("'" + std::string(optarg) + "' is no log level");
            break;
        case kRuntimeDir:
            options.runtime_directory = optarg;
            break;
        case kLockdown:
            options.lockdown_only = true;
            break;
        case kHelp:
            std::fputs(kUsage, stdout);
            return {std::nullopt, 0};
        case kVersion:
            std::puts("wgd " WGD_VERSION);
            return {std::nullopt, 0};
        case ':':
            return mistake("option '" + std::string(argv[optind - 1]) + "' needs a value");
        default:
            return mistake("there is no option '" + std::string(argv[optind - 1]) + "'");
        }
    }
    if (optind < argc) return mistake("'" + std::string(argv[optind]) + "' is not an option");
    for (const std::string* path : {&options.config, &options.runtime_directory})
        if (path->empty() || path->front() != '/') return mistake("'" + *path + "' is not an absolute path");
    return {std::move(options), 0};
}

Result<void> protect_process() {
    // A descriptor 0, 1 or 2 that is closed would be the next file opened, and get what is printed.
    for (int fd = 0; fd <= 2; ++fd)
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
            return fail_errno(ErrorCode::kIo, errno, "cannot open /dev/null");
    if (::geteuid() != 0) return fail(ErrorCode::kNotAuthorized, "wgd has to run as root");
    ::umask(077);
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0)
        return fail_errno(ErrorCode::kInternal, errno, "cannot forbid core dumps");
    if (::prctl(PR_SET_DUMPABLE, 0) != 0)
        return fail_errno(ErrorCode::kInternal, errno, "cannot forbid ptrace");
    if (::chdir("/") != 0) return fail_errno(ErrorCode::kIo, errno, "cannot change to /");
    return {};
}

Result<control::Settings> load_settings(const StartupOptions& options) {
    const std::string& path = options.config;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd) {
        if (errno == ENOENT && !options.config_given) return control::Settings{};
        return fail_errno(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, errno,
                          "cannot open " + path);
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(ErrorCode::kIo, errno, "cannot examine " + path);
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kUnsafeFile, path + " is not a regular file");
    if (status.st_uid != 0)
        return fail(ErrorCode::kUnsafeFile,
                    path + " does not belong to root: run `chown root: " + path + "`");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(ErrorCode::kUnsafeFile,
                    path + " can be written by others than root: run `chmod go-w " + path + "`");
    auto text = sys::read_to_end<std::string>(fd.get(), kMaxSettings, path);
    if (!text) return fail(std::move(text).error());
    return control::Settings::parse(*text, path);
}

} // namespace wgd
