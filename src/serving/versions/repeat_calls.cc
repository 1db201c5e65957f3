// SPDX-License-Identifier: Apache-2.0
// A recorded call goes the way of a live one: bound to the function's signature, checked, run.
#include "serving/versions/repeat_calls.h"

#include <fmt/format.h>

#include <utility>

#include "core/table.h"
#include "serving/check_request.h"

namespace protean {
namespace {

class Repetition {
 public:
  Repetition(LoadedVersion& version, RecordedCalls& calls, const Clock& clock)
      : version_(version), calls_(calls), clock_(clock), begun_(clock.now()) {}

  Status run() {
    while (!cut_short_) {
      TRY(auto call, calls_.next());
      if (!call) break;
      if (auto repeated = repeat(*call); !repeated) {
        return fail(repeated.error().code,
                    fmt::format("warm-up with {} failed: {}", call->name, repeated.error().message));
      }
      ++repeated_;
      cut_short_ = clock_.now() - begun_ >= version_.config->warm_up.time_max;
    }
    return {};
  }

  [[nodiscard]] Duration took() const { return clock_.now() - begun_; }

  [[nodiscard]] std::string note() const {
    return fmt::format("repeated {} recorded calls, {} runs in {:.0f} ms{}", repeated_, runs_,
                       std::chrono::duration<double, std::milli>(took()).count(),
                       cut_short_ ? ", cut short by time_max" : "");
  }

 private:
  Status repeat(RecordedCall& call) {
    for (auto& request : call.requests) {
      TRY(LoadedVersion * function, function_of(version_, request.function));
      TRY_STATUS(call.bind(request, *function->signature));
      TRY_STATUS(prepare_inputs(request, *function->signature));
      TRY(const auto checked, check_request(request, *function->signature, "recorded"));
      for (std::uint32_t i = 0; i < version_.config->warm_up.recorded_runs; ++i) {
        TRY_STATUS(function->model->run({checked.inputs, checked.outputs, {}, {}, request.id, &request.parameters}));
        ++runs_;
      }
    }
    return {};
  }

  LoadedVersion& version_;
  RecordedCalls& calls_;
  const Clock& clock_;
  const TimePoint begun_;
  std::uint64_t repeated_ = 0;
  std::uint64_t runs_ = 0;
  bool cut_short_ = false;
};

}  // namespace

Result<std::string> repeat_calls(LoadedVersion& version, RecordedCalls& calls, const Clock& clock) {
  Repetition repetition(version, calls, clock);
  const Status status = repetition.run();
  calls.ended(status, repetition.took());
  if (!status) return tl::unexpected(status.error());
  return repetition.note();
}

}  // namespace protean
