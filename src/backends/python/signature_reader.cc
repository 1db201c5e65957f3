// SPDX-License-Identifier: Apache-2.0
// A cursor that never leaves its bytes; counts are held against the bytes that are left before memory is taken.
#include "backends/python/signature_reader.h"

#include <cstdint>
#include <cstring>
#include <set>
#include <span>

#include "backends/python/wire.h"
#include "base/text.h"

namespace protean::python {
namespace {

constexpr std::size_t kTextBytesMax = 1 << 16;
constexpr std::size_t kAllBytesMax = 16 << 20;
constexpr std::size_t kColumnBytesMin = 10;  // an empty name, type, nullable, no categories
constexpr unsigned kOptional = 1;
constexpr unsigned kAnyRank = 2;

tl::unexpected<Error> broken(const std::string& what) {
  return fail(Code::kInvalidArgument, "what the Python worker says of its model cannot be right: " + what);
}

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> rest) : rest_(rest) {}

  template <typename T>
  Result<T> number() {
    if (rest_.size() < sizeof(T)) return broken("it is cut off");
    T value{};
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  /// `least`: bytes that each of the things counted has.
  Result<std::size_t> count(std::size_t least) {
    TRY(const auto value, number<std::uint32_t>());
    if (value > rest_.size() / least) return broken("a count of " + std::to_string(value));
    return value;
  }
  Result<std::string> text() {
    TRY(const auto size, count(1));
    if (size > kTextBytesMax) return broken("a text of " + std::to_string(size) + " bytes");
    std::string value(reinterpret_cast<const char*>(rest_.data()), size);
    rest_ = rest_.subspan(size);
    if (!is_utf8(value)) return broken("a text that is not UTF-8");
    return value;
  }
  Result<std::vector<std::string>> texts() {
    TRY(const auto size, count(sizeof(std::uint32_t)));
    std::vector<std::string> values(size);
    for (auto& value : values) {
      TRY(value, text());
    }
    return values;
  }
  Result<DataType> type() {
    TRY(const auto value, number<std::uint8_t>());
    if (value > static_cast<std::uint8_t>(DataType::kBytes)) return broken("type " + std::to_string(value));
    return static_cast<DataType>(value);
  }
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

Result<TensorSpec> read_spec(Cursor& cursor) {
  TensorSpec spec;
  TRY(spec.name, cursor.text());
  if (spec.name.empty()) return broken("a tensor without a name");
  TRY(spec.type, cursor.type());
  TRY(const unsigned flags, cursor.number<std::uint8_t>());
  TRY(const auto rank, cursor.number<std::uint8_t>());
  if (rank > kRankMax) return broken("'" + printable(spec.name) + "' has " + std::to_string(rank) + " dimensions");
  spec.shape.resize(rank);
  for (auto& size : spec.shape) {
    TRY(size, cursor.number<std::int64_t>());
    if (size < -1) return broken("'" + printable(spec.name) + "' has a dimension of " + std::to_string(size));
  }
  spec.optional = (flags & kOptional) != 0;
  spec.any_rank = (flags & kAnyRank) != 0;
  TRY(auto pairs, cursor.texts());
  if (pairs.size() % 2 != 0) return broken("a parameter without a value");
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    spec.parameters.emplace_back(std::move(pairs[i]), std::move(pairs[i + 1]));
  }
  return spec;
}

Result<std::vector<TensorSpec>> read_specs(Cursor& cursor) {
  TRY(const auto count, cursor.count(sizeof(std::uint32_t)));
  if (count == 0 || count > kTensorsMax) return broken(std::to_string(count) + " inputs or outputs");
  std::vector<TensorSpec> specs;
  std::set<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    TRY(auto spec, read_spec(cursor));
    if (!names.insert(spec.name).second) return broken("'" + printable(spec.name) + "' is there twice");
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<std::vector<Column>> read_columns(Cursor& cursor) {
  TRY(const auto count, cursor.count(kColumnBytesMin));
  std::vector<Column> columns(count);
  for (auto& column : columns) {
    TRY(column.name, cursor.text());
    TRY(column.type, cursor.type());
    TRY(const auto nullable, cursor.number<std::uint8_t>());
    column.nullable = nullable != 0;
    TRY(column.categories, cursor.texts());
  }
  return columns;
}

Status check_columns(const Signature& signature) {
  const auto& columns = signature.columns;
  if (columns.empty()) return {};
  std::span<const TensorSpec> inputs = signature.inputs;
  // What the mlflow backend, which wraps this model, passes params by stands behind the columns.
  if (!inputs.empty() && inputs.back().name == "mlflow.params") inputs = inputs.first(inputs.size() - 1);
  if (inputs.size() == 1 && inputs.front().shape.size() == 2) {
    if (inputs.front().shape[1] == static_cast<std::int64_t>(columns.size())) return {};
    return broken(std::to_string(columns.size()) + " columns of an input of shape " +
                  format_shape(inputs.front().shape));
  }
  bool same = inputs.size() == columns.size();
  for (std::size_t i = 0; same && i < columns.size(); ++i) {
    same = inputs[i].name == columns[i].name && inputs[i].shape == Shape{-1};
  }
  if (same) return {};
  return broken("columns, expected one matrix [-1, " + std::to_string(columns.size()) +
                "] or one input [-1] of each column's name, in their order");
}

constexpr std::uint8_t kExplains = 1;
constexpr std::uint8_t kStreams = 2;

}  // namespace

Result<LoadedFacts> read_loaded(std::span<const std::byte> bytes) {
  if (bytes.size() > kAllBytesMax) return broken(std::to_string(bytes.size()) + " bytes of it");
  Cursor cursor(bytes);
  LoadedFacts facts;
  TRY(facts.signature.platform, cursor.text());
  TRY(facts.signature.inputs, read_specs(cursor));
  TRY(facts.signature.outputs, read_specs(cursor));
  TRY(facts.signature.columns, read_columns(cursor));
  TRY_STATUS(check_columns(facts.signature));
  TRY(const auto abilities, cursor.number<std::uint8_t>());
  facts.explains = (abilities & kExplains) != 0;
  facts.signature.streams = (abilities & kStreams) != 0;
  TRY(facts.notes, cursor.texts());
  if (!cursor.done()) return broken("bytes after its end");
  return facts;
}

Result<ExplanationNames> read_explanation_names(std::span<const std::byte> bytes) {
  if (bytes.size() > kAllBytesMax) return broken(std::to_string(bytes.size()) + " bytes of it");
  Cursor cursor(bytes);
  ExplanationNames names;
  TRY(names.method, cursor.text());
  TRY(names.scale, cursor.text());
  TRY(names.features, cursor.texts());
  TRY(names.outputs, cursor.texts());
  if (!cursor.done()) return broken("bytes after its end");
  return names;
}

}  // namespace protean::python
