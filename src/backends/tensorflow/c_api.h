// SPDX-License-Identifier: Apache-2.0
// The few functions and structures of TensorFlow's C interface that are used here, declared by us: the library is found
// at run time, and building the server needs none of its headers.
// Source: the documentation of TensorFlow's C API (tensorflow/c), unchanged since version 2.4.
#pragma once

#include <cstddef>
#include <cstdint>

namespace protean {

struct TfStatus;
struct TfTensor;
struct TfGraph;
struct TfSession;
struct TfSessionOptions;
struct TfOperation;

/// Serialised messages, in and out.
struct TfBuffer {
  const void* data;
  std::size_t length;
  void (*deallocate)(void* data, std::size_t length);
};

/// One output of an operation of a graph.
struct TfOutput {
  TfOperation* operation = nullptr;
  int index = 0;
};

/// One element of a string tensor: opaque, handled by the functions below.
struct TfString {
  alignas(8) unsigned char bytes[24];
};
static_assert(sizeof(TfString) == 24, "elements of string tensors are 24 bytes");

/// The library's functions, by their names without `TF_`. Constant after loading; all are safe to call from any thread,
/// each object from one at a time, but for sessions, which many may run.
struct TensorflowApi {
  const char* (*version)() = nullptr;

  TfStatus* (*new_status)() = nullptr;
  void (*delete_status)(TfStatus*) = nullptr;
  int (*get_code)(const TfStatus*) = nullptr;
  const char* (*message)(const TfStatus*) = nullptr;

  TfSessionOptions* (*new_session_options)() = nullptr;
  void (*set_config)(TfSessionOptions*, const void* proto, std::size_t length, TfStatus*) = nullptr;
  void (*delete_session_options)(TfSessionOptions*) = nullptr;

  TfGraph* (*new_graph)() = nullptr;
  void (*delete_graph)(TfGraph*) = nullptr;
  TfOperation* (*graph_operation_by_name)(TfGraph*, const char* name) = nullptr;
  int (*operation_num_outputs)(TfOperation*) = nullptr;
  int (*operation_output_type)(TfOutput) = nullptr;

  TfSession* (*load_session_from_saved_model)(const TfSessionOptions*, const TfBuffer* run_options, const char* folder,
                                              const char* const* tags, int tag_count, TfGraph*, TfBuffer* meta_graph,
                                              TfStatus*) = nullptr;
  void (*close_session)(TfSession*, TfStatus*) = nullptr;
  void (*delete_session)(TfSession*, TfStatus*) = nullptr;
  void (*session_run)(TfSession*, const TfBuffer* run_options, const TfOutput* inputs, TfTensor* const* input_values,
                      int input_count, const TfOutput* outputs, TfTensor** output_values, int output_count,
                      const TfOperation* const* targets, int target_count, TfBuffer* run_metadata, TfStatus*) = nullptr;

  TfTensor* (*new_tensor)(int type, const std::int64_t* dims, int dim_count, void* data, std::size_t length,
                          void (*deallocate)(void* data, std::size_t length, void* argument), void* argument) = nullptr;
  void (*delete_tensor)(TfTensor*) = nullptr;
  int (*tensor_type)(const TfTensor*) = nullptr;
  int (*num_dims)(const TfTensor*) = nullptr;
  std::int64_t (*dim)(const TfTensor*, int) = nullptr;
  std::size_t (*tensor_byte_size)(const TfTensor*) = nullptr;
  void* (*tensor_data)(const TfTensor*) = nullptr;

  void (*string_init)(TfString*) = nullptr;
  void (*string_copy)(TfString*, const char* text, std::size_t size) = nullptr;
  const char* (*string_get_data_pointer)(const TfString*) = nullptr;
  std::size_t (*string_get_size)(const TfString*) = nullptr;
  void (*string_dealloc)(TfString*) = nullptr;
};

}  // namespace protean
