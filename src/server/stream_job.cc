// SPDX-License-Identifier: Apache-2.0
// Parts are encoded on the thread that runs the model, which waits while too much is on its way to the client.
#include "server/stream_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "server/part_window.h"
#include "serving/scheduling/batch.h"

namespace protean {
namespace {

/// Bytes of one answer that may be on their way to its client.
constexpr std::size_t kWindowBytes = std::size_t{1} << 20;
/// A client that reads nothing for so long gives the model back to others.
constexpr Duration kReadIdleMax = std::chrono::seconds(30);

class CallParts final : public PartSink {
 public:
  CallParts(Call& call, const CheckedRequest& checked, std::stop_token cancel)
      : call_(call),
        checked_(checked),
        cancel_(std::move(cancel)),
        window_(std::make_shared<PartWindow>(kWindowBytes)) {}

  [[nodiscard]] Status part(std::vector<Tensor> outputs) override {
    if (outputs.size() != checked_.outputs.size()) {
      return fail(Code::kInternal, fmt::format("the model answered {} outputs in a part, expected {}", outputs.size(),
                                               checked_.outputs.size()));
    }
    TRY_STATUS(window_->wait(cancel_, std::min(call_.ticket.deadline, Clock::system().now() + kReadIdleMax)));
    InferResult result = make_result(call_, std::move(outputs));
    TRY(Response encoded, call_.protocol->encode_part(call_.view(), call_.operation, std::move(result)));
    encoded.until_sent = window_->take(encoded.body_size());
    call_.send_part(std::move(encoded));
    return {};
  }

 private:
  Call& call_;
  const CheckedRequest& checked_;
  const std::stop_token cancel_;
  const std::shared_ptr<PartWindow> window_;
};

}  // namespace

void prepare_stream(Call& call) {
  const auto* infer = std::get_if<InferRequest>(&call.operation);
  if (infer == nullptr || !infer->stream || !call.version->signature->streams) return;
  call.job = [&call](const CheckedRequest& checked, const std::stop_token& cancel) -> Status {
    CallParts parts(call, checked, cancel);
    RunRequest request{checked.inputs, checked.outputs, cancel};
    request.request_id = call.request->id;
    request.parameters = &call.request->parameters;
    request.parts = &parts;
    TRY(const auto rest, call.version->model->run(request));
    if (call.part_bytes == 0) return fail(Code::kInternal, "the model's answer has no parts, expected at least one");
    return {};
  };
}

}  // namespace protean
