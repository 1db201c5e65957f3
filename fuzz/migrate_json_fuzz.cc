// SPDX-License-Identifier: Apache-2.0
// Two JSON answers, apart by the first NUL byte: comparing never crashes, an answer equals itself, and both directions
// come to the same verdict.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "migrate/compare_json.h"
#include "migrate/control.h"
#include "migrate/json_value.h"

namespace {

using namespace protean;
using namespace protean::migrate;

Verdict compared(std::string_view from, std::string_view to) {
  Comparison out;
  compare_json(out, Path{nullptr, "body", 0}, from, to, 1e-5);
  for (const auto& each : out.differences()) PROTEAN_CHECK(!each.path.empty());
  return out.verdict();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(text.find('\0'), text.size());
  const std::string_view from = text.substr(0, end);
  const std::string_view to = text.substr(std::min(end + 1, text.size()));
  PROTEAN_CHECK(compared(from, from) == Verdict::kEqual);
  const Verdict there = compared(from, to);
  const Verdict back = compared(to, from);
  PROTEAN_CHECK((there == Verdict::kDifferent) == (back == Verdict::kDifferent));
  const auto weight = parse_weight(from);
  PROTEAN_CHECK(!weight || (*weight >= 0 && *weight <= 1));
  return 0;
}
