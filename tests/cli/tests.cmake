# The program as its users meet it: options, messages, exit statuses, files.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_executable(make_state ${CMAKE_CURRENT_LIST_DIR}/make_state.c)
target_link_libraries(make_state PRIVATE liblyncaudit lyncaudit_flags PkgConfig::CMOCKA)
target_compile_definitions(make_state PRIVATE TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

if(TARGET lyncaudit)
  add_test(NAME cli.nights COMMAND Python3::Interpreter
    ${CMAKE_CURRENT_LIST_DIR}/test_nights.py $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR})
  set_tests_properties(cli.nights PROPERTIES LABELS cli TIMEOUT 300
    ENVIRONMENT MAKE_STATE=$<TARGET_FILE:make_state>)
  foreach(part commands input judged output site)
    add_test(NAME cli.${part} COMMAND Python3::Interpreter
      ${CMAKE_CURRENT_LIST_DIR}/test_${part}.py $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR})
    set_tests_properties(cli.${part} PROPERTIES LABELS cli TIMEOUT 300)
  endforeach()
endif()
