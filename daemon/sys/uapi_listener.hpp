// SPDX-License-Identifier: MIT
// Which process serves a UAPI socket. Source: unix(7), SO_PEERCRED: a client sees the credentials that the
// server had when it called listen(2), which wgd-datapath --foreground does in the process that stays.
#pragma once

#include <string>
#include <sys/types.h>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"

namespace wgd::sys {

struct UapiListener {
    pid_t pid = 0;
    Fd pidfd; // of that very process: it was still serving the socket after this was opened
};

// kNotFound: no socket, or nobody listens; kBackend: it is served from outside this PID namespace.
Result<UapiListener> find_uapi_listener(const std::string& socket_path);

} // namespace wgd::sys
