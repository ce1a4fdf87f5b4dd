// SPDX-License-Identifier: MIT
// The C library has asked the CPU before main(). The compiler's own __builtin_cpu_supports() asks again with
// two dozen CPUID instructions, each of which leaves a virtual machine: 0.1 ms of every start.
#include "datapath/crypto/cpu.hpp"

#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#ifdef __clang__ // the header says _Bool, which g++ takes for bool in any mode and clang++ in none of the
                 // standard's
#define _Bool bool
#endif
#include <sys/platform/x86.h>
#undef _Bool
#endif

namespace wgd::crypto {

bool cpu_has_avx2() {
#if !defined(__x86_64__)
    return false;
#elif defined(CPU_FEATURE_ACTIVE)
    return CPU_FEATURE_ACTIVE(AVX2);
#else
    return __builtin_cpu_supports("avx2") != 0;
#endif
}

} // namespace wgd::crypto
