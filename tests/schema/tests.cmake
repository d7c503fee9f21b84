# Everything that the program writes and every example that it ships, against docs/schema.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_executable(write_samples ${CMAKE_CURRENT_LIST_DIR}/write_samples.c)
target_link_libraries(write_samples PRIVATE liblyncaudit lyncaudit_flags)
target_compile_definitions(write_samples PRIVATE TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

add_test(NAME schema.samples COMMAND Python3::Interpreter
  ${CMAKE_CURRENT_LIST_DIR}/validate.py ${PROJECT_SOURCE_DIR} $<TARGET_FILE:write_samples>
  $<TARGET_FILE:make_state>)
set_tests_properties(schema.samples PROPERTIES LABELS unit TIMEOUT 120)
