// SPDX-License-Identifier: Apache-2.0
// The texts are what MLflow 3.17 writes.
#include "backends/mlflow/schema.h"

#include <gtest/gtest.h>

#include "backends/mlflow/input_example.h"
#include "backends/mlflow/ml_model_file.h"
#include "backends/mlflow/table_form.h"

namespace protean {
namespace {

constexpr std::string_view kColumns =
    R"([{"type": "double", "name": "a", "required": true}, {"type": "long", "name": "b", "required": false}])";

Schema schema(std::string_view inputs, std::string_view params = {}) {
  auto parsed = parse_schema(inputs, params);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(Schema{});
}

Signature matrix(std::vector<Column> columns = {}) {
  Signature signature;
  signature.inputs = {{"x", DataType::kFp32, {-1, 2}, {}}};
  signature.columns = std::move(columns);
  return signature;
}

TEST(ParseSchema, ReadsColumnsTensorsAndParams) {
  const Schema columns = schema(kColumns, R"([{"name": "t", "default": 0.5, "shape": null, "type": "double"},
                                              {"name": "k", "default": [1, 2], "shape": [-1], "type": "long"}])");
  ASSERT_TRUE(columns.is_table());
  EXPECT_EQ(columns.inputs[0].type, DataType::kFp64);
  EXPECT_TRUE(columns.inputs[0].required);
  EXPECT_FALSE(columns.inputs[1].required);
  EXPECT_EQ(columns.params[0].default_value, "0.5");
  EXPECT_EQ(columns.params[1].default_value, "[1, 2]");
  EXPECT_TRUE(columns.params[1].list);
  const Schema tensors = schema(R"([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}])");
  ASSERT_TRUE(tensors.is_tensors());
  EXPECT_EQ(tensors.inputs[0].shape, (Shape{-1, 2}));
  const Schema nested = schema(R"([{"type": "array", "items": {"type": "string"}, "name": "a", "required": true}])");
  EXPECT_TRUE(nested.is_table()) << "as texts of JSON";
  EXPECT_EQ(nested.inputs[0].type, DataType::kBytes);
  EXPECT_FALSE(schema(R"([{"type": "sparse", "name": "a", "required": true}])").is_table());
}

TEST(ParseSchema, RefusesWhatMlflowWouldNotWrite) {
  const auto error = [](std::string_view inputs) { return parse_schema(inputs, "").error().message; };
  EXPECT_EQ(error(R"({"a": 1})"), "signature.inputs: expected a JSON list");
  EXPECT_EQ(error(R"([{"name": "a"}])"), "signature.inputs: an entry without a type");
  EXPECT_EQ(error(R"([{"name": "a", "type": "long"}, {"name": "a", "type": "long"}])"),
            "signature.inputs: 'a' stands there twice");
  EXPECT_EQ(error(R"([{"name": "a", "type": "long"}, {"type": "long"}])"),
            "signature.inputs: some entries have names, expected all or none");
  EXPECT_EQ(error(R"([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-2]}}])"),
            "signature.inputs: a tensor without a usable shape");
}

TEST(WithSchema, NamesTheColumnsOfAMatrixInOrder) {
  const auto signature = with_schema(matrix(), schema(kColumns));
  ASSERT_TRUE(signature) << signature.error().message;
  ASSERT_EQ(signature->columns.size(), 2U);
  EXPECT_EQ(signature->columns[0].name, "a");
  EXPECT_EQ(signature->columns[0].type, DataType::kFp64);
  EXPECT_TRUE(signature->columns[0].required);
  EXPECT_TRUE(signature->columns[1].nullable);
  EXPECT_FALSE(signature->columns[1].required);
  EXPECT_TRUE(signature->table_rules.ignore_unknown);
  EXPECT_TRUE(signature->table_rules.safe_types);
}

TEST(WithSchema, KeepsTheModelsOrderAndCategories) {
  Signature model = matrix({{"b", DataType::kBytes, true, {"x", "y"}}, {"a", DataType::kFp32, true}});
  const auto signature =
      with_schema(model, schema(R"([{"type": "float", "name": "a", "required": true}, {"type": "string", "name": "b",
                        "required": true}, {"type": "string", "name": "unused", "required": true}])"));
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_EQ(signature->columns[0].name, "b");
  EXPECT_EQ(signature->columns[0].categories.size(), 2U);
  EXPECT_EQ(signature->columns[1].name, "a");
}

TEST(WithSchema, GivesATensorTheSignaturesTypeAndShape) {
  Signature model;
  model.inputs = {{"x", DataType::kFp32, {-1, -1}, {}}};
  const auto signature =
      with_schema(model, schema(R"([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}])"));
  ASSERT_TRUE(signature);
  EXPECT_EQ(signature->inputs[0].type, DataType::kFp64);
  EXPECT_EQ(signature->inputs[0].shape, (Shape{-1, 2}));
}

TEST(WithSchema, RefusesASignatureOfAnotherModel) {
  Signature three;
  three.inputs = {{"x", DataType::kFp32, {-1, 3}, {}}};
  EXPECT_EQ(with_schema(three, schema(kColumns)).error().message,
            "the signature has 2 columns, but the model takes 1 inputs of 3 columns");
  Signature named = matrix({{"a", DataType::kFp32}, {"z", DataType::kFp32}});
  EXPECT_EQ(with_schema(named, schema(kColumns)).error().message, "the model's column 'z' is not in the signature");
}

TEST(ParseMlModel, ReadsFlavorsSignatureAndExample) {
  const auto file = parse_ml_model(R"(flavors:
  python_function:
    data: model.ubj
    loader_module: mlflow.xgboost
  xgboost:
    code: null
    data: model.ubj
  sklearn:
    pickled_model: model.skops
mlflow_version: 3.17.2
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}, {"type": "long", "name":
    "b", "required": true}]'
  outputs: null
  params: null
)");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->flavors.size(), 3U);
  EXPECT_EQ(file->flavors[1].name, "xgboost");
  EXPECT_EQ(file->flavors[1].file, "model.ubj");
  EXPECT_EQ(file->flavors[2].file, "model.skops");
  EXPECT_EQ(file->schema.inputs.size(), 2U);
  EXPECT_EQ(file->example_file, "input_example.json");
  EXPECT_EQ(parse_ml_model("a: 1").error().message, "MLmodel: no map 'flavors'");
  EXPECT_EQ(parse_ml_model("flavors: {}").error().message, "MLmodel: 'flavors' is empty");
}

TEST(InputExample, BecomesARequestOfOneRow) {
  const auto signature = with_schema(matrix(), schema(kColumns));
  ASSERT_TRUE(signature);
  const std::string wanted = R"({"records":[{"a":1.0,"b":2}]})";
  EXPECT_EQ(example_request(R"({"columns": ["a", "b"], "data": [[1.0, 2], [3.0, 4]]})", "dataframe", *signature),
            wanted);
  EXPECT_EQ(example_request(R"([{"a": 1.0, "b": 2, "c": 3}])", "dataframe", *signature), wanted);
  EXPECT_EQ(example_request(R"({"a": 1.0, "b": 2})", "json_object", *signature), wanted);
  EXPECT_EQ(example_request(R"([[1.0, 2], [3.0, 4]])", "ndarray", matrix()),
            R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,2]}]})");
  EXPECT_EQ(example_request(R"([[[1.0]]])", "ndarray", matrix()), "");
  EXPECT_EQ(example_request("{", "dataframe", *signature), "");
}

}  // namespace
}  // namespace protean
