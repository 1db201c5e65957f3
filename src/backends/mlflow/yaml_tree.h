// SPDX-License-Identifier: Apache-2.0
// YAML text as a plain tree: no object is ever constructed from it. JSON, which MLflow puts into YAML strings, is read
// the same way.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace protean {

/// `quoted`: the scalar stood in quotes or in a block: it is text whatever it looks like.
struct YamlNode {
  enum class Kind : unsigned char { kScalar, kList, kMap };
  Kind kind = Kind::kScalar;
  std::string text = {};
  bool quoted = false;
  std::vector<YamlNode> items = {};
  std::vector<std::pair<std::string, YamlNode>> members = {};  // keys are unique

  /// nullptr when this is no map or has no such member.
  [[nodiscard]] const YamlNode* find(std::string_view name) const noexcept;
  /// The text of a scalar member that is not null; empty otherwise.
  [[nodiscard]] std::string_view text_of(std::string_view name) const noexcept;
  [[nodiscard]] bool is_null() const noexcept;
};

/// `depth_max`: lists and maps inside each other; `nodes_max`: of the whole tree, those that aliases stand for counted
/// each time.
struct YamlLimits {
  std::size_t depth_max = 32;
  std::size_t nodes_max = 100'000;
};

/// The one document in `text`.
/// Errors: kInvalidArgument `line 3: ...`: malformed, a repeated key, a key that is no scalar, a tag beyond YAML's own,
/// an alias of what it stands in, several documents, or more than the limits allow.  Thread-safe. Source: YAML 1.1
/// (libyaml).
[[nodiscard]] Result<YamlNode> parse_yaml(std::string_view text, const YamlLimits& limits = {});

/// The same for JSON: surrogate pairs, which YAML does not know, are put together first.
[[nodiscard]] Result<YamlNode> parse_json_as_yaml(std::string_view text, const YamlLimits& limits = {});

}  // namespace protean
