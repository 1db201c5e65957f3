// SPDX-License-Identifier: Apache-2.0
// What the transports count: connections, bytes, and requests that ended before anybody could decode them.
#pragma once

#include <memory>
#include <string_view>

#include "base/metrics.h"

namespace protean {

/// Thread-safe; one for the process.
struct TransportMetrics {
  explicit TransportMetrics(metrics::Registry& registry);

  std::shared_ptr<metrics::Gauge> connections;  // open now
  std::shared_ptr<metrics::Counter> connections_accepted;
  std::shared_ptr<metrics::Counter> connections_refused;  // over the limit
  std::shared_ptr<metrics::Counter> received_bytes;
  std::shared_ptr<metrics::Counter> sent_bytes;
  std::shared_ptr<metrics::Counter> tls_handshake_failures;
  /// Requests answered or cut off by the transport itself, by cause: `malformed`, `head_too_large`,
  /// `body_too_large`, `timeout`, `memory`, `client_left`, `unsupported`, `not_http`.
  void refused(std::string_view cause);

  metrics::Registry& registry;
};

}  // namespace protean
