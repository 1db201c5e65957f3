// SPDX-License-Identifier: Apache-2.0
// The checks that come before a model is looked for.
#include "protocols/tensorflow_serving/json_document.h"

#include <fmt/format.h>

#include "protocols/tensorflow_serving/json_print.h"
#include "protocols/tensorflow_serving/json_syntax.h"

namespace protean::tfserving {

tl::unexpected<Error> format_error(const JsonValue& value, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("JSON Value: {} {}", print_value(value), what));
}

Result<JsonValue> read_document(std::string_view text, std::size_t depth_max) {
  const Syntax syntax = check_syntax(text, depth_max);
  if (syntax.error) return tl::unexpected(syntax_error(*syntax.error));
  const JsonValue root(text.substr(syntax.root));
  if (!root.is(JsonType::kObject)) return format_error(root, "Is not object");
  const auto name = root.find("signature_name");
  if (name && !name->is(JsonType::kString)) {
    return format_error(root, "not formatted correctly. 'signature_name' key must be a string value.");
  }
  return root;
}

}  // namespace protean::tfserving
