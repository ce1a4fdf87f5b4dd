// SPDX-License-Identifier: MIT
#include "daemon/wiring.hpp"

#include <csignal>
#include <systemd/sd-daemon.h>

#include "common/base/log.hpp"
#include "common/wgapi/netlink_client.hpp"
#include "common/wgapi/uapi_client.hpp"
#include "daemon/bus/bus_service.hpp"
#include "daemon/control/autoconnect.hpp"
#include "daemon/control/tunnel_manager.hpp"
#include "daemon/lockdown.hpp"
#include "daemon/loop/event_loop.hpp"
#include "daemon/sys/backend_probe.hpp"
#include "daemon/sys/datapath_process.hpp"
#include "daemon/sys/dns_control.hpp"
#include "daemon/sys/executor.hpp"
#include "daemon/sys/journal.hpp"
#include "daemon/sys/monitor.hpp"
#include "daemon/sys/netlink_socket.hpp"
#include "daemon/sys/path_prober.hpp"
#include "daemon/sys/profile_store.hpp"
#include "daemon/sys/resolver.hpp"
#include "daemon/sys/system_reader.hpp"
#include "daemon/sys/time_watch.hpp"
#include "daemon/sys/timers.hpp"

namespace wgd {
namespace {

// A userspace datapath that hangs must not hold the loop. A healthy one answers in microseconds, and says
// something within this time even when it has ten thousand peers on a busy machine.
constexpr std::chrono::milliseconds kUapiTimeout{2000};

log::Level wanted_level(const StartupOptions& options, const control::Settings& settings) {
    return options.log_level.value_or(settings.log_level);
}

// SIGHUP. A file that is wrong changes nothing.
void reload_settings(const StartupOptions& options, control::TunnelManager& manager) {
    auto settings = load_settings(options);
    if (!settings) return log::error("settings not read again: {}", settings.error().message);
    log::set_level(wanted_level(options, *settings));
    manager.set_settings(std::move(*settings));
    log::notice("settings read again (profile_dir and datapath need a restart)");
}

Result<int> serve(const StartupOptions& options, control::Settings settings, const ExecutorWrapper& wrap) {
    // The journal comes first: it keeps a second wgd away from everything below.
    auto journal = sys::FileJournal::open(options.runtime_directory);
    WGD_TRY(journal);
    auto loop = loop::EventLoop::create();
    WGD_TRY(loop);

    auto netlink = sys::NetlinkSocket::open();
    WGD_TRY(netlink);
    auto kernel = NetlinkClient::open();
    WGD_TRY(kernel);
    UapiClient userspace({std::string(kUapiDirectory), kUapiTimeout});

    const std::string datapath = sys::find_datapath_program(settings.datapath);
    sys::DatapathProcesses::Options datapath_options;
    datapath_options.program = datapath;
    datapath_options.log_directory = (*journal)->datapath_directory();
    sys::DatapathProcesses datapaths(**loop, datapath_options);

    sys::DnsControl::Options dns_options;
    dns_options.directory = (*journal)->dns_directory();
    auto dns = sys::DnsControl::create(**loop, dns_options);
    WGD_TRY(dns);

    sys::NetNamespaces::Options namespace_options;
    namespace_options.marks = options.runtime_directory + "/netns";
    const sys::NetNamespaces namespaces(namespace_options);
    sys::LinuxReader reader(*netlink, *kernel, userspace, **dns, namespaces);
    sys::LinuxExecutor executor(*netlink, *kernel, userspace, datapaths, **dns, **loop, settings.profile_dir,
                                namespaces);
    const auto wrapped = wrap ? wrap(executor) : nullptr;
    sys::DirectoryProfileStore profiles({settings.profile_dir, kMaxProfileBytes});
    auto resolver = sys::SystemResolver::create(**loop);
    WGD_TRY(resolver);
    sys::LinuxBackendProbe backends(datapath);
    auto monitor = sys::NetlinkMonitor::create(**loop, *netlink, datapaths);
    WGD_TRY(monitor);
    sys::PathProber paths(**loop);
    sys::LoopTimers timers(**loop);

    control::TunnelManager manager({reader, wrapped ? *wrapped : executor, profiles, **journal, **resolver,
                                    backends, **monitor, paths, timers, system_clock()},
                                   std::move(settings));

    manager.read_settings_with([&options]() -> Result<control::Settings> {
        auto now = load_settings(options);
        if (now) log::set_level(wanted_level(options, *now));
        return now;
    });
    auto time_watch =
        sys::TimeWatch::create(**loop, [&](const std::string& why) { manager.time_passed(why); });
    if (!time_watch) log::warning("suspends go unnoticed: {}", time_watch.error().message);

    (*dns)->on_change([&] { (*monitor)->dns_changed(); });

    control::Autoconnect autoconnect(manager, **journal, timers);

    const auto end = [&] {
        log::info("ending; tunnels stay up");
        sd_notify(0, "STOPPING=1");
        (*loop)->quit(0);
    };
    auto on_term = (*loop)->add_signal(SIGTERM, end);
    WGD_TRY(on_term);
    auto on_int = (*loop)->add_signal(SIGINT, end);
    WGD_TRY(on_int);
    auto on_hup = (*loop)->add_signal(SIGHUP, [&] { reload_settings(options, manager); });
    WGD_TRY(on_hup);

    // Recovery, then the bus, then the name: whoever can reach us finds the tunnels as they are.
    std::unique_ptr<bus::BusService> service;
    const auto recovered = [&](const Result<void>& result) -> Result<void> {
        WGD_TRY(result);
        datapaths.clear_remains();
        auto connected = bus::BusService::create(**loop, manager);
        WGD_TRY(connected);
        service = std::move(*connected);
        WGD_TRY(service->request_name());
        log::info("wgd {} is ready", WGD_VERSION);
        sd_notify(0, "READY=1");
        autoconnect.start(manager.settings());
        return {};
    };
    (*loop)->post([&] {
        manager.recover([&](const Result<void>& result) {
            if (const auto ready = recovered(result); !ready) {
                log::error("{}", ready.error().message);
                (*loop)->quit(1);
            }
        });
    });
    return (*loop)->run();
}

} // namespace

int run_daemon(const StartupOptions& options, control::Settings settings, const ExecutorWrapper& wrap) {
    log::set_level(wanted_level(options, settings));
    auto status = serve(options, std::move(settings), wrap);
    if (status) return *status;
    log::error("{}", status.error().message);
    return 1;
}

int daemon_main(int argc, char** argv, const ExecutorWrapper& wrap) {
    CommandLine command = parse_command_line(argc, argv);
    if (!command.options) return command.exit_status;
    log::set_sink(log::stderr_sink("wgd"));
    if (auto safe = protect_process(); !safe) {
        log::error("{}", safe.error().message);
        return 1;
    }
    auto settings = load_settings(*command.options);
    if (command.options->lockdown_only) return close_at_boot(settings);
    if (!settings) {
        log::error("{}", settings.error().message);
        return 1;
    }
    return run_daemon(*command.options, std::move(*settings), wrap);
}

} // namespace wgd
