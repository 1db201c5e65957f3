# SPDX-License-Identifier: Apache-2.0
#
# One folder of src/ is one static library and one test program; new files are picked up by name.
#
#   protean_folder(NAME [RECURSE] [PRECOMPILE header...] [LINK target...])
#     library  protean_NAME, made of *.cc without *_test.cc, *_test_support.cc and main.cc
#     tests    NAME_test, made of *_test.cc and *_test_support.cc; registered with ctest under that name
#     RECURSE  subfolders belong to the same library
#     LINK     what the folder may include: our libraries and the third-party ones that it wraps
#   Tests find the repository's root in PROTEAN_SOURCE_DIR (a string literal).
function(protean_folder name)
  cmake_parse_arguments(arg "RECURSE" "" "LINK;PRECOMPILE" ${ARGN})
  set(glob GLOB)
  if(arg_RECURSE)
    set(glob GLOB_RECURSE)
  endif()
  file(${glob} sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test(_support)?\\.cc$|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test(_support)?\\.cc$")

  set(library protean_${name})
  if(sources)
    add_library(${library} STATIC ${sources})
    target_include_directories(${library} PUBLIC "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(${library} PUBLIC ${arg_LINK} Threads::Threads PRIVATE protean_options)
    if(arg_PRECOMPILE)
      target_precompile_headers(${library} PRIVATE ${arg_PRECOMPILE})
    endif()
  else()
    add_library(${library} INTERFACE)
    target_include_directories(${library} INTERFACE "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(${library} INTERFACE ${arg_LINK} Threads::Threads)
  endif()

  if(PROTEAN_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_compile_definitions(${name}_test PRIVATE PROTEAN_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${name}_test PRIVATE ${library} protean_options GTest::gmock GTest::gtest_main)
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    add_test(NAME ${name}_test COMMAND ${name}_test)
    set_tests_properties(${name}_test PROPERTIES TIMEOUT 300)
  endif()
endfunction()
