// SPDX-License-Identifier: Apache-2.0
// Serialized Examples of a client, read as a graph's ParseExample would; and the file that says which features those
// are: the first byte chooses.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensorflow/example_decoder.h"
#include "tensorflow/parsed_feature.h"

namespace {

using protean::ParsedFeature;

std::vector<ParsedFeature> known_features() {
  std::vector<ParsedFeature> features(3);
  features[0] = {"inputs", "/0", "x", tensorflow::DT_FLOAT, {1}};
  features[1] = {"inputs", "/1", "n", tensorflow::DT_INT64, {}, protean::scalar_literal(tensorflow::DT_INT64, 7)};
  features[2] = {"inputs", "/2", "s", tensorflow::DT_STRING, {2}};
  features[2].otherwise = protean::Literal{tensorflow::DT_STRING, {2}, {}, {"a", ""}};
  features[0].otherwise = protean::Literal{tensorflow::DT_FLOAT, {1}, std::string(4, '\0'), {}};
  return features;
}

void check(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1U) != 0) {
    const auto features = protean::read_features(bytes);
    if (features) check(protean::read_features(protean::write_features(*features)).has_value());
    return 0;
  }
  const auto features = known_features();
  std::vector<const ParsedFeature*> wanted;
  for (const auto& feature : features) wanted.push_back(&feature);
  protean::Buffer examples;
  protean::append_bytes_element(examples, bytes);
  protean::append_bytes_element(examples, {});
  const auto tensors = protean::decode_examples(wanted, {protean::DataType::kBytes, {2}, std::move(examples).share()});
  if (!tensors) return 0;
  for (const auto& tensor : *tensors) check(protean::check_data(tensor, "feature").has_value());
  return 0;
}
