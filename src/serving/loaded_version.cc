// SPDX-License-Identifier: Apache-2.0
// Functions of a version by name.
#include "serving/loaded_version.h"

#include <fmt/format.h>

#include "base/text.h"
#include "core/error_reason.h"

namespace protean {
namespace {

std::string known_functions(const LoadedVersion& version) {
  const std::string& own = version.signature->function;
  std::string names = own.empty() ? std::string(kMainFunction) : own;
  for (const auto& other : version.functions) names += ", " + other->signature->function;
  return names;
}

}  // namespace

Result<VersionHandle> find_function(VersionHandle version, std::string_view name) {
  LoadedVersion& whole = *version;
  return function_of(whole, name).map([&version](LoadedVersion* function) {
    return VersionHandle(std::move(version), function);
  });
}

Result<LoadedVersion*> function_of(LoadedVersion& version, std::string_view name) {
  const std::string& own = version.signature->function;
  if (name.empty() || name == own || (own.empty() && name == kMainFunction)) return &version;
  for (const auto& other : version.functions) {
    if (other->signature->function == name) return other.get();
  }
  return fail_as(error_reason::kNoFunction, Code::kInvalidArgument,
                 fmt::format("function '{}', expected one of {} (model {}, version {})", printable(name),
                             known_functions(version), version.model_name, version.version_text));
}

}  // namespace protean
