# Units, asked of systemd's own tools, which work where systemd does not run.
if(TARGET lyncaudit)
  add_test(NAME lint.units COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/units.sh
    ${PROJECT_SOURCE_DIR}/packaging $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR}/docs/man)
  set_tests_properties(lint.units PROPERTIES LABELS lint TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()
