// SPDX-License-Identifier: MIT
// What this CPU can do, as far as code of ours depends on it.
#pragma once

namespace wgd::crypto {

[[nodiscard]] bool cpu_has_avx2(); // and the operating system saves its registers

} // namespace wgd::crypto
