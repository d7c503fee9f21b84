# What is checked without running the program.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME lint.layers
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/layers.py ${PROJECT_SOURCE_DIR})
find_program(MANDOC mandoc REQUIRED)
add_test(NAME lint.man COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/man.sh ${PROJECT_SOURCE_DIR})
add_test(NAME lint.scripts COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/scripts.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(lint.layers lint.man lint.scripts PROPERTIES LABELS lint)
