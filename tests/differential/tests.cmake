# Flows, bytes and applications against tshark, where it is installed; without it the tests say what
# they left out and count as skipped.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(DIFFERENTIAL ${CMAKE_CURRENT_LIST_DIR})

add_test(NAME differential.listed COMMAND Python3::Interpreter ${DIFFERENTIAL}/listed.py
  ${PROJECT_SOURCE_DIR})
set_tests_properties(differential.listed PROPERTIES LABELS differential TIMEOUT 60)

if(TARGET lyncaudit)
  file(GLOB OWN_CAPTURES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/pcaps/*.pcap
    ${PROJECT_SOURCE_DIR}/pcaps/*.pcapng)
  add_test(NAME differential.own COMMAND Python3::Interpreter ${DIFFERENTIAL}/compare.py
    ${OWN_CAPTURES} --program $<TARGET_FILE:lyncaudit> --slow 6)
  add_test(NAME differential.selftest COMMAND Python3::Interpreter ${DIFFERENTIAL}/selftest.py
    $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR}/pcaps/lab-midstream.pcap
    ${PROJECT_SOURCE_DIR}/pcaps/lab-violations.pcapng)
  add_test(NAME differential.applications COMMAND Python3::Interpreter
    ${DIFFERENTIAL}/applications.py ${OWN_CAPTURES} --program $<TARGET_FILE:lyncaudit> --slow 6)
  add_test(NAME differential.placed COMMAND Python3::Interpreter ${DIFFERENTIAL}/placed.py
    ${OWN_CAPTURES} --program $<TARGET_FILE:lyncaudit> --slow 6)
  set_tests_properties(differential.own differential.selftest differential.applications
    differential.placed PROPERTIES LABELS differential TIMEOUT 300 SKIP_RETURN_CODE 77)

  # The file of evidence, as tshark reads it; carried in every way that carriers.py knows.
  add_test(NAME differential.evidence COMMAND Python3::Interpreter ${DIFFERENTIAL}/evidence.py
    $<TARGET_FILE:lyncaudit> ${PROJECT_SOURCE_DIR})
  set_tests_properties(differential.evidence PROPERTIES LABELS differential TIMEOUT 300
    SKIP_RETURN_CODE 77)

  # Every tag and tunnel: one capture with every fault, one with IPv6.
  foreach(name lab-violations lab-snat)
    add_test(NAME differential.wrap.${name} COMMAND Python3::Interpreter
      ${PROJECT_SOURCE_DIR}/tests/golden/wrap.py $<TARGET_FILE:lyncaudit>
      ${PROJECT_SOURCE_DIR}/tests/golden/${name}
      --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
    set_tests_properties(differential.wrap.${name} PROPERTIES LABELS "differential;golden"
      TIMEOUT 300)
  endforeach()
endif()
