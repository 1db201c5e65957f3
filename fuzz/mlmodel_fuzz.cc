// SPDX-License-Identifier: Apache-2.0
// The MLmodel file, its signature over a model's, and the input example.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backends/mlflow/input_example.h"
#include "backends/mlflow/ml_model_file.h"
#include "backends/mlflow/table_form.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  protean::Signature model;
  model.inputs = {{"x", protean::DataType::kFp32, {-1, -1}, {}}};
  const auto file = protean::parse_ml_model(text);
  if (file) {
    const auto signature = protean::with_schema(model, file->schema);
    if (signature) (void)protean::example_request(text, file->example_type, *signature);
  }
  (void)protean::example_request(text, "ndarray", model);
  return 0;
}
