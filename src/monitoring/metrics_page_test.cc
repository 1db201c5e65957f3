// SPDX-License-Identifier: Apache-2.0
// The page as a client sees it, and what promtool thinks of everything that this folder and core register.
#include "monitoring/metrics_page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/model_metrics.h"
#include "monitoring/process_metrics.h"

namespace protean {
namespace {

Response scrape(metrics::Registry& registry, std::string_view method, std::string_view accept) {
  const auto page = make_metrics_page(registry);
  RequestHead head;
  head.method = method;
  head.path = "/metrics";
  if (!accept.empty()) head.headers.add("Accept", accept);
  const Slice body;
  const RequestView request{head, body};
  EXPECT_TRUE(page->claims(head));
  auto operation = page->decode(request);
  EXPECT_TRUE(operation.has_value());
  return *page->encode(request, *operation, std::monostate{});
}

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

std::string text(const Response& response) { return response.body.empty() ? "" : std::string(response.body[0].text()); }

void fill(metrics::Registry& registry) {
  add_process_metrics(registry);
  ModelMetrics iris(registry, "iris", "1");
  iris.requests->add();
  iris.stage(Stage::kRun).observe(1000);
  iris.failures(Code::kInvalidArgument).add();
}

TEST(MetricsPage, AnswersGetAndHeadInTheFormatAskedFor) {
  metrics::Registry registry;
  fill(registry);
  const Response plain = scrape(registry, "GET", "");
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(header(plain, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(text(plain).find("protean_requests_total{model=\"iris\",version=\"1\"} 1\n"), std::string::npos);
  const Response open = scrape(registry, "HEAD", "application/openmetrics-text;version=1.0.0");
  EXPECT_EQ(header(open, "content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(text(open).ends_with("# EOF\n"));
}

TEST(MetricsPage, RefusesOtherMethodsAndSaysWhichItTakes) {
  metrics::Registry registry;
  const Response refusal = scrape(registry, "POST", "");
  EXPECT_EQ(refusal.status, 405);
  EXPECT_EQ(header(refusal, "allow"), "GET, HEAD");
  EXPECT_EQ(text(refusal), "/metrics: method POST, expected GET or HEAD\n");
}

TEST(MetricsPage, ClaimsItsPathOnly) {
  metrics::Registry registry;
  const auto page = make_metrics_page(registry);
  for (const char* path : {"/", "/metrics/", "/metricsx", "/v2/metrics", ""}) {
    RequestHead head;
    head.path = path;
    EXPECT_FALSE(page->claims(head)) << path;
  }
  RequestHead grpc;
  grpc.wire = Wire::kGrpc;
  grpc.path = "/metrics";
  EXPECT_FALSE(page->claims(grpc));
}

TEST(MetricsPage, IsCleanForPromtool) {
  const std::string tool = std::string(PROTEAN_SOURCE_DIR) + "/.deps/bin/promtool";
  const bool own = std::ifstream(tool).good();
  if (!own && std::system("promtool --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  metrics::Registry registry;
  fill(registry);
  const std::string file = testing::TempDir() + "metrics_page_test.txt";
  std::ofstream(file) << text(scrape(registry, "GET", ""));
  const std::string command =
      (own ? "'" + tool + "'" : "promtool") + " check metrics <'" + file + "' >'" + file + ".out' 2>&1";
  const int code = std::system(command.c_str());
  std::stringstream said;
  said << std::ifstream(file + ".out").rdbuf();
  EXPECT_EQ(code, 0) << said.str();
  EXPECT_EQ(said.str(), "");
}

TEST(ProcessMetrics, AreReadAtEachSnapshot) {
  metrics::Registry registry;
  add_process_metrics(registry);
  const auto value = [&](std::string_view name) {
    for (const auto& family : registry.snapshot()) {
      if (family.name == name) return family.members.at(0).gauge->value();
    }
    ADD_FAILURE() << name << " is missing";
    return 0.0;
  };
  EXPECT_GE(value("process_cpu_seconds"), 0);
  EXPECT_GT(value("process_resident_memory_bytes"), 1e5);
  EXPECT_GE(value("process_virtual_memory_bytes"), value("process_resident_memory_bytes"));
  EXPECT_GE(value("process_threads"), 1);
  EXPECT_GT(value("process_max_fds"), 3);
  EXPECT_GT(value("process_start_time_seconds"), 1.5e9);
  const double before = value("process_open_fds");
  const std::ifstream held("/proc/self/stat");
  EXPECT_EQ(value("process_open_fds"), before + 1);
}

TEST(MetricsDocumentation, ExplainsEveryFamily) {
  metrics::Registry registry;
  fill(registry);
  std::stringstream page;
  page << std::ifstream(std::string(PROTEAN_SOURCE_DIR) + "/docs/metrics.md").rdbuf();
  for (const auto& family : registry.snapshot()) {
    const std::string name = family.name + (family.kind == metrics::Kind::kCounter ? "_total" : "");
    EXPECT_NE(page.str().find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace protean
