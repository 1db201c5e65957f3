// SPDX-License-Identifier: Apache-2.0
// What is recorded are the messages of gRPC calls, so each is decoded and bound as the call that it was.
#include "protocols/tensorflow_serving/warm_up_file.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>
#include <protozero/pbf_builder.hpp>
#include <system_error>
#include <utility>

#include "base/checked_math.h"
#include "core/model_file.h"
#include "protocols/tensorflow_serving/grpc_calls.h"
#include "protocols/tensorflow_serving/grpc_fields.h"
#include "protocols/tensorflow_serving/record_file.h"
#include "protocols/tensorflow_serving/serving_metrics.h"

namespace protean {
namespace tfserving {
namespace {

constexpr const char* kFile = "assets.extra/tf_serving_warmup_requests";
constexpr std::uint64_t kRecordsMax = 1000;

/// The request of the log, and the method it was sent to.
struct Logged {
  std::string_view path;
  protozero::data_view request;
};

Result<Logged> read_log(const Slice& record) {
  return field::decoding<Logged>("PredictionLog", [&]() -> Result<Logged> {
    std::optional<field::PredictionLog> kind;
    protozero::data_view log;
    protozero::pbf_message<field::PredictionLog> fields(field::whole(record));
    while (fields.next()) {
      const auto tag = fields.tag();
      const auto view = field::view(fields);
      if (!view || tag == field::PredictionLog::kMetadata || tag > field::PredictionLog::kPredictStreamed) continue;
      kind = tag;
      log = *view;
    }
    Logged logged;
    switch (kind.value_or(field::PredictionLog::kMetadata)) {
      case field::PredictionLog::kClassify: logged.path = path_of(Method::kClassify); break;
      case field::PredictionLog::kRegress: logged.path = path_of(Method::kRegress); break;
      case field::PredictionLog::kMultiInference: logged.path = path_of(Method::kMultiInference); break;
      case field::PredictionLog::kPredict: logged.path = path_of(Method::kPredict); break;
      case field::PredictionLog::kSessionRun: return fail(Code::kUnimplemented, "session_run cannot be repeated");
      case field::PredictionLog::kPredictStreamed:
        return fail(Code::kUnimplemented, "predict_streamed cannot be repeated");
      case field::PredictionLog::kMetadata:
        return fail(Code::kInvalidArgument, "expected a PredictionLog with a request, found none");
    }
    protozero::pbf_message<field::Log> members(log);
    while (members.next()) {
      const auto tag = members.tag();
      const auto view = field::view(members);
      if (view && tag == field::Log::kRequest) logged.request = *view;
    }
    return logged;
  });
}

/// A model's name, to stand in front of a request, whose own overrides it: nobody looks at the name here, but a live
/// call without one is refused.
std::string any_name() {
  std::string front;
  std::string spec;
  protozero::pbf_builder<field::ModelSpec>(spec).add_string(field::ModelSpec::kName, "recorded");
  protozero::pbf_builder<field::ExampleRequest>(front).add_message(field::ExampleRequest::kModelSpec, spec);
  return front;
}

class WarmUpFile final : public RecordedCalls {
 public:
  WarmUpFile(RecordFile file, std::string folder, TensorflowServingOptions options,
             std::shared_ptr<ServingMetrics> metrics)
      : file_(std::move(file)),
        folder_(std::move(folder)),
        options_(std::move(options)),
        metrics_(std::move(metrics)) {}

  [[nodiscard]] Result<std::optional<RecordedCall>> next() override {
    auto call = read();
    if (!call) {
      return fail(call.error().code, fmt::format("record {} of '{}': {}", at_, kFile, call.error().message));
    }
    if (*call) (*call)->name = fmt::format("record {} of '{}'", at_, kFile);
    return call;
  }

  void ended(const Status& status, Duration took) override {
    if (metrics_) metrics_->record_warm_up({folder_, status ? "OK" : code_name(status.error().code), at_, took});
  }

 private:
  Result<std::optional<RecordedCall>> read() {
    ++at_;
    TRY(const auto record, file_.next());
    if (!record) {
      --at_;
      return std::nullopt;
    }
    if (at_ > kRecordsMax) return fail(Code::kInvalidArgument, fmt::format("expected at most {} records", kRecordsMax));
    TRY(auto call, decode_prediction_log(*record, options_));
    return call;
  }

  RecordFile file_;
  const std::string folder_;
  const TensorflowServingOptions options_;
  const std::shared_ptr<ServingMetrics> metrics_;  // null: none are kept
  std::uint64_t at_ = 0;                           // of the record, from 1
};

}  // namespace

Result<RecordedCall> decode_prediction_log(const Slice& record, const TensorflowServingOptions& options) {
  TRY(const Logged logged, read_log(record));
  const bool many = logged.path == path_of(Method::kMultiInference);
  auto head = std::make_shared<RequestHead>();
  head->wire = Wire::kGrpc;
  head->path = logged.path;
  Buffer bytes;
  if (!many) bytes.append(any_name());
  bytes.append(std::string_view(logged.request.data(), logged.request.size()));
  const Slice body = std::move(bytes).share();
  TRY(Operation operation, decode_grpc({*head, body}));
  RecordedCall call;
  if (auto* one = std::get_if<InferRequest>(&operation)) {
    call.requests.push_back(std::move(*one));
  } else {
    call.requests = std::move(std::get<InferManyRequest>(operation).requests);
  }
  call.bind = [head, body, options](InferRequest& request, const Signature& signature) {
    return bind_grpc({*head, body}, request, &signature, options);
  };
  return call;
}

}  // namespace tfserving

RecordedCallReader make_tensorflow_serving_recordings(TensorflowServingOptions options,
                                                      std::shared_ptr<tfserving::ServingMetrics> metrics) {
  return [options = std::move(options),
          metrics = std::move(metrics)](const std::filesystem::path& folder) -> Result<std::unique_ptr<RecordedCalls>> {
    std::error_code error;
    if (!std::filesystem::exists(folder / tfserving::kFile, error)) return nullptr;
    TRY(const ModelFolder opened, ModelFolder::open(folder));
    TRY(ModelFile file, opened.open_file(tfserving::kFile, "the file of warm-up requests"));
    return std::make_unique<tfserving::WarmUpFile>(tfserving::RecordFile(std::move(file)), folder.string(), options,
                                                   metrics);
  };
}

}  // namespace protean
