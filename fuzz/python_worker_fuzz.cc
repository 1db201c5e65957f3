// SPDX-License-Identifier: Apache-2.0
// Whatever a Python worker can put before the server: answers in shared memory, what it says of its model, names of an
// explanation, its output. The first byte says which. What is taken must be sound and own its bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "backends/python/answer_reader.h"
#include "backends/python/signature_reader.h"
#include "backends/python/wire.h"
#include "backends/python/worker_log.h"
#include "base/check.h"
#include "base/text.h"

namespace {

using namespace protean;          // NOLINT(google-build-using-namespace): a program of its own
using namespace protean::python;  // NOLINT(google-build-using-namespace): likewise

constexpr std::uint64_t kSequence = 7;
constexpr std::size_t kRecordsMax = 8;

/// Takes bytes from the front; zeros after the end.
std::vector<std::byte> take(std::span<const std::byte>& rest, std::size_t count) {
  std::vector<std::byte> bytes(count);
  const auto there = std::min(count, rest.size());
  std::copy_n(rest.begin(), there, bytes.begin());
  rest = rest.subspan(there);
  return bytes;
}

void check_sound(const LoadedFacts& facts) {
  PROTEAN_CHECK(!facts.signature.inputs.empty() && !facts.signature.outputs.empty());
  PROTEAN_CHECK(is_utf8(facts.signature.platform));
  for (const auto& input : facts.signature.inputs) PROTEAN_CHECK(!input.name.empty() && is_utf8(input.name));
}

/// Header, count of records, records, message, and the rest as the region.
void try_answer(std::span<const std::byte> rest) {
  static std::vector<std::byte> control(kHalfBytes);
  const auto header = take(rest, sizeof(AnswerHeader));
  const auto count = std::to_integer<std::size_t>(take(rest, 1)[0]) % (kRecordsMax + 1);
  const auto records = take(rest, count * sizeof(TensorRecord));
  const auto message = take(rest, std::to_integer<std::size_t>(take(rest, 1)[0]));
  std::fill_n(control.begin(), kAnswerRecordsAt + kRecordsMax * sizeof(TensorRecord), std::byte{0});
  std::copy(message.begin(), message.end(), control.begin() + kMessageAt);
  std::copy(records.begin(), records.end(), control.begin() + kAnswerRecordsAt);
  std::copy(header.begin(), header.end(), control.begin());
  std::vector<std::byte> region(rest.begin(), rest.end());
  auto answer = read_answer(control, region, kSequence);
  if (!answer) return;
  std::fill(region.begin(), region.end(), std::byte{0xff});  // as a worker may do afterwards
  PROTEAN_CHECK(!answer->tensors.empty() + answer->refusal.has_value() + answer->bytes_needed.has_value() <= 1);
  for (const auto& [index, tensor] : answer->tensors) {
    PROTEAN_CHECK(tensor.shape.size() <= kRankMax && check_data(tensor, "x"));
    if (const auto facts = read_loaded(tensor.data.bytes)) check_sound(*facts);
  }
  if (answer->refusal) PROTEAN_CHECK(answer->refusal->message.size() <= kMessageBytesMax + 16);
}

void try_output(std::string_view text) {
  std::size_t lines = 0;
  WorkerLog output([&](const WorkerLine& line) {
    ++lines;
    PROTEAN_CHECK(line.text.size() <= 4 * WorkerLog::kLineBytesMax && is_utf8(line.text) && is_utf8(line.request));
  });
  const auto half = text.size() / 2;
  output.add(text.substr(0, half), TimePoint{});
  output.add(text.substr(half), TimePoint{});
  output.flush(TimePoint{});
  PROTEAN_CHECK(static_cast<double>(lines) <= WorkerLog::kLinesBurst + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: try_answer(rest); break;
    case 1:
      if (const auto facts = read_loaded(rest)) check_sound(*facts);
      break;
    case 2: (void)read_explanation_names(rest); break;
    default: try_output({reinterpret_cast<const char*>(rest.data()), rest.size()});
  }
  return 0;
}
