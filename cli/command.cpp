// SPDX-License-Identifier: MIT
#include "cli/command.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/terminal.hpp"

namespace wgd::cli {
namespace {

constexpr Option kJson{"--json", "print JSON of a stable, versioned shape"};

std::vector<Command> make_commands() {
    return {
        {"up",
         "NAME",
         "bring a tunnel up",
         "Brings up the tunnel of the profile /etc/wireguard/NAME.conf. Either all of it happens or, when "
         "something\n"
         "fails, nothing: the system is left as it was. A tunnel that is up already stays as it is.",
         {kJson},
         {Operand::kProfile},
         1,
         false,
         run_up},
        {"down",
         "NAME",
         "take a tunnel down",
         "Takes the tunnel down and leaves links, addresses, routes, rules and firewall as they were before "
         "it.",
         {kJson},
         {Operand::kTunnel},
         1,
         false,
         run_down},
        {"reload",
         "NAME",
         "apply a changed profile to a tunnel that is up",
         "Reads the profile and the settings again and applies the difference: peers, keys, addresses, "
         "routes, rules,\n"
         "MTU, firewall. Peers that stay the same keep their sessions. Prints what was done, as the commands "
         "that would\n"
         "do the same by hand. When something fails, the tunnel is as it was. No hook is run.",
         {kJson, {"--dry-run", "print what would be done, and do nothing"}},
         {Operand::kTunnel},
         1,
         false,
         run_reload},
        {"save",
         "NAME",
         "write what a tunnel is now into its profile",
         "Writes what was changed at a running tunnel (with `wgctl set`, ip(8)) into its profile, as "
         "`wg-quick "
         "save`\n"
         "does, but only the lines that say otherwise: comments, host names, search domains and order stay. "
         "Prints what\n"
         "was changed. Refuses when the profile has changed since it was applied.",
         {kJson, {"--force", "also when the profile has changed since it was applied"}},
         {Operand::kTunnel},
         1,
         false,
         run_save},
        {"exec",
         "NAME [--] COMMAND [ARGUMENT]...",
         "run a command whose only network is a tunnel",
         "Runs the command in the network namespace of the tunnel (netns in wgd.toml), with the namespace's "
         "DNS: "
         "what it\n"
         "sends goes through the tunnel or nowhere. Needs root; started by sudo(8), the command runs as the "
         "user who "
         "did\n"
         "that. The exit status is the command's; 126 if it cannot be run, 127 if there is no such command.",
         {{"--root", "stay root under sudo"}},
         {Operand::kTunnel, Operand::kCommand},
         2,
         false,
         run_exec,
         true},
        {"status",
         "[NAME]",
         "show tunnels and their peers",
         "Shows the tunnels that are up, under way or failed: what carries them and why, addresses, peers "
         "with their\n"
         "endpoint, last handshake and transfer, and what is wrong. Needs no privilege.",
         {kJson, {"--watch", "show again every two seconds until interrupted"}},
         {Operand::kProfile},
         0,
         false,
         run_status},
        {"list",
         "",
         "list installed profiles",
         "Lists the profiles in /etc/wireguard, the state of each and why it cannot be used, if so.",
         {kJson, {"--names", "print only the names, one a line"}},
         {},
         0,
         false,
         run_list},
        {"plan",
         "NAME [up|down|reload]",
         "show what up, down or reload would do",
         "Prints the steps that `wgctl up NAME` (or down, or reload) would take now, as the commands that "
         "would do the\n"
         "same by hand. Nothing is touched. Secrets are masked.",
         {kJson},
         {Operand::kProfile, Operand::kPlanVerb},
         1,
         false,
         run_plan},
        {"check",
         "NAME|FILE",
         "find mistakes in a profile",
         "Reports everything wrong with a profile as FILE:LINE:COLUMN: message. With a FILE (anything with a "
         "slash or\n"
         "ending in .conf, or - for standard input) neither the daemon nor any privilege is needed.",
         {kJson},
         {Operand::kProfileOrFile},
         1,
         false,
         run_check},
        {"show",
         "[INTERFACE|all|interfaces [FIELD]]",
         "show interfaces as wg(8) does",
         "Shows WireGuard interfaces, whoever made them, with the words of `wg show`. FIELD prints one kind "
         "of value\n"
         "for scripts: public-key, private-key, listen-port, fwmark, peers, preshared-keys, endpoints, "
         "allowed-ips,\n"
         "latest-handshakes, transfer, persistent-keepalive or dump. Needs root.",
         {},
         {Operand::kInterface, Operand::kOther},
         0,
         true,
         run_show},
        {"showconf",
         "INTERFACE",
         "print an interface's configuration",
         "Prints the configuration of an interface, keys included, in the form that setconf takes. As `wg "
         "showconf`.",
         {},
         {Operand::kInterface},
         1,
         true,
         run_showconf},
        {"set",
         "INTERFACE WORDS...",
         "change an interface",
         "Changes a running interface, with the words of `wg set`.",
         {},
         {Operand::kInterface, Operand::kOther},
         2,
         true,
         run_set},
        {"setconf",
         "INTERFACE FILE",
         "make an interface what a file says",
         "Makes the interface what the configuration FILE says. As `wg setconf`.",
         {},
         {Operand::kInterface, Operand::kFile},
         2,
         true,
         run_setconf},
        {"addconf",
         "INTERFACE FILE",
         "add what a file says to an interface",
         "Adds what the configuration FILE says to the interface. As `wg addconf`.",
         {},
         {Operand::kInterface, Operand::kFile},
         2,
         true,
         run_addconf},
        {"syncconf",
         "INTERFACE FILE",
         "as setconf, but sessions of unchanged peers go on",
         "Makes the interface what the configuration FILE says; peers that stay keep their sessions. As `wg "
         "syncconf`.",
         {},
         {Operand::kInterface, Operand::kFile},
         2,
         true,
         run_syncconf},
        {"strip",
         "NAME|FILE",
         "print a profile without what is only wg-quick's",
         "Prints the profile without the lines that only wg-quick(8) understands, as setconf takes it. As\n"
         "`wg-quick strip`.",
         {},
         {Operand::kProfileOrFile},
         1,
         false,
         run_strip},
        {"genkey",
         "",
         "print a new private key",
         "Prints a new private key. As `wg genkey`.",
         {},
         {},
         0,
         true,
         run_genkey},
        {"genpsk",
         "",
         "print a new preshared key",
         "Prints a new preshared key. As `wg genpsk`.",
         {},
         {},
         0,
         true,
         run_genpsk},
        {"pubkey",
         "",
         "turn a private key into its public key",
         "Reads a private key from standard input and prints its public key. As `wg pubkey`.",
         {},
         {},
         0,
         true,
         run_pubkey},
        {"completion",
         "bash|zsh|fish",
         "print a completion script for a shell",
         "Prints the script that makes the shell complete wgctl's command line. Packages install it already.",
         {},
         {Operand::kShell},
         1,
         false,
         run_completion},
    };
}

std::string help_of(const std::string& program, const Command& command) {
    std::string text = fmt::format("Usage: {} {}{}{}{}\n\n{}\n", program, command.name,
                                   command.options.empty() ? "" : " [OPTION]...",
                                   command.usage.empty() ? "" : " ", command.usage, command.details);
    text += "\nOptions:\n";
    for (const auto& option : command.options)
        text += fmt::format("  {:<12} {}\n", option.name, option.help);
    text += fmt::format("  {:<12} {}\n", "--help", "print this");
    return text;
}

std::string help(const std::string& program) {
    std::string text =
        fmt::format("Usage: {} COMMAND [OPTION]... [ARGUMENT]...\n"
                    "Brings WireGuard tunnels up and down through the wgd daemon.\n\nCommands:\n",
                    program);
    for (const auto& command : commands())
        text += fmt::format("  {:<12} {}\n", command.name, command.summary);
    text += fmt::format("\n`{} COMMAND --help` tells more; so does wgctl(1).\n", program);
    return text;
}

int usage_error(const std::string& program, const Command* command, const std::string& message) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), printable(message).c_str());
    if (command != nullptr)
        std::fprintf(stderr, "%s",
                     fmt::format("Usage: {} {} {}\n", program, command->name, command->usage).c_str());
    else
        std::fprintf(stderr, "Try '%s --help'.\n", program.c_str());
    return kUsage;
}

} // namespace

bool Invocation::has(std::string_view option) const {
    return std::find(options.begin(), options.end(), option) != options.end();
}

const std::vector<Command>& commands() {
    static const std::vector<Command> table = make_commands();
    return table;
}

const Command* find_command(std::string_view name) {
    for (const auto& command : commands())
        if (command.name == name) return &command;
    return nullptr;
}

int report(const Invocation& invocation, const CommandError& error) {
    if (invocation.has("--json")) {
        const nlohmann::ordered_json json{{"version", 1},
                                          {"error", {{"code", error.code}, {"message", error.message}}}};
        print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    }
    std::fprintf(stderr, "%s: %s\n", invocation.program.c_str(), printable_lines(error.message).c_str());
    return error.exit;
}

int run_wgctl(const std::string& program, const std::vector<std::string>& arguments) {
    if (arguments.empty()) {
        std::fputs(help(program).c_str(), stderr);
        return kUsage;
    }
    const std::string& verb = arguments.front();
    if (verb == "--help" || verb == "-h" || verb == "help") {
        if (const auto* command = arguments.size() > 1 ? find_command(arguments[1]) : nullptr)
            return print(help_of(program, *command));
        return print(help(program));
    }
    if (verb == "--version" || verb == "-V") return print(fmt::format("wgctl {}\n", WGD_VERSION));
    const auto* command = find_command(verb);
    if (command == nullptr) return usage_error(program, nullptr, "no such command '" + verb + "'");

    Invocation invocation{program, command->name, {}, {}};
    bool options_end = false;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        // The words of a command are the command's, options and all.
        const bool of_command = command->takes_command && !options_end &&
                                invocation.operands.size() + 1 == command->operands.size() &&
                                (word.size() < 2 || word[0] != '-');
        if (of_command) options_end = true;
        if (!options_end && (word == "--help" || word == "-h")) return print(help_of(program, *command));
        if (command->wg || options_end || word.size() < 2 || word[0] != '-') {
            invocation.operands.push_back(word);
        } else if (word == "--") {
            options_end = true;
        } else {
            const auto known = std::find_if(command->options.begin(), command->options.end(),
                                            [&](const Option& option) { return option.name == word; });
            if (known == command->options.end())
                return usage_error(program, command, "no such option '" + word + "'");
            invocation.options.push_back(known->name);
        }
    }
    if (!command->wg && invocation.operands.size() < command->required)
        return usage_error(program, command, "an argument is missing");
    if (!command->wg && !command->takes_command && invocation.operands.size() > command->operands.size())
        return usage_error(program, command, "too many arguments: '" + invocation.operands.back() + "'");
    return command->run(invocation);
}

int run_wg(const std::string& program, const std::vector<std::string>& arguments) {
    static constexpr std::array kVerbs{
        std::pair{"show", "Shows the current configuration and device information"},
        std::pair{"showconf",
                  "Shows the current configuration of a given WireGuard interface, for use with `setconf'"},
        std::pair{"set", "Change the current configuration, add peers, remove peers, or change peers"},
        std::pair{"setconf", "Applies a configuration file to a WireGuard interface"},
        std::pair{"addconf", "Appends a configuration file to a WireGuard interface"},
        std::pair{"syncconf", "Synchronizes a configuration file to a WireGuard interface"},
        std::pair{"genkey", "Generates a new private key and writes it to stdout"},
        std::pair{"genpsk", "Generates a new preshared key and writes it to stdout"},
        std::pair{"pubkey", "Reads a private key from stdin and writes a public key to stdout"},
    };
    const std::string verb = arguments.empty() ? "show" : arguments.front();
    const auto overview = [&] {
        std::string text = fmt::format("Usage: {} <cmd> [<args>]\n\nAvailable subcommands:\n", program);
        for (const auto& [name, summary] : kVerbs)
            text += fmt::format("  {}: {}\n", name, summary);
        return text + "You may pass `--help' to any of these subcommands to view usage.\n";
    };
    if (verb == "-h" || verb == "--help" || verb == "help") return print(overview());
    if (verb == "-v" || verb == "--version" || verb == "version")
        return print(fmt::format("wgctl {} (as wg)\n", WGD_VERSION));
    const auto* command = find_command(verb);
    if (command == nullptr || !command->wg) {
        std::fprintf(stderr, "Invalid subcommand: `%s'\n", printable(verb).c_str());
        std::fputs(overview().c_str(), stderr);
        return kFailed;
    }
    Invocation invocation{program, command->name, {}, {}};
    if (arguments.size() > 1) invocation.operands.assign(arguments.begin() + 1, arguments.end());
    return command->run(invocation);
}

} // namespace wgd::cli
