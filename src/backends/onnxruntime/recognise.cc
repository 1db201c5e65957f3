// SPDX-License-Identifier: Apache-2.0
// Other protobuf formats begin like ONNX does (a TensorFlow SavedModel has a version and then a message where
// ONNX has a version and then a name), so the content of each field is looked at, not its number alone.
#include "backends/onnxruntime/recognise.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_wire.h"

namespace protean {
namespace {

constexpr std::size_t kPieceBytes = 512;
constexpr int kFieldsMax = 256;
constexpr std::uint64_t kIrVersionMax = 9999;

/// Names and versions of producers: no control characters. A message's first byte nearly always is one.
bool plausible_text(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F;
  });
}

bool plausible_node(std::string_view start) noexcept {
  WireField field;
  const auto state = WireReader(start).next(field);
  if (state == WireState::kMalformed) return false;
  if (field.number == 0) return true;  // empty, or cut off before the first tag
  return field.type == WireType::kLength && field.number <= onnx::node::kFieldMax;
}

bool plausible_opset(std::string_view start) noexcept {
  WireReader reader(start);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    const bool domain = field.number == onnx::opset::kDomain && field.type == WireType::kLength;
    const bool version = field.number == onnx::opset::kVersion && field.type == WireType::kVarint;
    if (!domain && !version) return false;
  }
  return state != WireState::kMalformed;
}

bool known_graph_field(const WireField& field) noexcept {
  constexpr std::array<std::uint32_t, 10> kKnown = {
      onnx::graph::kNode,      onnx::graph::kName,         onnx::graph::kInitializer,
      onnx::graph::kDocString, onnx::graph::kInput,        onnx::graph::kOutput,
      onnx::graph::kValueInfo, onnx::graph::kQuantization, onnx::graph::kSparseInitializer,
      onnx::graph::kMetadata};
  return field.type == WireType::kLength && std::find(kKnown.begin(), kKnown.end(), field.number) != kKnown.end();
}

/// How many fields at the start of a graph look right; -1 when one looks wrong.
int plausible_graph_fields(std::string_view start) noexcept {
  WireReader reader(start);
  WireField field;
  int count = 0;
  while (true) {
    const auto state = reader.next(field);
    if (state == WireState::kMalformed) return -1;
    if (state == WireState::kEnd || field.number == 0) return count;
    if (!known_graph_field(field)) return -1;
    if (field.body == 0) return count;  // cut off within the length
    const auto content = start.substr(std::min(field.body, start.size()), field.end - field.body);
    if (field.number == onnx::graph::kNode && !plausible_node(content)) return -1;
    if (field.number == onnx::graph::kName && !plausible_text(content)) return -1;
    ++count;
    if (state == WireState::kTruncated) return count;
  }
}

/// What has been seen of the file so far.
struct Findings {
  bool version = false;
  bool graph = false;
  int fields = 0;
  std::uint32_t singular = 0;  // bit n: field n, of those there is one of, has been there

  [[nodiscard]] bool enough() const noexcept { return version && graph; }
};

/// False when the field, of which `start` is the first content, cannot belong to an ONNX model.
bool take(const WireField& field, std::string_view start, Findings& findings) noexcept {
  namespace model = onnx::model;
  ++findings.fields;
  const bool varint = field.type == WireType::kVarint;
  if (!varint && field.type != WireType::kLength) return false;
  if (field.number <= model::kGraph) {
    const auto bit = std::uint32_t{1} << field.number;
    if ((findings.singular & bit) != 0) return false;
    findings.singular |= bit;
  }
  switch (field.number) {
    case model::kIrVersion: findings.version = true; return varint && field.value >= 1 && field.value <= kIrVersionMax;
    case model::kModelVersion: return varint;
    case model::kProducerName:
    case model::kProducerVersion:
    case model::kDomain: return !varint && plausible_text(start);
    case model::kGraph: {
      const int count = varint ? -1 : plausible_graph_fields(start);
      findings.graph = findings.graph || count > 0;
      return count >= 0;
    }
    case model::kOpsetImport: return !varint && plausible_opset(start);
    case model::kDocString:
    case model::kMetadata:
    case model::kTraining:
    case model::kFunctions:
    case model::kConfiguration: return !varint;
    default: return false;
  }
}

}  // namespace

Result<bool> looks_like_onnx(std::uint64_t size, const ReadAt& read) {
  std::array<std::byte, kPieceBytes> piece{};
  Findings findings;
  std::uint64_t offset = 0;
  while (offset < size && findings.fields < kFieldsMax) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, kPieceBytes));
    TRY_STATUS(read(offset, std::span(piece).first(count)));
    const std::string_view text(reinterpret_cast<const char*>(piece.data()), count);
    WireField field;
    const auto state = WireReader(text).next(field);
    if (state == WireState::kMalformed) return false;
    // The piece ends before the field does, or before its header does: then the file itself is cut off there.
    if (field.number == 0 || (field.body == 0 && state != WireState::kGood)) break;
    if (state == WireState::kTruncated && field.type != WireType::kLength) break;
    const auto content = text.substr(std::min(field.body, count), field.end - field.body);
    if (!take(field, content, findings)) return false;
    if (findings.enough()) return true;
    if (field.end > size - offset) break;
    offset += field.end;
  }
  // Without a graph: a version and two more fields, such as a file cut off early has.
  return findings.version && findings.fields >= 3;
}

}  // namespace protean
