// SPDX-License-Identifier: Apache-2.0
// Bytes into an HTTP/1.1 session: the first ones choose limits and where the rest is split. Whatever comes, the same
// bytes in one piece and in many must give the same requests and hold no memory at the end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "transport/session_factories.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

constexpr std::size_t kSettingBytes = 3;

/// What a request came to, as its handler sees it.
std::string describe(const Exchange& exchange) {
  const RequestHead& head = exchange.head();
  std::string text = head.method + ' ' + head.path + '?' + head.query + ' ' + head.scheme_host + '\n';
  for (std::size_t i = 0; i < head.headers.size(); ++i) {
    text.append(head.headers.name(i)).append(": ").append(head.headers.value(i)).append("\n");
  }
  return text.append(exchange.body().text());
}

struct Outcome {
  std::vector<std::string> requests;
  bool closed = false;
};

Limits limits_of(std::uint8_t setting) {
  Limits limits;
  limits.body_bytes_max = (setting & 1) != 0 ? 64 : 4096;
  limits.header_bytes_max = (setting & 2) != 0 ? 64 : 1024;
  limits.chunks_max = (setting & 4) != 0 ? 2 : 100;
  limits.pipeline_max = (setting & 8) != 0 ? 1 : 8;
  return limits;
}

/// Feeds `bytes` in pieces of `piece` and `piece + step`, `piece + 2 * step`, ... bytes.
Outcome run(std::string_view bytes, std::uint8_t setting, std::size_t piece, std::size_t step) {
  Outcome outcome;
  testing::SessionRig rig(make_http1_session, limits_of(setting));
  rig.handler.answer = [&](Exchange& exchange) {
    outcome.requests.push_back(describe(exchange));
    testing::answer_with_request(exchange);
  };
  while (!bytes.empty() && !rig.session->wants_close()) {
    const std::size_t count = std::min(bytes.size(), piece);
    rig.send(bytes.substr(0, count));
    bytes.remove_prefix(count);
    piece += step;
  }
  outcome.closed = rig.session->wants_close();
  rig.session->on_peer_finished();
  rig.receive();
  PROTEAN_CHECK(rig.session->wants_close());
  rig.session->on_closed();
  PROTEAN_CHECK(rig.memory.held() == 0);
  return outcome;
}

}  // namespace
}  // namespace protean

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace protean;
  if (size < kSettingBytes) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + kSettingBytes, size - kSettingBytes);
  const Outcome whole = run(bytes, data[0], std::max<std::size_t>(1, bytes.size()), 0);
  const Outcome pieces = run(bytes, data[0], std::size_t{1} + data[1], data[2] % 16);
  const Outcome single = run(bytes, data[0], 1, 0);
  for (const Outcome* split : {&pieces, &single}) {
    PROTEAN_CHECK(split->requests == whole.requests);
    // A refusal may come earlier when bytes come one by one, but never for what is fine as a whole.
    PROTEAN_CHECK(!split->closed || whole.closed);
  }
  return 0;
}
