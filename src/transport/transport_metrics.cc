// SPDX-License-Identifier: Apache-2.0
// Names and help texts of the transport's metrics, in one place.
#include "transport/transport_metrics.h"

#include <string>

namespace protean {

TransportMetrics::TransportMetrics(metrics::Registry& r)
    : connections(r.gauge("protean_connections", "Connections open now.")),
      connections_accepted(r.counter("protean_connections_accepted", "Connections accepted.")),
      connections_refused(r.counter("protean_connections_refused", "Connections closed at once: over the limit.")),
      received_bytes(r.counter("protean_received_bytes", "Bytes received, as on the wire inside TLS.")),
      sent_bytes(r.counter("protean_sent_bytes", "Bytes sent, as on the wire inside TLS.")),
      tls_handshake_failures(r.counter("protean_tls_handshake_failures", "TLS handshakes that failed or timed out.")),
      registry(r) {}

void TransportMetrics::refused(std::string_view cause) {
  registry
      .counter("protean_transport_refusals", "Requests answered or cut off by the transport itself, by cause.",
               {{"cause", std::string(cause)}})
      ->add();
}

}  // namespace protean
