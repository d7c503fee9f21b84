# The row walk: every documented row and its neighbours, judged without packets.
add_executable(test_rows ${CMAKE_CURRENT_LIST_DIR}/test_rows.c)
target_link_libraries(test_rows PRIVATE liblyncaudit lyncaudit_flags)
target_compile_definitions(test_rows PRIVATE TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
add_test(NAME rules.rows COMMAND test_rows)
set_tests_properties(rules.rows PROPERTIES LABELS unit TIMEOUT 120)
