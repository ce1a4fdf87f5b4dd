// SPDX-License-Identifier: MIT
// A caller with bad manners, for robustness.sh and flood.sh. Speaks raw sd-bus so that nothing is polite by
// accident.
//
//   abuser flood objects|up|noreply|peers SECONDS [TUNNEL]   as many calls as the bus takes; prints how many
//   it made abuser huge BYTES               Up with a name of that many bytes; prints the error's name abuser
//   options COUNT            Up with that many options abuser vanish COUNT             Up of "hang" and away,
//   that many times over
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <systemd/sd-bus.h>

namespace {

constexpr char kDaemon[] = "org.wgd1";
constexpr char kRoot[] = "/org/wgd1";
constexpr char kManager[] = "org.wgd1.Manager";

int die(const char* what, int error) {
    std::fprintf(stderr, "abuser: %s: %s\n", what, std::strerror(-error));
    return 1;
}

sd_bus* open_bus() {
    sd_bus* bus = nullptr;
    if (const int r = sd_bus_open_system(&bus); r < 0) std::exit(die("cannot open the bus", r));
    return bus;
}

struct Count {
    long sent = 0;
    long answered = 0;
    long errors = 0;
};

int on_reply(sd_bus_message* reply, void* userdata, sd_bus_error*) {
    auto& count = *static_cast<Count*>(userdata);
    ++count.answered;
    if (sd_bus_message_is_method_error(reply, nullptr) > 0) ++count.errors;
    return 0;
}

int send_one(sd_bus* bus, const std::string& kind, const char* tunnel, Count& count) {
    if (kind == "objects")
        return sd_bus_call_method_async(bus, nullptr, kDaemon, kRoot, "org.freedesktop.DBus.ObjectManager",
                                        "GetManagedObjects", on_reply, &count, "");
    if (kind == "peers")
        return sd_bus_call_method_async(bus, nullptr, kDaemon, tunnel, "org.wgd1.Tunnel", "GetPeers",
                                        on_reply, &count, "uu", 0u, 0u);
    if (kind == "up")
        return sd_bus_call_method_async(bus, nullptr, kDaemon, kRoot, kManager, "Up", on_reply, &count,
                                        "sa{sv}", "hang", 0);
    return sd_bus_call_method_async(bus, nullptr, kDaemon, kRoot, kManager, "Up", nullptr, nullptr, "sa{sv}",
                                    "hang", 0);
}

int flood(const std::string& kind, double seconds, const char* tunnel) {
    constexpr long kWindow = 100; // dbus-daemon allows 128 unanswered calls
    sd_bus* bus = open_bus();
    Count count;
    timespec start{};
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (static_cast<double>(now.tv_sec - start.tv_sec) +
                static_cast<double>(now.tv_nsec - start.tv_nsec) / 1e9 >
            seconds)
            break;
        while (kind == "noreply" ? count.sent % kWindow != kWindow - 1
                                 : count.sent - count.answered < kWindow) {
            if (const int r = send_one(bus, kind, tunnel, count); r < 0) return die("send", r);
            ++count.sent;
        }
        if (kind == "noreply") ++count.sent;
        const int r = sd_bus_process(bus, nullptr);
        if (r < 0) return die("process", r);
        if (r == 0 && kind != "noreply") sd_bus_wait(bus, 50'000);
    }
    std::printf("sent %ld answered %ld errors %ld\n", count.sent, count.answered, count.errors);
    return 0;
}

int call_up(const std::string& name, int options) {
    sd_bus* bus = open_bus();
    sd_bus_message* call = nullptr;
    int r = sd_bus_message_new_method_call(bus, &call, kDaemon, kRoot, kManager, "Up");
    if (r >= 0) r = sd_bus_message_append(call, "s", name.c_str());
    if (r >= 0) r = sd_bus_message_open_container(call, 'a', "{sv}");
    for (int i = 0; r >= 0 && i < options; ++i)
        r = sd_bus_message_append(call, "{sv}", ("option" + std::to_string(i)).c_str(), "s", "value");
    if (r >= 0) r = sd_bus_message_close_container(call);
    if (r < 0) return die("message", r);
    sd_bus_error error = SD_BUS_ERROR_NULL;
    r = sd_bus_call(bus, call, 0, &error, nullptr);
    std::printf("%s %zu\n", r < 0 ? error.name : "success", r < 0 ? std::strlen(error.message) : 0);
    return 0;
}

int vanish(int times) {
    for (int i = 0; i < times; ++i) {
        sd_bus* bus = open_bus();
        Count count;
        if (const int r = send_one(bus, "up", nullptr, count); r < 0) return die("send", r);
        sd_bus_flush_close_unref(bus);
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 2 ? argv[1] : "";
    if (what == "flood" && argc > 3) return flood(argv[2], std::atof(argv[3]), argc > 4 ? argv[4] : "");
    if (what == "huge") return call_up(std::string(static_cast<std::size_t>(std::atol(argv[2])), 'x'), 0);
    if (what == "options") return call_up("home", std::atoi(argv[2]));
    if (what == "vanish") return vanish(std::atoi(argv[2]));
    std::fputs("usage: see the head of abuser.cpp\n", stderr);
    return 2;
}
