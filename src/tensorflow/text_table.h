// SPDX-License-Identifier: Apache-2.0
// Lookup tables that are filled from the lines of a text file: vocabularies, mostly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tensorflow/lookup_table.h"

namespace protean {

/// What of a line is the key and what the value: a column from 0 on, kLineNumber or kWholeLine.
/// `lines_max`: -1 for all; `offset`: what the first line's number is.
/// Source: the attributes of InitializeTableFromTextFileV2.
struct TextTableForm {
  static constexpr std::int64_t kLineNumber = -1;
  static constexpr std::int64_t kWholeLine = -2;
  std::int64_t key_index = kWholeLine;
  std::int64_t value_index = kLineNumber;
  std::int64_t lines_max = -1;
  std::int64_t offset = 0;
  char delimiter = '\t';
  tensorflow::DataType key_dtype = tensorflow::DT_STRING;
  tensorflow::DataType value_dtype = tensorflow::DT_INT64;
};

/// `where` names the file in messages.
/// Errors: kInvalidArgument, with the number of the line, for missing columns and texts that are no number.
[[nodiscard]] Result<LookupTable> read_text_table_file(std::string_view text, const std::string& where,
                                                       const TextTableForm& form);

}  // namespace protean
