#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The pure rooms are pure: their libraries refer to no function that reads the world or changes it. What a library
# does not refer to, it cannot call. Checks itself on a library that is known not to be pure.
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"
: "${WGD_BUILD:?is not set: the build tree}"
command -v nm >/dev/null || {
    echo "needs nm (binutils)"
    exit 77
}

pure=(wgd_model wgd_config wgd_plan wgd_dp_wg wgd_dp_crypto wgd_dp_openssl)
# As nm -uC prints them: C names whole, C++ names by prefix.
forbidden='^(open|openat|creat|fopen|freopen|read|pread|write|pwrite|close|stat|lstat|fstat|access|unlink|rename|mkdir|opendir|ioctl|fcntl|mmap|socket|bind|connect|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|poll|ppoll|select|epoll_.*|io_uring_.*|syscall|fork|vfork|clone|exec[lv].*|posix_spawn.*|system|popen|kill|raise|signal|sigaction|sleep|usleep|nanosleep|clock_nanosleep|time|times|clock|clock_gettime|gettimeofday|timespec_get|localtime.*|getrandom|getentropy|random|rand|rand_r|srand|arc4random.*|randombytes.*|RAND_.*|getenv|secure_getenv|setenv|getpid|getuid|getaddrinfo|gethostby.*|if_nametoindex|syslog|sd_.*|nl_.*|rtnl_.*|pthread_create|printf|puts|std::random_device.*|std::chrono::_V2::(system|steady)_clock::now.*|std::basic_[io]?f(ile)?stream.*|std::basic_filebuf.*|std::thread::_M_start_thread.*|std::filesystem::.*)(64)?(@.*)?$'

# Lawful all the same, as LIBRARY SYMBOL: the choice of the fastest cipher measures, once, before any packet.
lawful='^wgd_dp_crypto std::chrono::_V2::steady_clock::now\(\)$'

impurities() { # LIBRARY
    nm --undefined-only --demangle "$1" 2>/dev/null | awk '$1 == "U" { $1 = ""; print substr($0, 2) }' | sort -u |
        grep -E "$forbidden"
}

control=$(find "$WGD_BUILD" -name 'libwgd_base.a' | sed -n 1p)
[ -n "$control" ] || finding "there is no libwgd_base.a in $WGD_BUILD: is it built?"
[ -z "$control" ] || [ -n "$(impurities "$control")" ] ||
    finding "this test finds nothing in libwgd_base.a, which reads the clock: it cannot find anything"

checked=0
for name in "${pure[@]}"; do
    library=$(find "$WGD_BUILD" -name "lib$name.a" | sed -n 1p)
    if [ -z "$library" ]; then
        finding "there is no lib$name.a in the build tree: renamed? then rename it here as well"
        continue
    fi
    checked=$((checked + 1))
    findings < <(impurities "$library" | sed "s/^/$name /" | grep -vE "$lawful" | sed 's/ / refers to /')
done
conclude "$checked libraries, no reference to the world"
