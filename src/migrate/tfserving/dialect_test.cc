// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "migrate/dialect.h"
#include "migrate/tfserving/calls.h"
#include "proto/tensorflow_serving.pb.h"

namespace protean::migrate {
namespace {

namespace tfs = tensorflow::serving;

RequestHead grpc_head(std::string_view method) {
  RequestHead head;
  head.wire = Wire::kGrpc;
  head.method = "POST";
  head.path = "/tensorflow.serving.PredictionService/" + std::string(method);
  return head;
}

Answer grpc_answer(const google::protobuf::Message& message) {
  Answer answer;
  answer.status = 200;
  answer.grpc_status = 0;
  answer.body = Slice::of(message.SerializeAsString());
  return answer;
}

Comparison compared(std::string_view method, const google::protobuf::Message& from,
                    const google::protobuf::Message& to) {
  Comparison out;
  make_tfserving_dialect()->compare(out, grpc_head(method), grpc_answer(from), grpc_answer(to), 1e-5);
  return out;
}

std::string first(const Comparison& comparison) {
  if (comparison.differences().empty()) return "";
  const Difference& d = comparison.differences().front();
  return std::string(difference_kind_name(d.kind)) + " " + d.path + " " + d.from + " | " + d.to;
}

tensorflow::TensorProto floats(std::vector<float> values) {
  tensorflow::TensorProto tensor;
  tensor.set_dtype(tensorflow::DT_FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(static_cast<std::int64_t>(values.size()));
  for (const float value : values) tensor.add_float_val(value);
  return tensor;
}

tfs::PredictResponse predicted(const tensorflow::TensorProto& tensor) {
  tfs::PredictResponse response;
  response.mutable_model_spec()->set_name("m");
  response.mutable_model_spec()->mutable_version()->set_value(1);
  (*response.mutable_outputs())["y"] = tensor;
  return response;
}

Comparison tensors(const tensorflow::TensorProto& from, const tensorflow::TensorProto& to) {
  return compared("Predict", predicted(from), predicted(to));
}

TEST(TfservingTensors, AreComparedElementByElement) {
  EXPECT_EQ(tensors(floats({1, 2}), floats({1, 2})).verdict(), Verdict::kEqual);
  EXPECT_EQ(tensors(floats({1, 2}), floats({1, 2.00001F})).verdict(), Verdict::kWithinTolerance);
  EXPECT_EQ(first(tensors(floats({1, 2}), floats({1, 2.5F}))), "value message.outputs.y[1] 2 | 2.5");
}

TEST(TfservingTensors, ElementsAreNamedByTheirPlaceInTheShape) {
  auto from = floats({0, 1, 2, 3, 4, 5});
  from.mutable_tensor_shape()->mutable_dim(0)->set_size(2);
  from.mutable_tensor_shape()->add_dim()->set_size(3);
  auto to = from;
  to.set_float_val(4, 9);
  EXPECT_EQ(first(tensors(from, to)), "value message.outputs.y[1,1] 4 | 9");
}

TEST(TfservingTensors, AnotherEncodingOfTheSameElementsIsFormattingOnly) {
  auto raw = floats({1, 2});
  const float values[] = {1, 2};
  raw.clear_float_val();
  raw.set_tensor_content(values, sizeof(values));
  EXPECT_EQ(tensors(floats({1, 2}), raw).verdict(), Verdict::kFormatting);
  EXPECT_EQ(first(tensors(floats({1, 3}), raw)), "value message.outputs.y[1] 3 | 2");
}

TEST(TfservingTensors, TheLastValueOfAShortListStandsForTheRest) {
  auto short_list = floats({7, 7, 7});
  short_list.clear_float_val();
  short_list.add_float_val(7);
  EXPECT_EQ(tensors(floats({7, 7, 7}), short_list).verdict(), Verdict::kEqual);
  EXPECT_EQ(first(tensors(floats({7, 7, 8}), short_list)), "value message.outputs.y[2] 8 | 7");
}

TEST(TfservingTensors, AShapeThatOnlyClaimsItsSizeCostsNothing) {
  auto from = floats({1});
  from.mutable_tensor_shape()->mutable_dim(0)->set_size(std::int64_t{1} << 50);
  auto to = from;
  to.set_float_val(0, 2);
  EXPECT_EQ(tensors(from, to).count(DifferenceKind::kUnreadable), 1U);
}

TEST(TfservingTensors, ContentThatDoesNotFillTheShapeIsUnreadable) {
  auto raw = floats({1, 2});
  raw.clear_float_val();
  raw.set_tensor_content("abc");
  EXPECT_EQ(tensors(floats({1, 2}), raw).count(DifferenceKind::kUnreadable), 1U);
}

TEST(TfservingTensors, TypeAndShapeAreKindsOfTheirOwn) {
  auto doubles = floats({});
  doubles.set_dtype(tensorflow::DT_DOUBLE);
  EXPECT_EQ(first(tensors(floats({}), doubles)), "dtype message.outputs.y.dtype DT_FLOAT | DT_DOUBLE");
  EXPECT_EQ(first(tensors(floats({1}), floats({1, 2}))), "shape message.outputs.y.tensor_shape [1] | [2]");
}

TEST(TfservingTensors, StringsHalvesAndIntegersAreReadFromTheirLists) {
  auto text = floats({0});
  text.clear_float_val();
  text.set_dtype(tensorflow::DT_STRING);
  text.add_string_val("a");
  auto other = text;
  other.set_string_val(0, "b");
  EXPECT_EQ(first(tensors(text, other)), "value message.outputs.y[0] a | b");

  auto half = floats({0});
  half.clear_float_val();
  half.set_dtype(tensorflow::DT_HALF);
  half.add_half_val(0x3C00);  // 1
  auto half_more = half;
  half_more.set_half_val(0, 0xC100);  // -2.5
  EXPECT_EQ(first(tensors(half, half_more)), "value message.outputs.y[0] 1 | -2.5");

  auto whole = floats({0});
  whole.clear_float_val();
  whole.set_dtype(tensorflow::DT_INT64);
  whole.add_int64_val(9007199254740993);
  auto whole_less = whole;
  whole_less.set_int64_val(0, 9007199254740992);
  EXPECT_EQ(first(tensors(whole, whole_less)), "value message.outputs.y[0] 9007199254740993 | 9007199254740992");
}

TEST(TfservingMessages, OutputsAreFoundByName) {
  auto from = predicted(floats({1}));
  auto to = predicted(floats({1}));
  (*from.mutable_outputs())["z"] = floats({});
  EXPECT_EQ(compared("Predict", from, to).count(DifferenceKind::kMissing), 1U);
  EXPECT_EQ(compared("Predict", to, from).count(DifferenceKind::kExtra), 1U);
}

TEST(TfservingMessages, VersionsAreAKindOfTheirOwn) {
  auto from = predicted(floats({1}));
  auto to = from;
  to.mutable_model_spec()->mutable_version()->set_value(2);
  EXPECT_EQ(first(compared("Predict", from, to)), "version message.model_spec.version.value 1 | 2");
}

TEST(TfservingMessages, FieldsThatWeDoNotKnowAreNotOverlooked) {
  const auto from = predicted(floats({1}));
  auto to = from;
  to.GetReflection()->MutableUnknownFields(&to)->AddVarint(99, 1);
  EXPECT_EQ(first(compared("Predict", from, to)), "extra message.(field 99)  | 3 bytes");
}

TEST(TfservingMessages, ScoresHaveATolerance) {
  tfs::ClassificationResponse from;
  auto* one = from.mutable_result()->add_classifications()->add_classes();
  one->set_label("cat");
  one->set_score(0.5F);
  auto to = from;
  to.mutable_result()->mutable_classifications(0)->mutable_classes(0)->set_score(0.500001F);
  EXPECT_EQ(compared("Classify", from, to).verdict(), Verdict::kWithinTolerance);
  to.mutable_result()->mutable_classifications(0)->mutable_classes(0)->set_label("dog");
  EXPECT_EQ(first(compared("Classify", from, to)),
            "value message.result.classifications[0].classes[0].label cat | dog");
}

TEST(TfservingMessages, SignaturesInsideAnyAreComparedByName) {
  tfs::SignatureDefMap signatures;
  (*signatures.mutable_signature_def())["a"].set_method_name("p");
  tfs::GetModelMetadataResponse from;
  (*from.mutable_metadata())["signature_def"].PackFrom(signatures);
  (*signatures.mutable_signature_def())["b"].set_method_name("p");
  tfs::GetModelMetadataResponse to;
  (*to.mutable_metadata())["signature_def"].PackFrom(signatures);
  EXPECT_EQ(first(compared("GetModelMetadata", from, to)),
            "extra message.metadata.signature_def.signature_def.b  | method_name: \"p\"");
}

TEST(TfservingMessages, BytesThatAreNoMessageAreUnreadable) {
  Answer broken = grpc_answer(predicted(floats({1})));
  broken.body = Slice::of("\xff\xff");
  Comparison out;
  make_tfserving_dialect()->compare(out, grpc_head("Predict"), grpc_answer(predicted(floats({1}))), broken, 0);
  EXPECT_EQ(out.count(DifferenceKind::kUnreadable), 1U);
}

TEST(TfservingStatus, CodesAndTextsAreCompared) {
  Answer from;
  from.grpc_status = 3;
  from.grpc_message = "a";
  Answer to = from;
  to.grpc_status = 5;
  to.grpc_message = "b";
  Comparison out;
  make_tfserving_dialect()->compare(out, grpc_head("Predict"), from, to, 0);
  EXPECT_EQ(first(out), "status grpc-status 3 INVALID_ARGUMENT | 5 NOT_FOUND");
  EXPECT_EQ(out.count(DifferenceKind::kText), 1U);
}

TEST(TfservingRest, StatusAndHeadersThatMatterAreCompared) {
  RequestHead head;
  head.path = "/v1/models/m:predict";
  Answer from;
  from.status = 200;
  from.headers = {{"Content-Type", "application/json"}, {"Date", "x"}};
  from.body = Slice::of("{}");
  Answer to = from;
  to.headers = {{"content-type", "application/json"}, {"x-more", "y"}};
  Comparison same;
  make_tfserving_dialect()->compare(same, head, from, to, 0);
  EXPECT_EQ(same.verdict(), Verdict::kEqual);
  to.status = 500;
  to.headers = {{"content-type", "text/plain"}};
  Comparison out;
  make_tfserving_dialect()->compare(out, head, from, to, 0);
  EXPECT_EQ(first(out), "status status 200 | 500");
  EXPECT_EQ(out.differences()[1].path, "header.content-type");
}

TEST(TfservingCalls, PathsNameModelAndMethod) {
  using Name = CallName;
  EXPECT_EQ(name_rest_call("POST", "/v1/models/m:predict"), (Name{"m", "REST predict"}));
  EXPECT_EQ(name_rest_call("POST", "/V1/Models/m/versions/3:classify"), (Name{"m", "REST classify"}));
  EXPECT_EQ(name_rest_call("POST", "/v1/models/a%2Fb/labels/stable:regress"), (Name{"a/b", "REST regress"}));
  EXPECT_EQ(name_rest_call("GET", "/v1/models/m"), (Name{"m", "REST status"}));
  EXPECT_EQ(name_rest_call("GET", "/v1/models/m/versions/2/metadata"), (Name{"m", "REST metadata"}));
  EXPECT_EQ(name_rest_call("POST", "/v1/models/m:explain"), (Name{"m", "REST other"}));
  EXPECT_EQ(name_rest_call("GET", "/monitoring"), (Name{"", "REST other"}));
}

TEST(TfservingCalls, MessagesNameTheirModelWithoutBeingParsed) {
  tfs::PredictRequest predict;
  predict.mutable_model_spec()->set_name("m");
  (*predict.mutable_inputs())["x"] = floats({1, 2, 3});
  const std::string path = "/tensorflow.serving.PredictionService/";
  EXPECT_EQ(name_grpc_call(path + "Predict", predict.SerializeAsString()), (CallName{"m", "gRPC Predict"}));
  tfs::MultiInferenceRequest both;
  both.add_tasks()->mutable_model_spec()->set_name("n");
  EXPECT_EQ(name_grpc_call(path + "MultiInference", both.SerializeAsString()), (CallName{"n", "gRPC MultiInference"}));
  EXPECT_EQ(name_grpc_call(path + "Predict", "\xff\xff\xff"), (CallName{"", "gRPC Predict"}));
  EXPECT_EQ(name_grpc_call("/grpc.health.v1.Health/Check", "\n\1m"), (CallName{"", "gRPC Check"}));
}

TEST(TfservingCalls, ReloadingIsTheOneThatMustNotBeRepeated) {
  const auto dialect = make_tfserving_dialect();
  EXPECT_TRUE(dialect->may_repeat(grpc_head("Predict")));
  auto head = grpc_head("");
  head.path = "/tensorflow.serving.ModelService/HandleReloadConfigRequest";
  EXPECT_FALSE(dialect->may_repeat(head));
}

TEST(TfservingRequests, AreDescribedWithinTheirBound) {
  tfs::PredictRequest predict;
  predict.mutable_model_spec()->set_name("m");
  (*predict.mutable_inputs())["x"] = floats(std::vector<float>(1000, 1.5F));
  const auto dialect = make_tfserving_dialect();
  const std::string text = dialect->describe(grpc_head("Predict"), Slice::of(predict.SerializeAsString()), 300);
  EXPECT_LE(text.size(), 304U);
  EXPECT_NE(text.find("name: \"m\""), std::string::npos);
  EXPECT_EQ(dialect->describe(grpc_head("Predict"), Slice::of("x"), 0), "");
}

}  // namespace
}  // namespace protean::migrate
