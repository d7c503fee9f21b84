# The service in a network namespace of the test's own.  Without root they are left out, and
# say so.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

if(TARGET lyncaudit)
  add_executable(live_send ${CMAKE_CURRENT_LIST_DIR}/send.c)
  target_link_libraries(live_send PRIVATE lyncaudit_flags)
  foreach(part watch keep follow flows evidence links outlets screen)
    add_test(NAME live.${part} COMMAND Python3::Interpreter
      ${CMAKE_CURRENT_LIST_DIR}/test_${part}.py $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR}
      $<TARGET_FILE:live_send>)
    set_tests_properties(live.${part} PROPERTIES LABELS live TIMEOUT 300 SKIP_RETURN_CODE 77
      ENVIRONMENT "LYNCAUDIT_SANITIZED=$<BOOL:${LYNCAUDIT_SANITIZE}>")
  endforeach()
  # A short one; scripts/check-long has an hour.
  add_test(NAME live.soak COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/soak.py
    $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR} $<TARGET_FILE:live_send> 75)
  set_tests_properties(live.soak PROPERTIES LABELS live TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "LYNCAUDIT_SANITIZED=$<BOOL:${LYNCAUDIT_SANITIZE}>")
endif()
