# Fuzz targets. A target is one source with LLVMFuzzerTestOneInput, written for libFuzzer, and used twice:
#   * always: NAME_corpus, a test that runs the target over its corpus and over truncations and mutations of it
#     that are the same every time (tests/fuzz/corpus_driver.cpp). Needs no clang.
#   * with WGD_FUZZ (preset fuzz, clang): NAME, the libFuzzer program. tests/fuzz/run drives it.
#
#   wgd_fuzz(NAME fuzz_profile SOURCES profile.cpp USES wgd_config CORPUS corpus/profile)
#
# CORPUS directories are relative to the caller's directory. Call it from tests/fuzz/ROOM/CMakeLists.txt.
if(WGD_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "WGD_FUZZ needs clang: use the preset fuzz")
  endif()
  target_compile_options(wgd_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(wgd_fuzz)
  cmake_parse_arguments(FUZZ "" "NAME" "SOURCES;USES;CORPUS" ${ARGN})
  set(corpus "")
  foreach(dir ${FUZZ_CORPUS})
    get_filename_component(dir ${dir} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    list(APPEND corpus ${dir})
  endforeach()

  add_executable(${FUZZ_NAME}_corpus ${FUZZ_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus_driver.cpp)
  target_link_libraries(${FUZZ_NAME}_corpus PRIVATE wgd_options ${FUZZ_USES})
  target_include_directories(${FUZZ_NAME}_corpus PRIVATE ${PROJECT_SOURCE_DIR})
  set_target_properties(${FUZZ_NAME}_corpus PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${FUZZ_NAME}_corpus COMMAND ${FUZZ_NAME}_corpus ${corpus})
  set_tests_properties(${FUZZ_NAME}_corpus PROPERTIES LABELS "unit;fuzz" TIMEOUT 120)

  if(WGD_FUZZ)
    add_executable(${FUZZ_NAME} ${FUZZ_SOURCES})
    target_link_libraries(${FUZZ_NAME} PRIVATE wgd_options ${FUZZ_USES})
    target_link_options(${FUZZ_NAME} PRIVATE -fsanitize=fuzzer)
    target_include_directories(${FUZZ_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
    set_target_properties(${FUZZ_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    # For tests/fuzz/run: which corpora belong to which program.
    string(REPLACE ";" "\n" corpus_lines "${corpus}")
    file(WRITE ${PROJECT_BINARY_DIR}/fuzz/${FUZZ_NAME}.corpora "${corpus_lines}\n")
  endif()
endfunction()
