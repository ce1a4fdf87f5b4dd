// SPDX-License-Identifier: MIT
#include "daemon/sys/table_names.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace wgd::sys {
namespace {

void read_file(const std::filesystem::path& path, TableNames& into) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    parse_table_names(text, into);
}

} // namespace

void parse_table_names(std::string_view text, TableNames& into) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string number;
        std::string name;
        if (!(words >> number >> name)) continue;
        const bool hex = number.rfind("0x", 0) == 0;
        std::uint32_t id = 0;
        const char* first = number.data() + (hex ? 2 : 0);
        const char* last = number.data() + number.size();
        const auto parsed = std::from_chars(first, last, id, hex ? 16 : 10);
        if (parsed.ec == std::errc() && parsed.ptr == last) into.insert_or_assign(name, id);
    }
}

TableNames read_table_names() {
    TableNames names{{"default", 253}, {"main", 254}, {"local", 255}}; // <linux/rtnetlink.h> rt_class_t
    read_file("/etc/iproute2/rt_tables", names);
    std::error_code error;
    std::vector<std::filesystem::path> more;
    for (std::filesystem::directory_iterator at("/etc/iproute2/rt_tables.d", error), end; !error && at != end;
         at.increment(error))
        if (at->path().extension() == ".conf") more.push_back(at->path());
    std::sort(more.begin(), more.end());
    for (const auto& path : more)
        read_file(path, names);
    return names;
}

} // namespace wgd::sys
