// SPDX-License-Identifier: MIT
// What wgd hears of logind, on the system bus of a scene: org.freedesktop.login1, which says
// PrepareForSleep(true) and PrepareForSleep(false) for each line "suspend" or "resume" on standard input, and
// "ready" when it is there.
#include <iostream>
#include <sdbus-c++/sdbus-c++.h>
#include <string>

int main() try {
    const auto bus = sdbus::createSystemBusConnection("org.freedesktop.login1");
    const auto object = sdbus::createObject(*bus, "/org/freedesktop/login1");
    const std::string interface = "org.freedesktop.login1.Manager";
    object->registerSignal("PrepareForSleep").onInterface(interface).withParameters<bool>();
    object->finishRegistration();
    bus->enterEventLoopAsync();
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);)
        object->emitSignal("PrepareForSleep").onInterface(interface).withArguments(line == "suspend");
    bus->leaveEventLoop();
    return 0;
} catch (const sdbus::Error& error) {
    std::cerr << "fake_logind: " << error.what() << "\n";
    return 1;
}
