# Floods at a small size; scripts/check-long has them at full size.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

if(TARGET lyncaudit)
  add_executable(test_flood ${CMAKE_CURRENT_LIST_DIR}/flood.c)
  target_link_libraries(test_flood PRIVATE lyncaudit_flags)
  foreach(flood syn scan fragments sources)
    add_test(NAME flood.${flood} COMMAND_EXPAND_LISTS COMMAND Python3::Interpreter
      ${CMAKE_CURRENT_LIST_DIR}/test_flood.py $<TARGET_FILE:lyncaudit> $<TARGET_FILE:test_flood>
      ${PROJECT_SOURCE_DIR} --flood ${flood} $<$<BOOL:${LYNCAUDIT_SANITIZE}>:--no-memory>)
    set_tests_properties(flood.${flood} PROPERTIES LABELS "property;flood" TIMEOUT 300)
  endforeach()
endif()
