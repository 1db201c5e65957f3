// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of tree files share: bytes to a model, and the model asked for everything.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "backends/trees/tree_file.h"
#include "backends/trees/tree_model.h"
#include "base/check.h"

namespace protean::fuzz {

/// Inputs of two rows: zeros and missing values; texts are empty.
inline std::vector<Tensor> make_rows(const Signature& signature) {
  std::vector<Tensor> inputs;
  for (const auto& spec : signature.inputs) {
    Shape shape = spec.shape;
    shape[0] = 2;
    Buffer bytes;
    if (spec.type == DataType::kBytes) {
      append_bytes_element(bytes, "");
      append_bytes_element(bytes, "a");
    } else {
      const auto count = *element_count(shape);
      for (std::size_t i = 0; i < count; ++i) {
        const double x = i % 2 == 0 ? 0.0 : std::numeric_limits<double>::quiet_NaN();
        const auto single = static_cast<float>(x);
        spec.type == DataType::kFp64 ? bytes.append(&x, sizeof x) : bytes.append(&single, sizeof single);
      }
    }
    inputs.push_back({spec.type, shape, std::move(bytes).share()});
  }
  return inputs;
}

/// Whatever the bytes are, they are refused with a reason or are a model that answers what it declares.
inline int try_tree_file(TreeFormat format, const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(recognise_tree_file(bytes.substr(0, kTreeHeadBytes), bytes));
  auto spec = read_tree_file(format, bytes);
  if (!spec) {
    PROTEAN_CHECK(!spec.error().message.empty());
    return 0;
  }
  constexpr std::uint32_t kFeaturesMax = 4096;  // more make a run slow and nothing new
  if (spec->ensemble.features > kFeaturesMax || spec->ensemble.outputs > kFeaturesMax) return 0;
  auto model = TreeModel::make(*std::move(spec));
  if (!model || (*model)->signature().inputs.empty()) return 0;
  const auto rows = make_rows((*model)->signature());
  std::vector<const Tensor*> inputs;
  for (const auto& row : rows) inputs.push_back(&row);
  std::vector<std::size_t> outputs((*model)->signature().outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = i;
  const auto answers = (*model)->run({inputs, outputs, {}});
  PROTEAN_CHECK(answers.has_value());
  for (const auto& answer : *answers) PROTEAN_CHECK(*byte_count(answer.type, answer.shape) == answer.data.size());
  static_cast<void>((*model)->explain({inputs, {}, {}, inputs}));
  return 0;
}

}  // namespace protean::fuzz
