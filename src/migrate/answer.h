// SPDX-License-Identifier: Apache-2.0
// The two sides of a migration, what one of them said to a request, and the way to ask it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/result.h"
#include "core/exchange.h"

namespace protean::migrate {

/// kFrom is the old server, kTo the new one.
enum class Side : unsigned char { kFrom, kTo };
inline constexpr std::size_t kSides = 2;

[[nodiscard]] constexpr Side other(Side side) noexcept { return side == Side::kFrom ? Side::kTo : Side::kFrom; }
[[nodiscard]] constexpr std::size_t index_of(Side side) noexcept { return static_cast<std::size_t>(side); }
[[nodiscard]] constexpr std::string_view side_name(Side side) noexcept { return side == Side::kFrom ? "from" : "to"; }

using Fields = std::vector<std::pair<std::string, std::string>>;

/// `error`: nothing whole came. Its code: kUnavailable (not reached, broken off), kInternal (this request was broken
/// off, or what came is no answer), kDeadlineExceeded, kResourceExhausted (more than may be kept), kCancelled (we
/// stop). After the first two somebody else may be asked. gRPC: `grpc_status` is 0 to 16, `body` the message without
/// its prefix; HTTP: `status`. `took`: from when the request was given to an open connection to the last byte of the
/// answer.
struct Answer {
  std::optional<Error> error;
  int status = 0;
  int grpc_status = -1;
  std::string grpc_message;
  Fields headers;
  Fields trailers;
  Slice body;
  Duration took{};
};

/// The connections to one side.  Thread-safe.
class Upstream {
 public:
  using Done = std::function<void(Answer)>;
  virtual ~Upstream() = default;
  /// Sends the request of `exchange` as it came.  `done` is called once, on a thread of the upstream's own (or within
  /// this call, when it has stopped), at `deadline` at the latest.
  virtual void send(std::shared_ptr<const Exchange> exchange, TimePoint deadline, Done done) = 0;
};

}  // namespace protean::migrate
