// SPDX-License-Identifier: MIT
// UapiClient: speaks the cross-platform UAPI over DIRECTORY/NAME.sock, as wireguard-go, boringtun and
// wgd-datapath serve it. UapiExchange is one request and its reply without blocking, for an event loop.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/base/fd.hpp"
#include "common/base/secret_text.hpp"
#include "common/wgapi/wg_client.hpp"

namespace wgd {

inline constexpr std::string_view kUapiDirectory = "/var/run/wireguard";

// One request on one connection. Watch fd() for events(), call advance() when it is ready, until it yields
// the reply (complete, empty line included). Dropping the object cancels.
class UapiExchange {
  public:
    // kNotFound: no such socket, or nobody listens on it.
    static Result<UapiExchange> start(const std::string& socket_path, SecretText request);
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] short events() const;                                       // POLLIN or POLLOUT
    Result<std::optional<SecretText>> advance();                              // nullopt: not yet
    [[nodiscard]] std::size_t moved() const { return sent_ + reply_.size(); } // bytes so far

  private:
    UapiExchange(Fd fd, SecretText request)
        : fd_(std::move(fd))
        , request_(std::move(request)) {}
    Fd fd_;
    SecretText request_;
    std::size_t sent_ = 0;
    SecretText reply_;
    std::size_t scanned_ = 0;
};

class UapiClient final : public WgClient {
  public:
    static constexpr int kPatience = 10;
    struct Options {
        std::string directory = std::string(kUapiDirectory);
        std::chrono::milliseconds timeout{5000}; // of silence; an exchange takes kPatience times that at most
    };
    UapiClient() = default;
    explicit UapiClient(Options options)
        : options_(std::move(options)) {}

    Result<WgDevice> get(std::string_view name) override;
    Result<void> set(std::string_view name, const DeviceDelta& delta) override;
    // The sockets in the directory that somebody listens on, by name. A missing directory is an empty list.
    Result<std::vector<std::string>> list() override;

    // DIRECTORY/NAME.sock; kInvalidName if the name is no interface name or the path does not fit a socket
    // address.
    [[nodiscard]] Result<std::string> socket_path(std::string_view name) const;
    // Somebody listens on the name's socket.
    [[nodiscard]] bool serves(std::string_view name) const;

  private:
    Result<SecretText> exchange(std::string_view name, SecretText request);
    Options options_;
};

} // namespace wgd
