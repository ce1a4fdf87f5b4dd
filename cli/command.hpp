// SPDX-License-Identifier: MIT
// The command line as a table: help, argument checking, dispatch and shell completion all read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_code.hpp"

namespace wgd::cli {

// What an operand names; completion offers that.
enum class Operand {
    kCommand,
    kProfile,
    kTunnel,
    kProfileOrFile,
    kInterface,
    kFile,
    kPlanVerb,
    kShell,
    kOther
};

struct Option {
    std::string_view name; // "--json"
    std::string_view help;
};

struct Invocation {
    std::string program;               // argv[0] as people see it: "wgctl", "wg"
    std::string_view command;          // "status"
    std::vector<std::string> operands; // without options
    std::vector<std::string_view> options;

    [[nodiscard]] bool has(std::string_view option) const;
};

struct Command {
    std::string_view name;
    std::string_view usage;   // what follows the name: "NAME [down]"
    std::string_view summary; // one line, no full stop
    std::string_view details; // for --help
    std::vector<Option> options;
    std::vector<Operand> operands;
    std::size_t required = 0; // operands that must be there; the rest is optional
    // The verbs of wg(8): their words are theirs to parse, and they are there under the name `wg` too.
    bool wg = false;
    int (*run)(const Invocation&) = nullptr;
    // Its last operand is a command: the words from there on are that command's, options and all.
    bool takes_command = false;
};

// In the order help lists them.
const std::vector<Command>& commands();
const Command* find_command(std::string_view name);

// The whole program but for the process: `arguments` without argv[0].
int run_wgctl(const std::string& program, const std::vector<std::string>& arguments);
// The same under the name `wg`: the verbs, texts and exit codes of wg(8) and nothing else.
int run_wg(const std::string& program, const std::vector<std::string>& arguments);

// Prints the error (to standard error, and as JSON to standard output for --json); returns the exit code.
int report(const Invocation& invocation, const CommandError& error);

// One per verb, in the file of its name.
int run_up(const Invocation&);
int run_down(const Invocation&);
int run_exec(const Invocation&);
int run_status(const Invocation&);
int run_list(const Invocation&);
int run_plan(const Invocation&);
int run_reload(const Invocation&);
int run_save(const Invocation&);
int run_check(const Invocation&);
int run_genkey(const Invocation&);
int run_genpsk(const Invocation&);
int run_pubkey(const Invocation&);
int run_strip(const Invocation&);
int run_completion(const Invocation&);
int run_show(const Invocation&);
int run_showconf(const Invocation&);
int run_set(const Invocation&);
int run_setconf(const Invocation&);
int run_addconf(const Invocation&);
int run_syncconf(const Invocation&);

} // namespace wgd::cli
