// SPDX-License-Identifier: Apache-2.0
// The scrape: snapshot, format, answer. Everything is known at decode time, so nobody else is asked.
#include "monitoring/metrics_page.h"

#include <fmt/format.h>

#include "base/text.h"
#include "monitoring/prometheus_text.h"

namespace protean {
namespace {

Response plain_text(int status, std::string text) {
  return make_response(status, "text/plain; charset=utf-8", Slice::of(std::move(text)));
}

class MetricsPage final : public Protocol {
 public:
  explicit MetricsPage(metrics::Registry& registry) : registry_(registry) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "metrics"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    return head.wire != Wire::kGrpc && head.path == "/metrics";
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    const auto& head = request.head;
    if (head.method != "GET" && head.method != "HEAD") {
      auto refusal =
          plain_text(405, fmt::format("/metrics: method {}, expected GET or HEAD\n", printable(head.method)));
      refusal.headers.emplace_back("allow", "GET, HEAD");
      return Operation(Immediate{std::move(refusal)});
    }
    const auto format = choose_metrics_format(head.headers.find("accept").value_or(""));
    const auto families = registry_.snapshot();
    auto response = make_response(200, metrics_content_type(format), Slice::of(format_metrics(families, format)));
    response.headers.emplace_back("cache-control", "no-store");
    return Operation(Immediate{std::move(response)});
  }

  [[nodiscard]] Result<Response> encode(const RequestView&, const Operation& operation, Outcome) const override {
    if (const auto* immediate = std::get_if<Immediate>(&operation)) return immediate->response;
    return fail(Code::kInternal, "/metrics: unexpected operation");
  }

  [[nodiscard]] Response encode_error(const RequestView&, const Error& error) const override {
    return plain_text(error.code == Code::kUnavailable ? 503 : 500, error.message + "\n");
  }

 private:
  metrics::Registry& registry_;
};

}  // namespace

std::unique_ptr<Protocol> make_metrics_page(metrics::Registry& registry) {
  return std::make_unique<MetricsPage>(registry);
}

}  // namespace protean
