// SPDX-License-Identifier: MIT
// wgd-datapath: a WireGuard device in a process. `wgd-datapath wg0` behaves as `wireguard-go wg0`: it returns
// when the interface and its configuration socket exist, and lives on in the background until one of them is
// removed.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <malloc.h>
#include <optional>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "common/base/log.hpp"
#include "datapath/crypto/aead_source.hpp"
#include "datapath/io/cage.hpp"
#include "datapath/io/control_loop.hpp"
#include "datapath/io/keeper.hpp"
#ifdef WGD_NULL_CIPHER // a build of bench/ only
#include "bench/null_aead.hpp"
#endif

namespace {

using namespace wgd;

constexpr std::string_view kUsage = R"(Usage: wgd-datapath [-f | --foreground] INTERFACE-NAME

Runs a WireGuard interface in userspace. Configure it with wg(8), wgctl(1) or wg-quick(8).

  -f, --foreground   do not go to the background
      --help         show this
      --version      show the version

Environment:
  LOG_LEVEL                  verbose, debug, info, error (default) or silent
  WG_PROCESS_FOREGROUND=1    as --foreground
  WG_TUN_FD=N                use this descriptor of a TUN interface instead of making one
  WG_UAPI_FD=N               use this listening socket instead of /var/run/wireguard/INTERFACE-NAME.sock
  WGD_AEAD=NAME              ipsec-mb, openssl or sodium instead of the fastest (for tests)
  WGD_QUEUES=N               threads in each direction, instead of one for every core (for tests)
  WGD_OFFLOADS_OFF=LIST      tso4, tso6, tso, uso, gso, gro or all: do without (for tests)
)";

constexpr std::string_view kSocketDirectory = "/var/run/wireguard";

struct Arguments {
    std::string interface;
    bool foreground = false;
};

std::optional<std::string_view> environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string_view>(value);
}

Result<std::optional<int>> descriptor_from(const char* name) {
    const auto text = environment(name);
    if (!text) return std::optional<int>{};
    int fd = -1;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), fd);
    if (error != std::errc{} || end != text->data() + text->size() || fd < 0 || ::fcntl(fd, F_GETFD) < 0)
        return fail(ErrorCode::kInvalidArgument,
                    std::string(name) + "=" + std::string(*text) + " is no open descriptor");
    return std::optional<int>{fd};
}

// LOG_LEVEL's words are wireguard-go's. False: unknown.
bool set_log_level(std::string_view word) {
    if (word == "verbose" || word == "debug")
        log::set_level(log::Level::kDebug);
    else if (word == "info")
        log::set_level(log::Level::kInfo);
    else if (word == "error")
        log::set_level(log::Level::kError);
    else if (word == "silent")
        log::set_sink({});
    else
        return false;
    return true;
}

struct Cipher {
    io::AeadFactory for_data_threads;
    std::unique_ptr<crypto::Aead> for_control;
};

#ifdef WGD_NULL_CIPHER
Result<Cipher> choose_cipher() {
    log::warning("BENCHMARK BUILD: NOTHING IS ENCRYPTED");
    return Cipher{[] { return bench::make_null_aead(); }, bench::make_null_aead()};
}
#else
// Trying out every back end touches megabytes of library code that only one of them will need again, so it is
// done in a child that goes away with them, and only where it is not obvious. Its exit status is the answer.
std::optional<crypto::AeadBackend> choose_in_child() {
    constexpr int kFirst = 1; // exit status of the back end number 0
    const pid_t child = ::fork();
    if (child < 0) return std::nullopt;
    if (child == 0) {
        const Result<crypto::AeadBackend> backend = crypto::choose_aead_backend();
        std::_Exit(backend ? kFirst + static_cast<int>(*backend) : 0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return std::nullopt;
    if (!WIFEXITED(status) || WEXITSTATUS(status) < kFirst) return std::nullopt;
    return static_cast<crypto::AeadBackend>(WEXITSTATUS(status) - kFirst);
}

// The choice may be left to the data threads only if the one they try out first is likely to be it: in the
// cage no library can be opened any more.
Result<Cipher> choose_cipher() {
    const auto named = environment("WGD_AEAD");
    std::optional<crypto::AeadBackend> likely, found;
    if (!named) likely = crypto::likely_aead_backend();
    if (!named && !likely) found = choose_in_child();
    if (!likely && !found) { // somebody said which; or the child could not tell, and the reason is wanted
        const Result<crypto::AeadBackend> here = crypto::choose_aead_backend(named);
        WGD_TRY(here);
        found = *here;
    }
    const auto source = std::make_shared<crypto::AeadSource>(
        found.value_or(likely.value_or(crypto::AeadBackend::kSodium)), found.has_value(),
        [](crypto::AeadBackend used) { log::info("cipher: {}", crypto::to_string(used)); });
    // The control thread seals a keepalive now and then, one at a time: the one without tables of its own.
    Cipher cipher{[source] { return source->make(); }, crypto::make_aead(crypto::AeadBackend::kSodium)};
    if (!cipher.for_control || !crypto::aead_known_answer())
        return fail(ErrorCode::kUnsupported, "libsodium does not give the published answers");
    return cipher;
}
#endif

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&set, signal);
    return set;
}

// Before there are threads or children: they inherit it.
void block_signals() {
    const sigset_t set = ending_signals();
    (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
}

Result<Fd> open_signals() {
    const sigset_t set = ending_signals();
    Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot make a signalfd");
    return fd;
}

// One queue, and a thread in each direction, for every core. On two cores one of each is fastest: the other
// direction is the second core's work (docs/performance.md).
Result<unsigned> choose_queues() {
    constexpr unsigned kMost = io::kMaxSocketsPerFamily;
    if (const auto text = environment("WGD_QUEUES")) {
        unsigned queues = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), queues);
        if (error != std::errc{} || end != text->data() + text->size() || queues < 1 || queues > kMost)
            return fail(ErrorCode::kInvalidArgument, "WGD_QUEUES=" + std::string(*text) +
                                                         " is no number from 1 to " + std::to_string(kMost));
        return queues;
    }
    cpu_set_t ours; // of those we may run on; the C++ library reads a file in /sys to know
    const unsigned cores = ::sched_getaffinity(0, sizeof ours, &ours) == 0
                               ? static_cast<unsigned>(CPU_COUNT(&ours))
                               : std::thread::hardware_concurrency();
    return cores <= 2 ? 1U : std::min(cores, kMost);
}

// What exists before the caller gets its prompt back.
struct Outside {
    io::Tun tun;
    io::LinkWatch link;
    io::UapiSocket uapi;
    io::Offloads offloads;
};

Result<Outside> prepare(const Arguments& arguments) {
    Result<io::Offloads> offloads = io::Offloads::all_but(environment("WGD_OFFLOADS_OFF").value_or(""));
    WGD_TRY(offloads);
    const Result<std::optional<int>> tun_fd = descriptor_from("WG_TUN_FD");
    WGD_TRY(tun_fd);
    const Result<std::optional<int>> uapi_fd = descriptor_from("WG_UAPI_FD");
    WGD_TRY(uapi_fd);
    io::cage::close_inherited({tun_fd->value_or(-1), uapi_fd->value_or(-1)});

    const Result<unsigned> queues = choose_queues();
    WGD_TRY(queues);

    Result<io::Tun> tun = *tun_fd ? io::Tun::adopt(Fd(**tun_fd), *offloads)
                                  : io::Tun::open(arguments.interface, *queues, *offloads);
    WGD_TRY(tun);
    // Before the socket: who finds that may move the interface to another namespace at once.
    Result<io::LinkWatch> link = io::LinkWatch::open(tun->index(), tun->name());
    WGD_TRY(link);
    Result<io::UapiSocket> uapi =
        *uapi_fd ? io::UapiSocket::adopt(Fd(**uapi_fd))
                 : io::UapiSocket::create(std::string(kSocketDirectory), arguments.interface);
    WGD_TRY(uapi);
    return Outside{std::move(*tun), std::move(*link), std::move(*uapi), *offloads};
}

// The tunnel's life, in the process that is to be caged. `ready` is called when it serves.
Result<io::ControlLoop::End> serve(Outside& outside, Fd channel, const std::function<void()>& ready) {
    // One heap for all threads: they allocate while they start, and never on a packet's way.
    (void)::mallopt(M_ARENA_MAX, 1);
    for (const std::string& missing : io::cage::protect_memory())
        log::warning("{}", missing);
    Result<Fd> signals = open_signals();
    WGD_TRY(signals);
    Result<Cipher> cipher = choose_cipher();
    WGD_TRY(cipher);
    log::info("offloads: {}", outside.tun.offloads().to_string());
    const int parent = channel.get();
    auto loop = io::ControlLoop::make(
        {std::move(outside.tun), std::move(outside.uapi), std::move(outside.link), std::move(*signals),
         std::make_unique<io::KeptSocketSource>(std::move(channel)), std::move(cipher->for_data_threads),
         std::move(cipher->for_control), outside.offloads});
    WGD_TRY(loop);
    (*loop)->watch_parent(parent);

    const Result<std::vector<std::string>> caged = io::cage::enter();
    WGD_TRY(caged);
    for (const std::string& missing : *caged)
        log::warning("cage: {}", missing);
    (*loop)->start_threads();
    WGD_TRY(io::cage::forbid_new_threads());
    ready();
    return (*loop)->run();
}

int report(const Error& error) {
    std::fprintf(stderr, "wgd-datapath: %s\n", error.message.c_str());
    return 1;
}

int finish(const Result<io::ControlLoop::End>& end) {
    if (!end) {
        log::error("{}", end.error().message);
        return 1;
    }
    switch (*end) {
    case io::ControlLoop::End::kSignal:
        log::info("ends: signal");
        break;
    case io::ControlLoop::End::kSocketRemoved:
        log::info("ends: the configuration socket was removed");
        break;
    case io::ControlLoop::End::kLinkDeleted:
        log::info("ends: the interface was deleted");
        break;
    case io::ControlLoop::End::kParentGone:
        log::info("ends: the parent process does");
        break;
    }
    return 0;
}

// Splits into the caged process and its keeper and returns, in both, the exit status. `ready` is called in
// the first, `elsewhere` in the second: what only the first is to have.
int run(Outside& outside, const std::function<void()>& ready, const std::function<void()>& elsewhere,
        const std::function<void(const Error&)>& refused) {
    block_signals();
    auto channel = io::make_keeper_channel();
    if (!channel) return report(channel.error());
    std::fflush(nullptr);
    const pid_t worker = ::fork();
    if (worker < 0) return report(fail_errno(ErrorCode::kIo, errno, "cannot fork").value());
    if (worker == 0) {
        channel->second.reset();
        bool serving = false;
        const auto end = serve(outside, std::move(channel->first), [&] {
            ready();
            serving = true;
        });
        if (!end && !serving) {
            refused(end.error());
            return 1;
        }
        return finish(end);
    }

    elsewhere();
    channel->first.reset();
    const io::SocketOptions sockets{outside.offloads, outside.tun.queues()};
    {
        const io::Tun not_ours = std::move(outside.tun);
        const io::LinkWatch nor_this = std::move(outside.link);
    }
    outside.uapi.close_descriptors();
    Result<Fd> signals = open_signals();
    const Result<void> caged = io::cage::enter_as_keeper();
    if (!signals || !caged) {
        channel->second.reset(); // ends the worker
        (void)::waitpid(worker, nullptr, 0);
        outside.uapi.unlink();
        return report(!signals ? signals.error() : caged.error());
    }
    return io::keep(std::move(channel->second), std::move(*signals), worker, sockets, outside.uapi);
}

// The first process waits until the tunnel serves, tells what went wrong if it does not, and leaves.
int run_in_background(Outside& outside) {
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) < 0)
        return report(fail_errno(ErrorCode::kIo, errno, "cannot make a pipe").value());
    Fd from_child(pipe_ends[0]), to_parent(pipe_ends[1]);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) return report(fail_errno(ErrorCode::kIo, errno, "cannot fork").value());
    if (child > 0) {
        to_parent.reset();
        // "+" is success, anything else what went wrong, silence a child that died.
        std::string message;
        std::array<char, 512> buffer;
        for (;;) {
            const ssize_t got = ::read(from_child.get(), buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            message.append(buffer.data(), static_cast<std::size_t>(got));
        }
        if (message == "+") std::_Exit(0); // the descriptors and the socket's file are the child's now
        std::fprintf(stderr, "wgd-datapath: %s\n",
                     message.empty() ? "the background process died" : message.c_str());
        std::_Exit(1);
    }

    from_child.reset();
    (void)::setsid();
    (void)!::chdir("/");
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto level = environment("LOG_LEVEL");
    const bool quiet =
        !level || *level == "silent"; // as wireguard-go: output only for those who asked for some
    const auto detach = [&] {
        for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            if (standard == STDIN_FILENO || quiet) (void)::dup3(null.get(), standard, 0);
    };
    return run(
        outside,
        [&] {
            detach();
            (void)!::write(to_parent.get(), "+", 1);
            to_parent.reset();
        },
        [&] {
            detach();
            to_parent.reset();
        },
        [&](const Error& error) {
            (void)!::write(to_parent.get(), error.message.data(), error.message.size());
        });
}

Result<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "-f" || word == "--foreground")
            arguments.foreground = true;
        else if (word.size() > 1 && word.front() == '-')
            return fail(ErrorCode::kInvalidArgument,
                        "unknown option '" + std::string(word) + "'; see --help");
        else if (!arguments.interface.empty())
            return fail(ErrorCode::kInvalidArgument, "one interface name only; see --help");
        else
            arguments.interface = word;
    }
    if (arguments.interface.empty()) return fail(ErrorCode::kInvalidArgument, "which interface? see --help");
    if (environment("WG_PROCESS_FOREGROUND") == "1") arguments.foreground = true;
    return arguments;
}

} // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--help") {
            std::fwrite(kUsage.data(), 1, kUsage.size(), stdout);
            return 0;
        }
        if (std::string_view(argv[i]) == "--version") {
            std::puts("wgd-datapath " WGD_VERSION);
            return 0;
        }
    }
    const Result<Arguments> arguments = parse(argc, argv);
    if (!arguments) return report(arguments.error());

    log::set_sink(log::stderr_sink("wgd-datapath(" + arguments->interface + ")"));
    log::set_level(log::Level::kError);
    if (const auto level = environment("LOG_LEVEL"); level && !set_log_level(*level))
        return report({ErrorCode::kInvalidArgument, "LOG_LEVEL=" + std::string(*level) + " is no log level"});

    Result<Outside> outside = prepare(*arguments);
    if (!outside) return report(outside.error());
    if (!arguments->foreground) return run_in_background(*outside);
    return run(
        *outside, [] {}, [] {}, [](const Error& error) { (void)report(error); });
}
