// SPDX-License-Identifier: Apache-2.0
// Tables in predict requests: where the model takes named columns, an object's members are these columns, of whatever
// type the values have; core/table.h brings them into the form of the model's inputs. TensorFlow Serving knows no such
// models, so that the rules are ours.
#pragma once

#include "core/inference.h"
#include "core/model.h"
#include "protocols/tensorflow_serving/json_value.h"

namespace protean::tfserving {

/// Whether `row`, the first of `instances`, is a record of columns.
[[nodiscard]] bool is_table_row(const JsonValue& row, const Signature& signature);
/// Whether `inputs` is an object of columns.
[[nodiscard]] bool is_table(const JsonValue& inputs, const Signature& signature);

/// One input [rows] for each column met; null, or no member, is a missing value.
/// Errors: kInvalidArgument for values of different types in a column, and for what is neither text, number nor truth.
[[nodiscard]] Status read_table_rows(const JsonValue& list, InferRequest& request);
/// The same from lists of values, or single ones.
[[nodiscard]] Status read_table(const JsonValue& inputs, InferRequest& request);

}  // namespace protean::tfserving
