// SPDX-License-Identifier: Apache-2.0
// What Examples become. That it is what TensorFlow makes of them, and in which words it refuses, is shown against it in
// tests/backends/test_tensorflow_examples.py.
#include "tensorflow/example_decoder.h"

#include <gtest/gtest.h>

#include <cstring>

#include "proto/tensorflow.pb.h"

namespace protean {
namespace {

namespace tf = tensorflow;

std::string example_of(const std::vector<float>& floats, const std::vector<std::string>& texts = {}) {
  tf::Example example;
  auto& features = *example.mutable_features()->mutable_feature();
  for (const float value : floats) features["x"].mutable_float_list()->add_value(value);
  for (const auto& text : texts) features["s"].mutable_bytes_list()->add_value(text);
  return example.SerializeAsString();
}

Tensor batch_of(const std::vector<std::string>& examples) {
  Buffer data;
  for (const auto& example : examples) append_bytes_element(data, example);
  return {DataType::kBytes, {static_cast<std::int64_t>(examples.size())}, std::move(data).share()};
}

Result<std::vector<Tensor>> decode(const std::vector<ParsedFeature>& features, const Tensor& examples) {
  std::vector<const ParsedFeature*> pointers;
  for (const auto& feature : features) pointers.push_back(&feature);
  return decode_examples(pointers, examples);
}

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

const ParsedFeature kRequired = {"inputs", "/0", "x", tf::DT_FLOAT, {2}};

TEST(ExampleDecoder, PutsTheValuesOfEachExampleIntoARow) {
  const auto tensors = decode({kRequired}, batch_of({example_of({1, 2}), example_of({3, 4}), example_of({5, 6})}));
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->front().type, DataType::kFp32);
  EXPECT_EQ(tensors->front().shape, (Shape{3, 2}));
  EXPECT_EQ(floats_of(tensors->front()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(ExampleDecoder, FillsInDefaults) {
  ParsedFeature text = {"inputs", "/1", "s", tf::DT_STRING, {}, Literal{tf::DT_STRING, {}, {}, {"none"}}};
  const auto tensors = decode({kRequired, text}, batch_of({example_of({1, 2}), example_of({3, 4}, {"some"})}));
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->at(1).shape, Shape{2});
  BytesReader reader(tensors->at(1).data.bytes);
  EXPECT_EQ(reader.next(), "none");
  EXPECT_EQ(reader.next(), "some");
  EXPECT_TRUE(reader.done());
}

TEST(ExampleDecoder, GivesEmptyTensorsForNoExamples) {
  const auto tensors = decode({kRequired}, batch_of({}));
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->front().shape, (Shape{0, 2}));
  EXPECT_EQ(tensors->front().data.size(), 0U);
}

TEST(ExampleDecoder, GivesNoRowsForASingleExample) {
  ParsedFeature feature = kRequired;
  feature.single = true;
  Tensor single = batch_of({example_of({1, 2})});
  single.shape = {};
  const auto tensors = decode({feature}, single);
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->front().shape, Shape{2});
  single = batch_of({example_of({})});
  single.shape = {};
  EXPECT_EQ(decode({feature}, single).error().message,
            "Feature: x (data type: float) is required but could not be found.");
  EXPECT_EQ(decode({feature}, batch_of({})).error().message, "Expected serialized to be a scalar, got shape: [0]");
  EXPECT_EQ(decode({kRequired}, single).error().message, "Expected serialized to be a vector, got shape: []");
}

TEST(ExampleDecoder, NamesTheExampleThatIsWrong) {
  const auto tensors = decode({kRequired}, batch_of({example_of({1, 2}), example_of({1})}));
  ASSERT_FALSE(tensors);
  EXPECT_EQ(tensors.error().code, Code::kInvalidArgument);
  EXPECT_EQ(tensors.error().message,
            "Name: <unknown>, Key: x, Index: 1.  Number of float values != expected.  Values size: 1 but output shape: "
            "[2]");
}

TEST(ParsedFeature, IsReadAsItWasWritten) {
  const std::vector<ParsedFeature> features = {
      kRequired,
      {"one", "/3", "x", tf::DT_FLOAT, {2}, std::nullopt, true},
      {"inputs", "/1", "n\xff", tf::DT_INT64, {}, scalar_literal(tf::DT_INT64, 7)},
      {"others", "/2", "s", tf::DT_STRING, {2}, Literal{tf::DT_STRING, {2}, {}, {"a", std::string("\0\xff", 2)}}},
  };
  const auto read = read_features(write_features(features));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), features.size());
  for (std::size_t i = 0; i < features.size(); ++i) {
    EXPECT_EQ(read->at(i).input, features[i].input);
    EXPECT_EQ(read->at(i).tensor, features[i].tensor);
    EXPECT_EQ(read->at(i).key, features[i].key);
    EXPECT_EQ(read->at(i).dtype, features[i].dtype);
    EXPECT_EQ(read->at(i).shape, features[i].shape);
    EXPECT_EQ(read->at(i).single, features[i].single);
    ASSERT_EQ(read->at(i).otherwise.has_value(), features[i].otherwise.has_value());
    if (!features[i].otherwise) continue;
    EXPECT_EQ(read->at(i).otherwise->bytes, features[i].otherwise->bytes);
    EXPECT_EQ(read->at(i).otherwise->strings, features[i].otherwise->strings);
  }
}

TEST(ParsedFeature, OfOtherBytesIsRefused) {
  tf::GraphDef other;
  other.add_node()->set_op("Const");
  for (const std::string& bytes : {std::string("\xff\xff"), other.SerializeAsString()}) {
    EXPECT_EQ(read_features(bytes).error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace protean
