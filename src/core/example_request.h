// SPDX-License-Identifier: Apache-2.0
// A first request for a model nobody has called yet: what the start-up card, the documentation page and the
// OpenAPI document show, with values that the server accepts and a command line that survives any shell.
#pragma once

#include <string>
#include <string_view>

#include "core/model.h"

namespace protean {

/// Inputs with more elements than this are sent as binary zeros instead of being written out.
inline constexpr std::size_t kExampleElementsMax = 256;

/// The shape of an example tensor: -1 becomes 1.
[[nodiscard]] Shape example_shape(const Shape& shape);

/// The value that fills example tensors of this type, as JSON: `0.5`, `1`, `"text"`, `true`.
[[nodiscard]] std::string_view example_value(DataType type) noexcept;

/// Whether an example leaves this input out: it is optional and another one is not.
[[nodiscard]] bool left_out_of_example(const Signature& signature, const TensorSpec& input) noexcept;

/// The value of a column in an example, as JSON: its first category, else as example_value().
[[nodiscard]] std::string example_cell(const Column& column);

/// Whether the example is a table of named columns: the model takes one, of at most kExampleElementsMax columns.
[[nodiscard]] bool example_has_columns(const Signature& signature) noexcept;

/// An inference request as JSON: the model's own example, else `records` where the model takes a table, else `inputs`.
/// Inputs of more than kExampleElementsMax elements carry no `data` but a
/// `binary_data_size`: their bytes follow (binary tensor data extension).
[[nodiscard]] std::string example_infer_json(const Signature& signature);

/// Bytes that must follow the JSON of example_infer_json(): all zero; 0 when everything is written out.
[[nodiscard]] std::size_t example_binary_bytes(const Signature& signature);

/// One line for a POSIX shell that sends the example and prints the answer.
/// `url`: scheme and authority, `http://127.0.0.1:8080`.  `version`: empty for the default version.
[[nodiscard]] std::string example_curl(std::string_view url, std::string_view model, std::string_view version,
                                       const Signature& signature);

/// `/v2/models/NAME[/versions/VERSION]` with both percent-encoded (RFC 3986, unreserved characters stay).
[[nodiscard]] std::string model_path(std::string_view model, std::string_view version);

/// `text` as one word of a POSIX shell: in single quotes, with those inside escaped.
[[nodiscard]] std::string shell_quote(std::string_view text);

}  // namespace protean
