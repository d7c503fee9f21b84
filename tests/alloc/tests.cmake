# Allocation failure: the program's own files are linked in, so that its own way
# through the library is what is tested.
file(GLOB ALLOC_CLI CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
list(FILTER ALLOC_CLI EXCLUDE REGEX "/main\\.c$")
add_executable(test_alloc ${CMAKE_CURRENT_LIST_DIR}/test_alloc.c ${ALLOC_CLI})
target_link_libraries(test_alloc PRIVATE liblyncaudit lyncaudit_flags PkgConfig::CMOCKA m)
target_compile_definitions(test_alloc PRIVATE TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
add_test(NAME alloc COMMAND test_alloc)
set_tests_properties(alloc PROPERTIES LABELS unit TIMEOUT 600)
