# The program as its users meet it: options, messages, exit statuses, files.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

if(TARGET lyncaudit)
  foreach(part commands input output site)
    add_test(NAME cli.${part} COMMAND Python3::Interpreter
      ${CMAKE_CURRENT_LIST_DIR}/test_${part}.py $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR})
    set_tests_properties(cli.${part} PROPERTIES LABELS cli TIMEOUT 300)
  endforeach()
endif()
