// SPDX-License-Identifier: Apache-2.0
// Tables as people have them, brought into the form a model takes: columns by name in any order, texts for
// categories, missing values. Every protocol's requests pass through here, so that it is done once.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean {

/// Replaces the inputs of a request for a model with columns by those of `signature.inputs`.
/// Taken are the model's own inputs, or one tensor [-1] or [-1,1] a column, by name, in any order. Numbers become the
/// nearest value of the model's type where that is a float, and must fit exactly where it is not; texts of a column
/// with categories become their positions; null and NaN become NaN where the column is nullable. A nullable column
/// that is not required may be left out: it is missing in every row.
/// Requires a signature with columns. What this leaves as it is, check_request() judges.
/// Errors: kInvalidArgument naming the column and, where it is about a value, the row; kResourceExhausted for a table
/// of more than 1 GiB.  Thread-safe, as all functions here.
[[nodiscard]] Status map_table(InferRequest& request, const Signature& signature);

/// That no input of a model without columns has a null where its type has no NaN.
/// Errors: kInvalidArgument.
[[nodiscard]] Status refuse_nulls(const InferRequest& request);

/// One of the two above, as the signature asks.
[[nodiscard]] Status prepare_inputs(InferRequest& request, const Signature& signature);

/// What the operator says about a column, beside the model.
struct ColumnConfig {
  std::string name;
  std::optional<DataType> type = {};
  std::optional<bool> nullable = {};
  std::optional<bool> required = {};
  std::optional<std::vector<std::string>> categories = {};
  std::optional<bool> unknown_is_missing = {};
  friend bool operator==(const ColumnConfig&, const ColumnConfig&) = default;
};

/// Changes the columns named. As many entries as the model has columns, with none of their names, rename them in
/// order; a model without columns whose input is a matrix of so many gets them.
/// Errors: kInvalidArgument naming the entry that fits nothing.
[[nodiscard]] Result<Signature> with_columns(Signature signature, std::span<const ColumnConfig> entries);

/// `FP32`, `FP32 or null` when nullable, `BYTES of 'red', 'green'...`: for people.
[[nodiscard]] std::string describe_column(const Column& column);

}  // namespace protean
