// SPDX-License-Identifier: Apache-2.0
// What every dialect's inference call becomes on its way in, and what its answer is made from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/tensor.h"

namespace protean {

using Parameter = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;
/// In the order given. Names are unique within one list (the decoder refuses a repeated one).
using Parameters = std::vector<std::pair<std::string, Parameter>>;

/// nullptr when absent.
[[nodiscard]] const Parameter* find_parameter(const Parameters& parameters, std::string_view name) noexcept;

/// `nulls`: the elements that were null, ascending (NaN in a tensor of floats, empty in one of BYTES).
/// `untyped`: the client wrote values without a datatype; the tensor's is the one that holds them.
struct InferInput {
  std::string name;
  Tensor tensor;
  Parameters parameters;
  std::vector<std::size_t> nulls = {};
  bool untyped = false;
};

struct RequestedOutput {
  std::string name;
  Parameters parameters;
};

/// `version`: as the client wrote it; empty means the default one.
/// `outputs`: empty means all outputs of the signature that are not on_request, in its order.
/// `priority`: 1 is served first, 9 last; 0: the model's default.
/// `stream`: the client takes the answer in parts, if the model makes it so.
/// `function`: which of the model's named ones; empty: its main one.
struct InferRequest {
  std::string model;
  std::string version;
  std::string function = {};
  std::string id;
  Parameters parameters;
  std::vector<InferInput> inputs;
  std::vector<RequestedOutput> outputs;
  TimePoint deadline = kNever;
  std::uint32_t priority = 0;
  bool stream = false;
};

/// Takes what the request's parameters say about its scheduling: `priority` (1 to 9, 0 for the model's default) and
/// `timeout` (microseconds from `received_at`; 0: none), as Triton's clients send them. The parameters stay listed.
/// Errors: kInvalidArgument for another type or a value out of range.
[[nodiscard]] Status read_scheduling(InferRequest& request, TimePoint received_at);

struct InferOutput {
  std::string name;
  Tensor tensor;
  Parameters parameters;
};

/// Where an answer came from when the model has a response cache: kMiss ran the model, kHit did not, kShared took
/// the answer of an equal request that was already running.
enum class CacheUse : unsigned char { kNone, kMiss, kHit, kShared };

/// `hit` and so on, for the header x-protean-cache.
[[nodiscard]] std::string_view cache_use_name(CacheUse use) noexcept;

/// How a request was carried out: the time it waited for a thread and the time inside the model.
/// `rows`: of the run, with those of other requests and those that fill it up, the largest one where there were
/// several; 0: none was made for it.  `filling`: how many of them fill it up.
/// `first`: of those that shared the run.
struct RunTimes {
  Duration queue{};
  Duration run{};
  std::uint64_t rows = 0;
  std::uint64_t filling = 0;
  bool first = false;
};

/// `outputs` follow the request's list, or the signature when that was empty.
struct InferResult {
  std::string model;
  std::string version;
  std::string id;
  Parameters parameters;
  std::vector<InferOutput> outputs;
  CacheUse cache_use = CacheUse::kNone;
  RunTimes times = {};
};

}  // namespace protean
