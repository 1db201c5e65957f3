// SPDX-License-Identifier: Apache-2.0
// The inputs of a model seen as a table of features: one a column of each input. Rows of two tables are mixed feature
// by feature into the inputs of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// Views into the tensors it was made from.
class FeatureTable {
 public:
  /// `inputs`: in the order of the signature, nullptr for an optional one left out; shapes [rows] or [rows, columns].
  /// Errors: kInvalidArgument for other shapes and for inputs with different numbers of rows.
  static Result<FeatureTable> make(std::span<const Tensor* const> inputs, const Signature& signature);

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t features() const noexcept { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// Bytes of one row's inputs, roughly.
  [[nodiscard]] std::size_t row_bytes() const noexcept;
  /// The bytes of one value.
  [[nodiscard]] std::string_view value(std::size_t row, std::size_t feature) const noexcept;
  /// Whether the other table has the same inputs and columns.
  [[nodiscard]] bool same_form(const FeatureTable& other) const noexcept;

  /// Where each row of a run comes from: bit i of `mask` set: feature i is `row`'s, else the background's row.
  struct Mixture {
    std::span<const std::uint64_t> mask;
    std::size_t background_row;
  };
  /// Inputs of a run of `mixtures.size()` rows, in the order of the signature, with nullopt's place empty (see
  /// pointers). Requires same_form(background).
  [[nodiscard]] std::vector<Tensor> mix(std::size_t row, const FeatureTable& background,
                                        std::span<const Mixture> mixtures) const;
  /// `tensors` of mix() as a model wants them.
  [[nodiscard]] std::vector<const Tensor*> pointers(const std::vector<Tensor>& tensors) const;

 private:
  struct Input {
    const Tensor* tensor = nullptr;  // nullptr: left out
    std::size_t columns = 0;
    std::vector<std::string_view> texts = {};  // elements of a BYTES tensor
  };
  struct Feature {
    std::size_t input;
    std::size_t column;
  };

  std::vector<Input> inputs_;
  std::vector<Feature> features_;
  std::vector<std::string> names_;
  std::size_t rows_ = 0;
};

}  // namespace protean
