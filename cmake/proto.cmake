# SPDX-License-Identifier: Apache-2.0
#
# Generates C++ messages for proto/**/*.proto (plain protobuf; the gRPC layer is our own) into the build tree, as the
# library protean_proto. A file proto/x.proto is included as "proto/x.pb.h".
file(GLOB_RECURSE proto_files CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/proto" "${CMAKE_SOURCE_DIR}/proto/*.proto")
set(generated "${CMAKE_BINARY_DIR}/generated")

if(NOT proto_files)
  add_library(protean_proto INTERFACE)
  return()
endif()

set(proto_sources "")
file(MAKE_DIRECTORY "${generated}/proto")
foreach(proto IN LISTS proto_files)
  string(REGEX REPLACE "\\.proto$" "" stem "${proto}")
  add_custom_command(
    OUTPUT "${generated}/proto/${stem}.pb.cc" "${generated}/proto/${stem}.pb.h"
    COMMAND protobuf::protoc --cpp_out=${generated}/proto -I "${CMAKE_SOURCE_DIR}/proto" "${proto}"
    DEPENDS "${CMAKE_SOURCE_DIR}/proto/${proto}"
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}/proto"
    COMMENT "protoc ${proto}" VERBATIM)
  list(APPEND proto_sources "${generated}/proto/${stem}.pb.cc" "${generated}/proto/${stem}.pb.h")
endforeach()

add_library(protean_proto STATIC ${proto_sources})
target_compile_options(protean_proto PRIVATE -w)
# Both roots: generated files include each other without the folder's name, ours with it.
target_include_directories(protean_proto SYSTEM PUBLIC "${generated}" "${generated}/proto")
target_link_libraries(protean_proto PUBLIC third_party::protobuf ZLIB::ZLIB Threads::Threads)
