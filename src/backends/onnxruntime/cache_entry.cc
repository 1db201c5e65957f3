// SPDX-License-Identifier: Apache-2.0
// Protobuf's wire format, then 64 digits.
#include "backends/onnxruntime/cache_entry.h"

#include "backends/onnxruntime/facts_codec.h"
#include "backends/onnxruntime/onnx_wire.h"
#include "base/sha256.h"

namespace protean {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::uint32_t kFormatField = 1, kGraphBytes = 2, kGraphDigest = 3, kWeightsBytes = 4, kWeightsModified = 5,
                        kWeightsDigest = 6, kFacts = 7;

}  // namespace

std::string encode_entry(const CacheEntry& entry) {
  std::string out;
  append_number_field(out, kFormatField, kFormat);
  append_number_field(out, kGraphBytes, entry.graph_bytes);
  append_text_field(out, kGraphDigest, entry.graph_digest);
  append_number_field(out, kWeightsBytes, entry.weights_bytes);
  append_number_field(out, kWeightsModified, static_cast<std::uint64_t>(entry.weights_modified_ns));
  append_text_field(out, kWeightsDigest, entry.weights_digest);
  append_text_field(out, kFacts, encode_facts(entry.facts));
  return out + sha256_hex(out);
}

std::optional<CacheEntry> decode_entry(std::string_view text) {
  if (text.size() < kSha256HexSize) return std::nullopt;
  const auto body = text.substr(0, text.size() - kSha256HexSize);
  if (sha256_hex(body) != text.substr(body.size())) return std::nullopt;
  CacheEntry entry;
  std::uint64_t format = 0;
  std::optional<ModelFacts> facts;
  WireReader reader(body);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    const std::string_view content = field.type == WireType::kLength ? reader.content(field) : std::string_view();
    switch (field.number) {
      case kFormatField: format = field.value; break;
      case kGraphBytes: entry.graph_bytes = field.value; break;
      case kGraphDigest: entry.graph_digest = content; break;
      case kWeightsBytes: entry.weights_bytes = field.value; break;
      case kWeightsModified: entry.weights_modified_ns = static_cast<std::int64_t>(field.value); break;
      case kWeightsDigest: entry.weights_digest = content; break;
      case kFacts: facts = decode_facts(content); break;
      default: break;
    }
  }
  if (state != WireState::kEnd || format != kFormat || !facts) return std::nullopt;
  entry.facts = *std::move(facts);
  return entry;
}

}  // namespace protean
