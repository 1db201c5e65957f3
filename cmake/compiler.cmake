# SPDX-License-Identifier: Apache-2.0
#
# Language level, warnings, sanitizers, hardening, linker and compiler cache: everything that applies to every
# target of ours alike. `protean_options` carries what generated code must not get (the warnings).
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug CACHE STRING "" FORCE)
endif()

# Paths in the binary are relative to the repository, so builds in two places are the same build.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

find_program(PROTEAN_CCACHE ccache)
if(PROTEAN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # pch_defines, time_macros: what ccache asks for so that precompiled headers are cached too.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
               ${PROTEAN_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(PROTEAN_MOLD mold)
if(PROTEAN_MOLD AND NOT PROTEAN_LTO)
  add_link_options(-fuse-ld=mold)
endif()

add_library(protean_options INTERFACE)
target_compile_options(protean_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wcast-qual -Wformat=2
  -Wimplicit-fallthrough -Wextra-semi -Wunused -Wundef -Wconversion -Wno-sign-conversion
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(PROTEAN_WERROR)
  target_compile_options(protean_options INTERFACE -Werror)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of g++ 12 inside optimised library templates; clang checks the same rules in the fuzz build.
  add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict
                      -Wno-dangling-pointer -Wno-stringop-overread)
endif()

if(PROTEAN_SANITIZE)
  add_compile_options(-fsanitize=${PROTEAN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PROTEAN_SANITIZE} -fno-sanitize-recover=all)
endif()
if(PROTEAN_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-tsan)
endif()
if(PROTEAN_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
if(PROTEAN_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

# A container checks its bounds in every configuration: what is sent to the server decides the index.
add_compile_definitions(_GLIBCXX_ASSERTIONS PROTEAN_VERSION="${PROJECT_VERSION}")
if(NOT PROTEAN_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fcf-protection)
  add_link_options(-Wl,-z,relro,-z,now -pie)
endif()
