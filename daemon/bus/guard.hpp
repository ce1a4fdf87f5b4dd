// SPDX-License-Identifier: MIT
// The fence around everything sdbus-c++ calls: sdbus-c++ 1.2 catches sdbus::Error only, any other exception
// from a handler or getter ends the process, and any local user can send what might provoke one.
#pragma once

#include <exception>
#include <sdbus-c++/sdbus-c++.h>
#include <utility>

#include "common/base/log.hpp"
#include "common/base/result.hpp"
#include "daemon/bus/text.hpp"
#include "dbus/names.hpp"

namespace wgd::bus {

inline sdbus::Error to_bus_error(const Error& error) {
    return sdbus::Error(dbus::error_name(error.code), bus_text(error.message));
}

// Runs `body`; what it throws leaves as an sdbus::Error. Details of an unexpected exception go to the log
// only.
template <class Body>
decltype(auto) guarded(const char* what, Body&& body) {
    try {
        return std::forward<Body>(body)();
    } catch (const sdbus::Error&) {
        throw;
    } catch (const std::exception& error) {
        log::error("bus: {}: {}", what, error.what());
    } catch (...) {
        log::error("bus: {}: unknown exception", what);
    }
    throw sdbus::Error(dbus::error_name(ErrorCode::kInternal), "internal error, see the daemon's log");
}

// The same for calls whose failure only the log can be told: signals, callbacks from the loop.
template <class Body>
void quietly(const char* what, Body&& body) noexcept {
    try {
        std::forward<Body>(body)();
    } catch (const std::exception& error) {
        log::error("bus: {}: {}", what, error.what());
    } catch (...) {
        log::error("bus: {}: unknown exception", what);
    }
}

} // namespace wgd::bus
