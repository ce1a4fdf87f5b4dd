# Precompiled headers, for a build from nothing (scripts/test on a new machine): a third of a file's time is spent on
# headers that nearly every file includes. Off by default, so that a forgotten #include is an error in a developer's
# build, and because ccache serves files better one by one.
option(WGD_PRECOMPILE "Precompile the headers that nearly every file includes" OFF)

# Both are compiled once and reused by all targets with the same flags.
if(WGD_PRECOMPILE)
  # Read back from a precompiled header, std::string no longer counts as a system header, and g++ 12 sees ghosts in its
  # concatenation (GCC bug 105651). A build without precompiled headers has these warnings on.
  target_compile_options(wgd_options INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-maybe-uninitialized)
  file(WRITE ${PROJECT_BINARY_DIR}/precompiled.cpp "// Carries the precompiled headers; empty.\n")
  set(standard_headers <algorithm> <array> <chrono> <cstdint> <cstring> <functional> <map> <memory> <optional> <set>
    <string> <string_view> <utility> <variant> <vector>)
  add_library(wgd_precompiled OBJECT ${PROJECT_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(wgd_precompiled PRIVATE wgd_options fmt::fmt tl::expected)
  target_precompile_headers(wgd_precompiled PRIVATE ${standard_headers} <fmt/format.h> <tl/expected.hpp>)
  if(WGD_TESTS)
    add_library(wgd_precompiled_test OBJECT ${PROJECT_BINARY_DIR}/precompiled.cpp)
    target_link_libraries(wgd_precompiled_test PRIVATE wgd_options wgd_test_options fmt::fmt tl::expected Catch2::Catch2)
    target_precompile_headers(wgd_precompiled_test PRIVATE ${standard_headers} <sstream> <fmt/format.h> <tl/expected.hpp>
      <catch2/catch.hpp>)
  endif()
endif()

# wgd_precompile(TARGET [TEST])
function(wgd_precompile target)
  if(NOT WGD_PRECOMPILE)
    return()
  endif()
  if(ARGN STREQUAL "TEST")
    target_precompile_headers(${target} REUSE_FROM wgd_precompiled_test)
  else()
    target_precompile_headers(${target} REUSE_FROM wgd_precompiled)
  endif()
endfunction()
