// SPDX-License-Identifier: Apache-2.0
// ModelFacts as bytes, for the cache: an optimised graph no longer says what the original one did.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backends/onnxruntime/model_facts.h"

namespace protean {

/// Protobuf wire format with field numbers of our own. LabelledOutput::node_begin is left out: it is a place in a
/// file that nobody looks at any more.
[[nodiscard]] std::string encode_facts(const ModelFacts& facts);

/// nullopt when `bytes` are not what encode_facts() makes.
[[nodiscard]] std::optional<ModelFacts> decode_facts(std::string_view bytes);

/// A varint field, for the small records of the cache.
void append_number_field(std::string& out, std::uint32_t number, std::uint64_t value);

}  // namespace protean
