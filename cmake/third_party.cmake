# SPDX-License-Identifier: Apache-2.0
#
# Where each library of others is found. All but ONNX Runtime are Debian 12 packages (THIRD_PARTY.md lists them);
# ONNX Runtime gives its headers here and its shared library at run time. Folders name what they wrap in LINK.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(tomlplusplus REQUIRED)

# find_library and find_path for the libraries that bring no CMake package.
function(protean_system_library name header library)
  find_path(PROTEAN_${name}_INCLUDE ${header} REQUIRED)
  find_library(PROTEAN_${name}_LIBRARY ${library} REQUIRED)
  add_library(third_party::${name} INTERFACE IMPORTED)
  target_include_directories(third_party::${name} SYSTEM INTERFACE ${PROTEAN_${name}_INCLUDE})
  target_link_libraries(third_party::${name} INTERFACE ${PROTEAN_${name}_LIBRARY})
endfunction()

protean_system_library(nghttp2 nghttp2/nghttp2.h nghttp2)
protean_system_library(zstd zstd.h zstd)
protean_system_library(sqlite3 sqlite3.h sqlite3)
# C++ libraries that TensorFlow's, loaded at run time, has in a version of its own: static, and not to be found by it.
protean_system_library(protobuf google/protobuf/message.h libprotobuf.a)
target_link_options(third_party::protobuf INTERFACE LINKER:--exclude-libs,libprotobuf.a)
protean_system_library(snappy snappy.h libsnappy.a)
target_link_options(third_party::snappy INTERFACE LINKER:--exclude-libs,libsnappy.a)
if(PROTEAN_BACKEND_SCIKIT_LEARN)
  protean_system_library(libdeflate libdeflate.h deflate)
  protean_system_library(bzip2 bzlib.h bz2)
  protean_system_library(lzma lzma.h lzma)
endif()

if(PROTEAN_BACKEND_MLFLOW)
  protean_system_library(yaml yaml.h yaml)
endif()

if(PROTEAN_BACKEND_ONNXRUNTIME)
  if(NOT EXISTS "${PROTEAN_ONNXRUNTIME_DIR}/include/onnxruntime_c_api.h")
    message(FATAL_ERROR "no ONNX Runtime headers in ${PROTEAN_ONNXRUNTIME_DIR}/include: run ./dev setup, "
                        "or set PROTEAN_ONNXRUNTIME_DIR, or PROTEAN_BACKEND_ONNXRUNTIME=OFF")
  endif()
  add_library(third_party::onnxruntime_headers INTERFACE IMPORTED)
  target_include_directories(third_party::onnxruntime_headers SYSTEM INTERFACE "${PROTEAN_ONNXRUNTIME_DIR}/include")
  # The server looks for lib/ beside its own executable first.
  file(COPY "${PROTEAN_ONNXRUNTIME_DIR}/lib/" DESTINATION "${CMAKE_BINARY_DIR}/lib")
endif()

if(PROTEAN_MIMALLOC)
  find_package(mimalloc 2.0 REQUIRED)
endif()
if(PROTEAN_TESTS)
  find_package(GTest REQUIRED)
endif()
