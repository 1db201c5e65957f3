// SPDX-License-Identifier: Apache-2.0
// Elements are looked up in the tensors; only the inputs of a run are copied together.
#include "explain/feature_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace protean {
namespace {

std::string feature_name(const Signature& signature, std::size_t input, std::size_t column, std::size_t columns) {
  const bool matrix = signature.inputs.size() == 1 && signature.columns.size() == columns;
  if (matrix) return signature.columns[column].name;
  const std::string& name = signature.inputs[input].name;
  return columns == 1 ? name : fmt::format("{}[{}]", name, column);
}

bool has(std::span<const std::uint64_t> mask, std::size_t feature) noexcept {
  return (mask[feature / 64] >> (feature % 64) & 1) != 0;
}

}  // namespace

Result<FeatureTable> FeatureTable::make(std::span<const Tensor* const> inputs, const Signature& signature) {
  FeatureTable table;
  bool first = true;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Input& input = table.inputs_.emplace_back();
    if (inputs[i] == nullptr) continue;
    const Shape& shape = inputs[i]->shape;
    const std::string& name = signature.inputs[i].name;
    if (shape.empty() || shape.size() > 2) {
      return fail(Code::kInvalidArgument,
                  fmt::format("input '{}': shape {}, expected [-1] or [-1,-1]: only tables are explained", name,
                              format_shape(shape)));
    }
    const auto rows = static_cast<std::size_t>(shape[0]);
    if (!first && rows != table.rows_) {
      return fail(Code::kInvalidArgument, fmt::format("input '{}': {} rows, expected {}", name, rows, table.rows_));
    }
    first = false;
    table.rows_ = rows;
    input.tensor = inputs[i];
    input.columns = shape.size() == 1 ? 1 : static_cast<std::size_t>(shape[1]);
    if (input.tensor->type == DataType::kBytes) {
      for (BytesReader texts(input.tensor->data.bytes); !texts.done();) input.texts.push_back(texts.next());
    }
    for (std::size_t column = 0; column < input.columns; ++column) {
      table.features_.push_back({i, column});
      table.names_.push_back(feature_name(signature, i, column, input.columns));
    }
  }
  if (table.rows_ == 0 || table.features_.empty()) {
    return fail(Code::kInvalidArgument, "expected at least one row with one feature");
  }
  return table;
}

std::size_t FeatureTable::row_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Input& input : inputs_) bytes += input.tensor == nullptr ? 0 : input.tensor->data.size();
  return bytes / rows_ + 1;
}

std::string_view FeatureTable::value(std::size_t row, std::size_t feature) const noexcept {
  const auto [index, column] = features_[feature];
  const Input& input = inputs_[index];
  const std::size_t at = row * input.columns + column;
  if (input.tensor->type == DataType::kBytes) return input.texts[at];
  const std::size_t size = element_size(input.tensor->type);
  return input.tensor->data.text().substr(at * size, size);
}

bool FeatureTable::same_form(const FeatureTable& other) const noexcept {
  return std::ranges::equal(inputs_, other.inputs_, [](const Input& a, const Input& b) {
    if ((a.tensor == nullptr) != (b.tensor == nullptr)) return false;
    return a.columns == b.columns && (a.tensor == nullptr || a.tensor->type == b.tensor->type);
  });
}

std::vector<Tensor> FeatureTable::mix(std::size_t row, const FeatureTable& background,
                                      std::span<const Mixture> mixtures) const {
  std::vector<Tensor> tensors(inputs_.size());
  std::size_t first_feature = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    if (input.tensor == nullptr) continue;
    Buffer data;
    const bool texts = input.tensor->type == DataType::kBytes;
    if (!texts) data.reserve(mixtures.size() * input.columns * element_size(input.tensor->type));
    for (const Mixture& mixture : mixtures) {
      for (std::size_t column = 0; column < input.columns; ++column) {
        const std::size_t feature = first_feature + column;
        const std::string_view bytes =
            has(mixture.mask, feature) ? value(row, feature) : background.value(mixture.background_row, feature);
        texts ? append_bytes_element(data, bytes) : data.append(bytes);
      }
    }
    Shape shape = input.tensor->shape;
    shape[0] = static_cast<std::int64_t>(mixtures.size());
    tensors[i] = {input.tensor->type, std::move(shape), std::move(data).share()};
    first_feature += input.columns;
  }
  return tensors;
}

std::vector<const Tensor*> FeatureTable::pointers(const std::vector<Tensor>& tensors) const {
  std::vector<const Tensor*> all;
  for (std::size_t i = 0; i < tensors.size(); ++i) all.push_back(inputs_[i].tensor == nullptr ? nullptr : &tensors[i]);
  return all;
}

}  // namespace protean
