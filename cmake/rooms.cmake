# One CMake target per room. The link list of a room is the whole of what it may use: this is the include rule of
# ARCHITECTURE.md in a form the linker enforces (tests/architecture checks the #include lines as well).
#
#   wgd_room(NAME wgd_plan SOURCES a.cpp b.cpp USES wgd_model wgd_config)
function(wgd_room)
  cmake_parse_arguments(ROOM "" "NAME" "SOURCES;USES;PRIVATE_USES" ${ARGN})
  if(ROOM_SOURCES)
    add_library(${ROOM_NAME} STATIC ${ROOM_SOURCES})
    target_link_libraries(${ROOM_NAME} PUBLIC wgd_options ${ROOM_USES} PRIVATE ${ROOM_PRIVATE_USES})
    target_include_directories(${ROOM_NAME} PUBLIC ${PROJECT_SOURCE_DIR})
    wgd_precompile(${ROOM_NAME})
  else()
    add_library(${ROOM_NAME} INTERFACE)
    target_link_libraries(${ROOM_NAME} INTERFACE wgd_options ${ROOM_USES})
    target_include_directories(${ROOM_NAME} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

# Programs: thin mains over rooms.
function(wgd_program)
  cmake_parse_arguments(PROG "" "NAME;DESTINATION" "SOURCES;USES" ${ARGN})
  add_executable(${PROG_NAME} ${PROG_SOURCES})
  target_link_libraries(${PROG_NAME} PRIVATE wgd_options ${PROG_USES})
  wgd_precompile(${PROG_NAME})
  target_include_directories(${PROG_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  set_target_properties(${PROG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS ${PROG_NAME} RUNTIME DESTINATION ${PROG_DESTINATION})
endfunction()

# A test's time limit; a sanitizer's build has five times as long.
function(wgd_time_limit VARIABLE SECONDS)
  if(WGD_SANITIZE)
    math(EXPR SECONDS "${SECONDS} * 5")
  endif()
  set(${VARIABLE} ${SECONDS} PARENT_SCOPE)
endfunction()

# A Catch2 test program, one ctest entry per program (labels: unit, or what LABELS says). With REQUIREMENT it says what it
# needs of the machine (tests/requirement) and is skipped elsewhere. ARGUMENTS: Catch2's, as which tests to run.
#   wgd_test(NAME config_test SOURCES ... USES wgd_config [LABELS unit] [TIMEOUT 120] [REQUIREMENT] [ARGUMENTS ...])
function(wgd_test)
  cmake_parse_arguments(TEST "REQUIREMENT" "NAME;TIMEOUT" "SOURCES;USES;LABELS;ARGUMENTS" ${ARGN})
  set(main Catch2::Catch2WithMain)
  if(TEST_REQUIREMENT)
    set(main wgd_test_requirement)
  endif()
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  if(NOT TEST_LABELS)
    set(TEST_LABELS unit)
  endif()
  add_executable(${TEST_NAME} ${TEST_SOURCES})
  target_link_libraries(${TEST_NAME} PRIVATE wgd_options wgd_test_options ${main} wgd_source_tree ${TEST_USES})
  wgd_precompile(${TEST_NAME} TEST)
  target_include_directories(${TEST_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  set_target_properties(${TEST_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${TEST_NAME} COMMAND ${TEST_NAME} ${TEST_ARGUMENTS})
  wgd_time_limit(limit ${TEST_TIMEOUT})
  set_tests_properties(${TEST_NAME} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT ${limit} SKIP_RETURN_CODE 77)
endfunction()

# A test that is a script driving the built programs (needs root; exits 77 when something is missing).
# It is run as `bash SCRIPT` with WGD_BUILD (build tree) and WGD_SOURCE set.
#   wgd_script_test(NAME netns_interop SCRIPT interop.sh LABELS netns [TIMEOUT 300])
function(wgd_script_test)
  cmake_parse_arguments(TEST "" "NAME;SCRIPT;TIMEOUT" "LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  wgd_time_limit(limit ${TEST_TIMEOUT})
  add_test(NAME ${TEST_NAME} COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/${TEST_SCRIPT})
  set_tests_properties(${TEST_NAME} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT ${limit}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "WGD_BUILD=${PROJECT_BINARY_DIR};WGD_SOURCE=${PROJECT_SOURCE_DIR}")
endfunction()
