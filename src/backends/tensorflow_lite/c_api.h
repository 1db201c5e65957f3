// SPDX-License-Identifier: Apache-2.0
// The functions of TensorFlow Lite's C interface that are used here, declared by us: the library is found at run time.
// Source: the documentation of TensorFlow Lite's C API (tensorflow/lite/c), unchanged since version 2.4.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace protean {

struct LiteModelHandle;
struct LiteOptions;
struct LiteInterpreter;
struct LiteTensor;

/// real = scale * (number - zero_point); scale 0: the tensor is not quantised, or not as a whole.
struct LiteQuantization {
  float scale;
  std::int32_t zero_point;
};

/// By their names without `TfLite`. Statuses are 0 when all is well. A model may be used from any thread, an
/// interpreter from one at a time.
struct LiteApi {
  const char* (*version)() = nullptr;
  LiteModelHandle* (*model_create)(const void* data, std::size_t size) = nullptr;
  void (*model_delete)(LiteModelHandle*) = nullptr;
  LiteOptions* (*options_create)() = nullptr;
  void (*options_delete)(LiteOptions*) = nullptr;
  void (*options_set_num_threads)(LiteOptions*, std::int32_t) = nullptr;
  void (*options_set_error_reporter)(LiteOptions*, void (*report)(void* user, const char* format, va_list values),
                                     void* user) = nullptr;
  LiteInterpreter* (*interpreter_create)(const LiteModelHandle*, const LiteOptions*) = nullptr;
  void (*interpreter_delete)(LiteInterpreter*) = nullptr;
  std::int32_t (*input_count)(const LiteInterpreter*) = nullptr;
  LiteTensor* (*input)(const LiteInterpreter*, std::int32_t) = nullptr;
  int (*resize_input)(LiteInterpreter*, std::int32_t index, const int* dims, std::int32_t dim_count) = nullptr;
  int (*allocate_tensors)(LiteInterpreter*) = nullptr;
  int (*invoke)(LiteInterpreter*) = nullptr;
  std::int32_t (*output_count)(const LiteInterpreter*) = nullptr;
  const LiteTensor* (*output)(const LiteInterpreter*, std::int32_t) = nullptr;
  int (*tensor_type)(const LiteTensor*) = nullptr;
  std::int32_t (*tensor_num_dims)(const LiteTensor*) = nullptr;
  std::int32_t (*tensor_dim)(const LiteTensor*, std::int32_t) = nullptr;
  std::size_t (*tensor_byte_size)(const LiteTensor*) = nullptr;
  void* (*tensor_data)(const LiteTensor*) = nullptr;
  LiteQuantization (*tensor_quantization)(const LiteTensor*) = nullptr;
  int (*copy_from_buffer)(LiteTensor*, const void* data, std::size_t size) = nullptr;
};

}  // namespace protean
