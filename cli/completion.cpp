// SPDX-License-Identifier: MIT
// wgctl completion SHELL: scripts made from the command table, so that they cannot disagree with it.
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/terminal.hpp"

namespace wgd::cli {
namespace {

std::string names_of(const std::vector<Command>& table) {
    std::string names;
    for (const auto& command : table)
        names += (names.empty() ? "" : " ") + std::string(command.name);
    return names;
}

std::string options_of(const Command& command) {
    std::string options;
    for (const auto& option : command.options)
        options += std::string(option.name) + " ";
    return options + "--help";
}

std::string quoted(std::string_view text) { // for '...' in a shell
    std::string out;
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out;
}

std::string bash_words(Operand operand) {
    switch (operand) {
    case Operand::kProfile:
    case Operand::kTunnel:
        return "COMPREPLY=($(compgen -W \"$(wgctl list --names 2>/dev/null)\" -- \"$cur\"))";
    case Operand::kProfileOrFile:
        return "COMPREPLY=($(compgen -W \"$(wgctl list --names 2>/dev/null)\" -- \"$cur\") $(compgen -f -- "
               "\"$cur\"))";
    case Operand::kInterface:
        return "COMPREPLY=($(compgen -W \"$(wgctl show interfaces 2>/dev/null)\" -- \"$cur\"))";
    case Operand::kFile:
        return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Operand::kPlanVerb:
        return "COMPREPLY=($(compgen -W 'up down reload' -- \"$cur\"))";
    case Operand::kShell:
        return "COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\"))";
    case Operand::kCommand:
        return "COMPREPLY=($(compgen -c -- \"$cur\"))";
    case Operand::kOther:
        return ":";
    }
    return ":";
}

std::string bash_script() {
    std::string script = "# bash completion of wgctl(1), made by `wgctl completion bash`\n"
                         "_wgctl() {\n"
                         "    local cur=${COMP_WORDS[COMP_CWORD]} word operands=0 i\n"
                         "    COMPREPLY=()\n"
                         "    if ((COMP_CWORD == 1)); then\n";
    script += fmt::format("        COMPREPLY=($(compgen -W '{} help --help --version' -- \"$cur\"))\n",
                          names_of(commands()));
    script += "        return\n"
              "    fi\n"
              "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
              "        word=${COMP_WORDS[i]}\n"
              "        [[ $word == -* ]] || operands=$((operands + 1))\n"
              "    done\n"
              "    case ${COMP_WORDS[1]} in\n";
    script += fmt::format("    help) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n", names_of(commands()));
    for (const auto& command : commands()) {
        script += fmt::format("    {})\n        if [[ $cur == -* ]]; then\n"
                              "            COMPREPLY=($(compgen -W '{}' -- \"$cur\"))\n",
                              command.name, options_of(command));
        for (std::size_t i = 0; i < command.operands.size(); ++i)
            script += fmt::format("        elif ((operands == {})); then\n            {}\n", i,
                                  bash_words(command.operands[i]));
        script += "        fi\n        ;;\n";
    }
    return script + "    esac\n}\ncomplete -F _wgctl wgctl\n";
}

std::string zsh_words(Operand operand) {
    switch (operand) {
    case Operand::kProfile:
    case Operand::kTunnel:
        return ":name:_wgctl_names";
    case Operand::kProfileOrFile:
        return ":profile:_wgctl_names_or_files";
    case Operand::kInterface:
        return ":interface:_wgctl_interfaces";
    case Operand::kFile:
        return ":file:_files";
    case Operand::kPlanVerb:
        return ":verb:(up down reload)";
    case Operand::kShell:
        return ":shell:(bash zsh fish)";
    case Operand::kCommand:
        return "*:: :_normal";
    case Operand::kOther:
        return ":argument:";
    }
    return ":argument:";
}

std::string zsh_script() {
    std::string script =
        "#compdef wgctl\n# zsh completion of wgctl(1), made by `wgctl completion zsh`\n"
        "_wgctl_names() { local -a names; names=(${(f)\"$(wgctl list --names 2>/dev/null)\"}); "
        "compadd -a names }\n"
        "_wgctl_names_or_files() { _wgctl_names; _files }\n"
        "_wgctl_interfaces() { compadd ${=\"$(wgctl show interfaces 2>/dev/null)\"} }\n"
        "_wgctl() {\n    local -a verbs\n    if ((CURRENT == 2)); then\n        verbs=(\n";
    for (const auto& command : commands())
        script += fmt::format("            '{}:{}'\n", command.name, quoted(command.summary));
    script += "        )\n        _describe command verbs\n        return\n    fi\n"
              "    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n";
    for (const auto& command : commands()) {
        script += fmt::format("    {}) _arguments '--help[print help]'", command.name);
        for (const auto& option : command.options)
            script += fmt::format(" '{}[{}]'", option.name, quoted(option.help));
        for (const auto operand : command.operands)
            script += fmt::format(" '{}'", zsh_words(operand));
        script += " ;;\n";
    }
    return script + "    esac\n}\n_wgctl \"$@\"\n";
}

std::string fish_words(Operand operand) {
    switch (operand) {
    case Operand::kProfile:
    case Operand::kTunnel:
        return "-f -a '(wgctl list --names 2>/dev/null)'";
    case Operand::kProfileOrFile:
        return "-F -a '(wgctl list --names 2>/dev/null)'";
    case Operand::kInterface:
        return "-f -a '(wgctl show interfaces 2>/dev/null | string split \" \")'";
    case Operand::kFile:
        return "-F";
    case Operand::kPlanVerb:
        return "-f -a 'up down reload'";
    case Operand::kShell:
        return "-f -a 'bash zsh fish'";
    case Operand::kCommand:
        return "-a '(__fish_complete_command)'";
    case Operand::kOther:
        return "-f";
    }
    return "-f";
}

std::string fish_script() {
    std::string script =
        "# fish completion of wgctl(1), made by `wgctl completion fish`\ncomplete -c wgctl -f\n";
    for (const auto& command : commands())
        script += fmt::format("complete -c wgctl -n __fish_use_subcommand -a {} -d '{}'\n", command.name,
                              quoted(command.summary));
    for (const auto& command : commands()) {
        const std::string when =
            fmt::format("complete -c wgctl -n '__fish_seen_subcommand_from {}'", command.name);
        for (const auto& option : command.options)
            script += fmt::format("{} -l {} -d '{}'\n", when, option.name.substr(2), quoted(option.help));
        for (const auto operand : command.operands)
            script += fmt::format("{} {}\n", when, fish_words(operand));
    }
    return script;
}

} // namespace

int run_completion(const Invocation& invocation) {
    const std::string& shell = invocation.operands[0];
    if (shell == "bash") return print(bash_script());
    if (shell == "zsh") return print(zsh_script());
    if (shell == "fish") return print(fish_script());
    return report(invocation,
                  {kUsage, "invalid-argument", "no completion for '" + shell + "': bash, zsh or fish"});
}

} // namespace wgd::cli
