// SPDX-License-Identifier: Apache-2.0
// The rules in the order in which the original applies them, so that a request with two faults hears of the same one.
#include "protocols/tensorflow_serving/json_predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "protocols/tensorflow_serving/json_document.h"
#include "protocols/tensorflow_serving/json_predict_fast.h"
#include "protocols/tensorflow_serving/json_print.h"
#include "protocols/tensorflow_serving/json_table.h"
#include "protocols/tensorflow_serving/json_tensor.h"

namespace protean::tfserving {
namespace {

bool is_named(const JsonValue& value) { return value.is(JsonType::kObject) && !value.base64_text(); }

/// What rows have brought to one input so far.
struct Column {
  const TensorSpec* spec = nullptr;
  std::size_t rows = 0;
  std::size_t size = 0;  // elements of a row
  Shape shape;           // of a row
  Buffer data;
};

class RowReader {
 public:
  explicit RowReader(const Signature& signature) {
    for (const auto& spec : signature.inputs) columns_.push_back({&spec, 0, 0, {}, {}});
  }

  Status read(const JsonValue& list) {
    const bool named = is_named(*list.first());
    if (!named && columns_.size() > 1) {
      return fail(Code::kInvalidArgument,
                  "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
                  "tensorinfo_map");
    }
    for (JsonElements at(list); at; at.next(), ++row_) {
      if (is_named(at.value()) != named) {
        return fail(Code::kInvalidArgument,
                    fmt::format("Expecting {} at item {} of input list",
                                named ? "object but got list" : "value/list but got object", row_));
      }
      TRY_STATUS(named ? read_object(at.value()) : read_plain(at.value()));
    }
    return {};
  }

  void move_to(InferRequest& request) {
    for (auto& column : columns_) {
      if (column.rows == 0) continue;
      Shape shape = {static_cast<std::int64_t>(column.rows)};
      shape.insert(shape.end(), column.shape.begin(), column.shape.end());
      InferInput input;
      input.name = column.spec->name;
      input.tensor = {column.spec->type, std::move(shape), std::move(column.data).share()};
      request.inputs.push_back(std::move(input));
    }
  }

 private:
  Status read_plain(const JsonValue& value) {
    auto status = add(columns_.front(), value);
    if (!status) return failed({}, status.error());
    return {};
  }

  Status read_object(const JsonValue& object) {
    std::size_t found = 0;
    for (JsonMembers at(object); at; at.next()) {
      const std::string name = at.name();
      const auto column = std::ranges::find(columns_, name, [](const Column& one) { return one.spec->name; });
      if (column == columns_.end()) {
        return failed(name, fail(Code::kInvalidArgument, "JSON object: does not have named input: " + name).value());
      }
      if (column->rows > row_) continue;  // the first of two members of one name counts
      if (auto status = add(*column, at.value()); !status) return failed(name, status.error());
      ++found;
    }
    return found == columns_.size() ? Status{} : check_left_out(object);
  }

  /// Inputs that have a default may be left out, by all rows.
  Status check_left_out(const JsonValue& object) const {
    const bool fits = std::ranges::all_of(
        columns_, [&](const Column& one) { return one.rows == row_ + 1 || (one.rows == 0 && one.spec->optional); });
    if (fits) return {};
    std::set<std::string_view> names;
    for (const auto& column : columns_) names.insert(column.spec->name);
    return fail(
        Code::kInvalidArgument,
        fmt::format("Failed to process element: {} of 'instances' list. JSON object: {} keys must be equal to: {}",
                    row_, print_value(object), fmt::join(names, ",")));
  }

  Status add(Column& column, const JsonValue& value) const {
    Shape shape = dense_shape(value);
    std::size_t size = 0;
    TRY_STATUS(append_elements(value, shape, column.spec->type, column.data, size));
    if (column.rows == 0) {
      column.size = size;
      column.shape = std::move(shape);
    } else if (column.size != size) {
      return fail(Code::kInvalidArgument, fmt::format("Expecting tensor size: {} but got: {}", column.size, size));
    } else if (column.shape != shape) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Expecting shape {} but got: {}", format_shape(column.shape), format_shape(shape)));
    }
    column.rows = row_ + 1;
    return {};
  }

  tl::unexpected<Error> failed(std::string_view key, const Error& inner) const {
    return fail(Code::kInvalidArgument,
                fmt::format("Failed to process element: {}{}{} of 'instances' list. Error: {}: {}", row_,
                            key.empty() ? "" : " key: ", key, code_name(inner.code), inner.message));
  }

  std::vector<Column> columns_;
  std::size_t row_ = 0;
};

Status read_columnar_one(const JsonValue& value, const TensorSpec& spec, InferRequest& request) {
  Shape shape = dense_shape(value);
  std::size_t count = 0;
  Buffer data;
  TRY_STATUS(append_elements(value, shape, spec.type, data, count));
  InferInput input;
  input.name = spec.name;
  input.tensor = {spec.type, std::move(shape), std::move(data).share()};
  request.inputs.push_back(std::move(input));
  return {};
}

Status read_columnar(const JsonValue& value, const Signature& signature, InferRequest& request) {
  if (!is_named(value)) {
    if (signature.inputs.size() > 1) {
      return fail(Code::kInvalidArgument,
                  "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                  "tensorinfo_map");
    }
    return read_columnar_one(value, signature.inputs.front(), request);
  }
  for (const auto& spec : signature.inputs) {
    const auto found = value.find(spec.name);
    if (!found && spec.optional) continue;
    if (!found) {
      return fail(Code::kInvalidArgument, fmt::format("Missing named input: {} in 'inputs' object.", spec.name));
    }
    TRY_STATUS(read_columnar_one(*found, spec, request));
  }
  return {};
}

Status read_rows(const JsonValue& root, const JsonValue& list, const Signature& signature, InferRequest& request) {
  if (!list.is(JsonType::kArray)) return format_error(root, "Expecting 'instances' to be an list/array");
  const auto first = list.first();
  if (!first) return format_error(root, "No values in 'instances' array");
  if (is_table_row(*first, signature)) return read_table_rows(list, request);
  RowReader reader(signature);
  TRY_STATUS(reader.read(list));
  reader.move_to(request);
  return {};
}

/// No list of numbers has the one, and no key that is written differently lacks the other.
bool may_name_signature(std::string_view text) noexcept {
  if (text.empty()) return false;
  if (std::memchr(text.data(), '\\', text.size()) != nullptr) return true;
  return std::memchr(text.data(), '_', text.size()) != nullptr && text.find("\"signature_name\"") != text.npos;
}

}  // namespace

std::string find_signature_name(const Slice& body) {
  const std::string_view text = body.text();
  if (!may_name_signature(text)) return {};
  const std::size_t start = text.find('{');
  if (start == std::string_view::npos) return {};
  for (JsonMembers at(JsonValue(text.substr(start))); at; at.next()) {
    if (at.name() != "signature_name") continue;
    return at.value().is(JsonType::kString) ? at.value().string() : std::string();
  }
  return {};
}

bool has_rows(const Slice& body) {
  const std::string_view text = body.text();
  const std::size_t start = text.find('{');
  if (start == std::string_view::npos) return false;
  for (JsonMembers at(JsonValue(text.substr(start))); at; at.next()) {
    const std::string name = at.name();
    if (name == "instances") return true;
    if (name == "inputs") return false;
  }
  return false;
}

Status read_json_predict(const Slice& body, std::size_t depth_max, const Signature* signature, InferRequest& request) {
  if (signature != nullptr && read_json_predict_fast(body, depth_max, *signature, request)) return {};
  request.inputs.clear();
  return read_json_predict_exactly(body, depth_max, signature, request);
}

Status read_json_predict_exactly(const Slice& body, std::size_t depth_max, const Signature* signature,
                                 InferRequest& request) {
  TRY(const JsonValue root, read_document(body.text(), depth_max));
  if (signature == nullptr) return {};
  if (signature->inputs.empty()) {
    const std::string name = find_signature_name(body);
    return fail(Code::kInvalidArgument,
                fmt::format("Failed to get input map for signature: {}", name.empty() ? "DEFAULT" : name));
  }
  const auto instances = root.find("instances");
  const auto inputs = root.find("inputs");
  if (instances && inputs) {
    return format_error(root, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ");
  }
  if (instances) return read_rows(root, *instances, *signature, request);
  if (!inputs) return fail(Code::kInvalidArgument, "Missing 'inputs' or 'instances' key");
  return is_table(*inputs, *signature) ? read_table(*inputs, request) : read_columnar(*inputs, *signature, request);
}

}  // namespace protean::tfserving
