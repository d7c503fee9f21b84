# What must hold of every input: asked of the program, over the shipped captures.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

if(TARGET lyncaudit)
  foreach(part cut split threads)
    add_test(NAME property.${part} COMMAND Python3::Interpreter
      ${CMAKE_CURRENT_LIST_DIR}/test_${part}.py $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR})
    set_tests_properties(property.${part} PROPERTIES LABELS property TIMEOUT 900)
  endforeach()
endif()
