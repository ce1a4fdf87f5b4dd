// SPDX-License-Identifier: MIT
// What daemon/control needs from the world. daemon/sys implements these on Linux; tests/fakes implements them
// as a world with the kernel's rules. All calls come from the loop's thread; none blocks longer than a
// netlink round trip: what may take longer takes a completion, called later on the loop's thread (or at
// once).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/base/time.hpp"
#include "common/config/profile.hpp"
#include "common/model/names.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/plan/snapshot.hpp"

namespace wgd::ports {

using Done = std::function<void(Result<void>)>;

// Scope of a snapshot: which tunnel, and what else to look at.
struct SnapshotScope {
    std::string link;
    std::vector<IpAddress> endpoints; // look up their paths, always in the daemon's namespace
    std::uint32_t mark = 0;           // with this mark, 0 for none
    std::vector<std::string> sysctls;
    bool forwarding = false; // also what a machine that forwards has to know (plan/forwarding.hpp)
    std::string netns;       // where the link is; "" for the daemon's namespace
    bool device = true;      // false: of the WireGuard device only who runs it, for the rest is known
};

// One tunnel's link and what is behind it.
struct LinkReading {
    plan::Link link;
    std::vector<IpPrefix> addresses;
    WgDevice device;
    std::string dns_problem; // why its DNS is not set although it should be (plan::DnsView); "": it is
};

class SystemReader {
  public:
    virtual ~SystemReader() = default;
    // Consistent or failed: restarts on NLM_F_DUMP_INTR a bounded number of times.
    virtual Result<plan::Snapshot> read(const SnapshotScope& scope) = 0;
    // Our nftables tables alone. kUnsupported where nftables cannot be used.
    virtual Result<std::map<std::string, plan::TableState>> read_tables() = 0;
    // The device alone (for counters and handshakes).
    virtual Result<WgDevice> read_device(const std::string& link, const std::string& netns) = 0;
    // What a view tells of it.
    virtual Result<LinkReading> read_link(const std::string& link, const std::string& netns) = 0;
};

class Executor {
  public:
    virtual ~Executor() = default;
    // Does one op. The error text carries the kernel's extended ack.
    virtual void perform(const plan::Op& op, Done done) = 0;
    // `op`, which is being performed, is to be undone as soon as it is done: it may be cut short (a hook is
    // ended). Its `done` comes all the same.
    virtual void interrupt(const plan::Op& op) { static_cast<void>(op); }
};

// A profile as found on disk; parsed only when asked for.
struct StoredProfile {
    ProfileName name;
    std::string path;
    SecretText text;                   // holds keys; zeroed when it goes
    std::vector<std::string> warnings; // e.g. readable by the group
};

class ProfileStore {
  public:
    virtual ~ProfileStore() = default;
    virtual Result<std::vector<ProfileName>>
    list() = 0; // sorted; files whose name is no profile name left out
    // Opens beneath the directory without following links; regular file, owned by root, not writable and not
    // readable by others, not larger than kMaxProfileBytes; else kUnsafeFile with the reason. kNotFound.
    virtual Result<StoredProfile> read(const ProfileName& name) = 0;
    // Puts another text in the place of one that was read, at once and for good: after a crash it is the one
    // or the other. Owner and mode stay. kConflict when the file is no longer what was read; kUnsafeFile,
    // kIo.
    virtual Result<void> replace(const StoredProfile& read, const SecretText& text) = 0;
};

// Journal of a transaction and the record of a tunnel that is up; both in the runtime directory (they
// describe kernel state, which a reboot clears as well), mode 0600, never a key in them.
class Journal {
  public:
    virtual ~Journal() = default;
    // Appends the undo of one step to the tunnel's undo log; on disk before this returns, and before the step
    // is taken. Written with plan::ops_to_json (daemon/plan/op_json.hpp).
    virtual Result<void> append_undo(const ProfileName& name, const std::vector<plan::Op>& undo) = 0;
    virtual Result<void> clear_undo(const ProfileName& name) = 0;
    // Undo logs left by a crash: per tunnel the ops to run, already in the order to run them (last step
    // first, the ops of one step in the order they were given). A last line cut short by the crash is left
    // out: its step was never taken.
    virtual Result<std::vector<std::pair<ProfileName, std::vector<plan::Op>>>> pending_undo() = 0;

    // Small JSON text the control room defines (mark, backend, original sysctls ...); atomically replaced.
    virtual Result<void> save_record(const ProfileName& name, const std::string& json) = 0;
    virtual Result<void> remove_record(const ProfileName& name) = 0;
    virtual Result<std::vector<std::pair<ProfileName, std::string>>> load_records() = 0;

    // Tunnels of autoconnect that their user took down by hand: until the next boot they stay down.
    virtual Result<void> set_taken_down(const ProfileName& name, bool taken_down) = 0;
    [[nodiscard]] virtual bool is_taken_down(const ProfileName& name) const = 0;

    // The host's kill switch, as small JSON text; "" for none. Atomically replaced.
    virtual Result<void> save_lock(const std::string& json) = 0;
    virtual Result<std::string> load_lock() = 0;
};

// How a look-up shall travel: as the tunnel's own datagrams do, and to nobody who is behind the tunnel.
struct LookupPath {
    std::uint32_t mark = 0;       // fwmark of its datagrams; 0: none
    std::vector<IpAddress> avoid; // name servers not to ask
    bool operator==(const LookupPath&) const = default;
};

struct Resolution {
    std::vector<Endpoint> addresses; // IPv4 and IPv6, in the order to try them (RFC 6724); never empty
    std::optional<Duration> ttl;     // how long that holds, where it was said
};

class Resolver {
  public:
    virtual ~Resolver() = default;
    // All addresses of host:port; kResolve with the resolver's reason. Cancelled when the returned handle is
    // destroyed; `done` is then not called. Destroying it from within `done` is safe.
    struct Query {
        virtual ~Query() = default;
    };
    using Answer = std::function<void(Result<Resolution>)>;
    virtual std::unique_ptr<Query> resolve(const EndpointSpec& endpoint, const LookupPath& path,
                                           Answer done) = 0;
};

// How large an IP packet reaches an address in one piece.
class PathProber {
  public:
    virtual ~PathProber() = default;
    // Cancelled when it is destroyed; `found` is then not called. Destroying it from within `found` is safe.
    struct Measurement {
        virtual ~Measurement() = default;
    };
    // Bytes; nullopt when nobody answers and nobody on the way says anything. kIo when nothing can be sent.
    using Found = std::function<void(Result<std::optional<std::uint32_t>>)>;
    // With packets that bear `mark` (0: none), none larger than `ceiling`. Takes a round trip if all is well,
    // up to half a minute where packets vanish without a word.
    virtual std::unique_ptr<Measurement> measure(const IpAddress& destination, std::uint32_t mark,
                                                 std::uint32_t ceiling, Found found) = 0;
};

// What can carry a tunnel on this machine.
struct BackendReport {
    bool kernel = false;
    std::string kernel_reason; // why not, or which module ("in-tree", "wgd kmod 1.1.0")
    bool userspace = false;
    std::string userspace_reason; // why not, or the program's path
};

class BackendProbe {
  public:
    virtual ~BackendProbe() = default;
    virtual BackendReport probe() = 0;
};

// Changes made by somebody else, from the netlink monitor and from watching datapath processes.
class WorldObserver {
  public:
    virtual ~WorldObserver() = default;
    virtual void on_world_changed() = 0; // addresses, routes, rules, links, firewall: look again
    // The same in other network namespaces, some that we know of (a link was moved there): ours, or any
    // container's.
    virtual void on_other_namespace_changed() = 0;
    virtual void on_dns_changed() = 0; // resolv.conf, or what a resolver holds: look again
    virtual void on_link_gone(const std::string& link) = 0; // a link disappeared
    virtual void on_datapath_exit(const std::string& link,
                                  const std::string& how) = 0; // "killed by signal 9"
};

class Monitor {
  public:
    virtual ~Monitor() = default;
    virtual void set_observer(WorldObserver* observer) = 0; // null to stop; not owned
    // Watches the process behind a userspace link; finds it again by its UAPI socket after a restart of wgd.
    virtual Result<void> watch_datapath(const std::string& link) = 0;
    virtual void unwatch_datapath(const std::string& link) = 0;
};

// Time: one-shot timers on the loop.
class Timers {
  public:
    virtual ~Timers() = default;
    struct Timer {
        virtual ~Timer() = default; // cancels; safe from within its own `fire`
    };
    virtual std::unique_ptr<Timer> after(Duration delay, std::function<void()> fire) = 0;
    [[nodiscard]] virtual Instant now() const = 0;
};

} // namespace wgd::ports
