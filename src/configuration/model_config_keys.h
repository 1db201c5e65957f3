// SPDX-License-Identifier: Apache-2.0
// The keys of a model's protean.toml as a table: reading, checking, writing and the documentation's test use it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "configuration/toml_file.h"
#include "core/model_config.h"

namespace protean {

/// What a key may hold. kBytes: a size. kChoice: one of the words in `choices`. kNumbers: an array of whole numbers.
/// kText: a short text. kTexts: an array of such.
enum class ModelKeyKind : unsigned char { kBool, kUint, kBytes, kTime, kChoice, kNumbers, kText, kTexts };

/// The field of ModelConfig that a key sets; its type goes with the kind.
using ModelField = std::variant<bool*, std::uint32_t*, std::uint64_t*, Duration*, VersionPolicy::Choice*,
                                BatchConfig::Mode*, TensorflowEngine*, std::vector<std::uint64_t>*,
                                std::vector<std::int64_t>*, std::string*, std::vector<std::string>*>;

/// `table`: empty for top-level keys.  `least`, `most`: bounds of numbers, sizes, array elements and the bytes of
/// texts (`most` only), and of times in microseconds.  `choices`: separated by `|`, in the order of the enumerators.
struct ModelKey {
  std::string_view table;
  std::string_view name;
  ModelKeyKind kind;
  ModelField (*field)(ModelConfig&);
  std::uint64_t least = 0;
  std::uint64_t most = 1;
  std::string_view choices = {};

  /// `batch.rows_max`, or `weight`.
  [[nodiscard]] std::string full_name() const;
};

/// Elements that an array of numbers, and one of texts, may have.
inline constexpr std::size_t kModelNumbersMax = 1024;
inline constexpr std::size_t kModelTextsMax = 16;

/// Top-level keys first, then table by table; lives for ever.
[[nodiscard]] std::span<const ModelKey> model_keys() noexcept;
/// nullptr when there is none.  `table`: empty for top-level keys.
[[nodiscard]] const ModelKey* find_model_key(std::string_view table, std::string_view name) noexcept;

/// Reads `value` into the key's field. The message has no place: `found "3 days", expected a time such as "250ms"...`.
/// Errors: kInvalidArgument.
[[nodiscard]] Status store_model_key(const ModelKey& key, const TomlValue& value, ModelConfig& config);
/// As it stands behind `=`: `"64MiB"`, `[1, 2]`, `true`.
[[nodiscard]] std::string format_model_key(const ModelKey& key, const ModelConfig& config);

}  // namespace protean
