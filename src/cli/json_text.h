// SPDX-License-Identifier: Apache-2.0
// JSON for scripts, written member by member; small enough not to want a library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace protean {

/// Members in the order of the calls.  str() may be called once all are in.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, double value);
  JsonObject& integer(std::string_view name, std::uint64_t value);
  JsonObject& truth(std::string_view name, bool value);
  /// `json`: a complete value.
  JsonObject& raw(std::string_view name, std::string_view json);
  [[nodiscard]] std::string str() const { return "{" + members_ + "}"; }

 private:
  void name(std::string_view name);
  std::string members_;
};

/// `values`: complete ones.
[[nodiscard]] std::string json_array(const std::vector<std::string>& values);

}  // namespace protean
