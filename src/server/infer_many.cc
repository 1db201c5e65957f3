// SPDX-License-Identifier: Apache-2.0
// The version is looked up once; then one part an inference, and whichever part ends last answers the call.
#include "server/infer_many.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/table.h"
#include "server/request_deadline.h"
#include "server/request_path.h"

namespace protean {
namespace {

/// What the parts have brought. Owned by them together.
class Gathered {
 public:
  Gathered(RequestPath& path, std::shared_ptr<Call> call, std::size_t parts)
      : path_(path), call_(std::move(call)), open_(parts), results_(parts) {}

  [[nodiscard]] const Call& call() const noexcept { return *call_; }

  void done(std::size_t part, Result<InferResult> result, RunTimes times) {
    {
      const std::lock_guard lock(mutex_);
      if (result) {
        results_[part] = *std::move(result);
      } else if (!error_) {
        error_ = std::move(result).error();
      }
      call_->times.queue = std::max(call_->times.queue, times.queue);
      call_->times.run += times.run;
      if (--open_ > 0) return;
    }
    if (error_) return path_.finish(*call_, tl::unexpected(*std::move(error_)));
    path_.finish(*call_, Outcome(std::move(results_)));
  }

 private:
  RequestPath& path_;
  const std::shared_ptr<Call> call_;
  std::mutex mutex_;
  std::size_t open_;                  // guarded by mutex_
  std::vector<InferResult> results_;  // guarded by mutex_
  std::optional<Error> error_;        // guarded by mutex_
};

class PartCall final : public InferCall {
 public:
  PartCall(std::shared_ptr<Gathered> whole, std::size_t part, VersionHandle handle, const InferRequest& asked)
      : whole_(std::move(whole)), part_(part) {
    version = std::move(handle);
    request = &asked;
  }
  [[nodiscard]] bool cancelled() const noexcept override { return whole_->call().cancelled(); }
  /// The exchange tells one listener only; parts that still wait are dropped when they are looked at.
  void on_cancel(std::function<void()>) override {}
  void done(Result<InferResult> result, RunTimes times) override { whole_->done(part_, std::move(result), times); }

 private:
  const std::shared_ptr<Gathered> whole_;
  const std::size_t part_;
};

/// Every function is found and every input fits before anything runs.
Result<std::vector<VersionHandle>> prepare_all(const Call& call, std::vector<InferRequest>& requests,
                                               const Result<VersionHandle>& version) {
  std::vector<VersionHandle> functions;
  for (auto& request : requests) {
    auto function =
        version.and_then([&](const VersionHandle& found) { return find_function(found, request.function); });
    TRY_STATUS(RequestPath::bind(call, request, function));
    TRY_STATUS(prepare_inputs(request, *(*function)->signature));
    functions.push_back(*std::move(function));
  }
  return functions;
}

void run_all(RequestPath& path, const std::shared_ptr<Call>& call, Result<VersionHandle> version) {
  auto& requests = std::get<InferManyRequest>(call->operation).requests;
  auto functions = prepare_all(*call, requests, version);
  if (!functions) return path.finish(*call, tl::unexpected(std::move(functions).error()));
  call->version = *std::move(version);
  const auto whole = std::make_shared<Gathered>(path, call, requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    path.parts().scheduler.submit(std::make_shared<PartCall>(whole, i, (*functions)[i], requests[i]),
                                  Scheduler::Inline::kRefused);
  }
}

}  // namespace

void serve_many(RequestPath& path, const std::shared_ptr<Call>& call) {
  auto& requests = std::get<InferManyRequest>(call->operation).requests;
  if (requests.empty()) return path.finish(*call, fail(Code::kInvalidArgument, "no inference is asked for"));
  const auto until = request_deadline(call->head());
  if (!until) return path.finish(*call, tl::unexpected(until.error()));
  for (auto& request : requests) request.deadline = std::min(request.deadline, *until);
  const InferRequest& first = requests.front();
  Repository& repository = path.parts().repository;
  if (auto version = repository.acquire(first.model, first.version)) return run_all(path, call, *std::move(version));
  repository.wait_for_load(first.model, first.version, first.deadline,
                           [&path, call](Result<VersionHandle> loaded) { run_all(path, call, std::move(loaded)); });
}

}  // namespace protean
