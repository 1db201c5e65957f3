// SPDX-License-Identifier: Apache-2.0
// `"records": [{"age": 41, "city": "Oslo"}, ...]`: a table row by row, as most programs have it, instead of `inputs`.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/inference.h"
#include "protocols/open_inference/json_members.h"

namespace protean {

/// Appends one input [rows] for each name that a record has: INT64 when all its values are whole numbers, else FP64,
/// BOOL or BYTES, marked untyped. null, NaN and members that a record leaves out are its nulls.
/// `member`: what the list is called, for messages.
/// Errors: kInvalidArgument `records[1].age: ...` for a value that is no number, text, true, false or null, for a
/// column of texts and numbers, for more than limits.tensors_max columns, and for records so sparse that the table
/// would have more places than the body has bytes.
[[nodiscard]] Status read_json_records(Members& members, simdjson::ondemand::value value, std::string_view member,
                                       std::vector<InferInput>& inputs);

}  // namespace protean
