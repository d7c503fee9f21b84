# Least rights, asked of the program itself.  What a sanitized build cannot give
# up (src/sys/confine.c) the release build of the gate is asked for.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

if(TARGET lyncaudit)
  # The program, with a look around before it loads rules, site and captures.
  add_executable(test_confined ${CMAKE_CURRENT_LIST_DIR}/look_around.c ${CLI_SOURCES})
  target_link_libraries(test_confined PRIVATE liblyncaudit lyncaudit_flags m)
  target_link_options(test_confined PRIVATE -Wl,--wrap=lya_rules_load -Wl,--wrap=lya_capture_open
    -Wl,--wrap=lya_store_open)
  # Beside the program, so that it finds the rule set where that does.
  set_target_properties(test_confined PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  add_test(NAME cli.confined COMMAND Python3::Interpreter
    ${CMAKE_CURRENT_LIST_DIR}/test_confined.py $<TARGET_FILE:test_confined> ${PROJECT_SOURCE_DIR})
  add_test(NAME cli.use COMMAND Python3::Interpreter
    ${CMAKE_CURRENT_LIST_DIR}/test_use.py $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR})
  set_tests_properties(cli.confined cli.use PROPERTIES LABELS cli TIMEOUT 300
    ENVIRONMENT
    "LYNCAUDIT_SANITIZED=$<BOOL:${LYNCAUDIT_SANITIZE}>;MAKE_STATE=$<TARGET_FILE:make_state>")
endif()
