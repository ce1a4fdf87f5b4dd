# Compiler settings that every target shares.
add_library(wgd_options INTERFACE)
target_compile_features(wgd_options INTERFACE cxx_std_20)
target_compile_options(wgd_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Wundef -Wunused -Woverloaded-virtual
  -Wno-missing-field-initializers
  $<$<BOOL:${WGD_WERROR}>:-Werror>
  -fno-omit-frame-pointer -fstack-protector-strong -fvisibility=hidden -fPIE)
target_compile_definitions(wgd_options INTERFACE
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2> WGD_VERSION="${PROJECT_VERSION}")
target_link_options(wgd_options INTERFACE $<IF:$<BOOL:$<TARGET_PROPERTY:WGD_STATIC>>,-static-pie,-pie> -Wl,-z,relro,-z,now)

set(WGD_SANITIZE "" CACHE STRING "Sanitizers for the whole build, as -fsanitize= takes them (address,undefined or thread)")
if(WGD_SANITIZE)
  target_compile_options(wgd_options INTERFACE -fsanitize=${WGD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(wgd_options INTERFACE -fsanitize=${WGD_SANITIZE})
endif()

# Test programs are compiled once and run for seconds: what they test is optimised, they are not (in a release build, where
# it takes a third off their compilation).
add_library(wgd_test_options INTERFACE)
target_compile_options(wgd_test_options INTERFACE $<$<CONFIG:Release>:-O0>)
