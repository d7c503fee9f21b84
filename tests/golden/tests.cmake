# Golden cases: the captures of the lab against what its script wrote down.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(GOLDEN ${CMAKE_CURRENT_SOURCE_DIR}/golden)

add_test(NAME golden.selftest COMMAND Python3::Interpreter ${GOLDEN}/selftest.py)
add_test(NAME golden.manifest COMMAND Python3::Interpreter ${GOLDEN}/manifest.py
  ${PROJECT_SOURCE_DIR})
set_tests_properties(golden.selftest golden.manifest PROPERTIES LABELS golden TIMEOUT 120)

if(TARGET lyncaudit)
  file(GLOB GOLDEN_CASES CONFIGURE_DEPENDS ${GOLDEN}/*/case.json)
  foreach(case ${GOLDEN_CASES})
    get_filename_component(folder ${case} DIRECTORY)
    get_filename_component(name ${folder} NAME)
    add_test(NAME golden.${name} COMMAND Python3::Interpreter ${GOLDEN}/compare.py
      $<TARGET_FILE:lyncaudit> ${folder}
      --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
    set_tests_properties(golden.${name} PROPERTIES LABELS golden TIMEOUT 120)
  endforeach()

  # What --evidence writes of each, against the captures.
  foreach(case ${GOLDEN_CASES})
    get_filename_component(folder ${case} DIRECTORY)
    get_filename_component(name ${folder} NAME)
    add_test(NAME golden.evidence.${name} COMMAND Python3::Interpreter ${GOLDEN}/evidence.py
      $<TARGET_FILE:lyncaudit> ${folder}
      --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
    set_tests_properties(golden.evidence.${name} PROPERTIES LABELS golden TIMEOUT 120)
  endforeach()
  foreach(name lab-violations lab-av-rewritten)
    add_test(NAME golden.evidence.carriers.${name} COMMAND Python3::Interpreter
      ${GOLDEN}/evidence.py $<TARGET_FILE:lyncaudit> ${GOLDEN}/${name}
      --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013 --carriers)
    set_tests_properties(golden.evidence.carriers.${name} PROPERTIES LABELS golden TIMEOUT 300)
  endforeach()

  # One capture with IPv6 and everything documented, one with every fault.
  foreach(name lab-rows lab-violations)
    add_test(NAME golden.carriers.${name} COMMAND Python3::Interpreter ${GOLDEN}/carriers.py
      $<TARGET_FILE:lyncaudit> ${GOLDEN}/${name}
      --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
    set_tests_properties(golden.carriers.${name} PROPERTIES LABELS golden TIMEOUT 300)
  endforeach()

  add_test(NAME golden.gateway COMMAND Python3::Interpreter ${GOLDEN}/gateway.py
    $<TARGET_FILE:lyncaudit> ${GOLDEN}/lab-day --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
  set_tests_properties(golden.gateway PROPERTIES LABELS golden TIMEOUT 120)

  foreach(name lab-av-kept lab-turn)
    add_test(NAME golden.private.${name} COMMAND Python3::Interpreter ${GOLDEN}/private.py
      $<TARGET_FILE:lyncaudit> ${GOLDEN}/${name}
      --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
    set_tests_properties(golden.private.${name} PROPERTIES LABELS golden TIMEOUT 120)
  endforeach()

  add_test(NAME golden.truncate COMMAND Python3::Interpreter ${GOLDEN}/truncate.py
    $<TARGET_FILE:lyncaudit> ${GOLDEN}/lab-midstream
    --rules ${PROJECT_SOURCE_DIR}/rules/lync-server-2013)
  set_tests_properties(golden.truncate PROPERTIES LABELS golden TIMEOUT 300)
endif()
