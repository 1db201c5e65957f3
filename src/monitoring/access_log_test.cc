// SPDX-License-Identifier: Apache-2.0
// Which requests get a line, and what stands in it, read back from standard error.
#include "monitoring/access_log.h"

#include <gtest/gtest.h>

#include "base/log.h"

namespace protean {
namespace {

using namespace std::chrono_literals;

std::string line_of(const AccessLog& log, const AccessRecord& record) {
  testing::internal::CaptureStderr();
  log.record(record);
  log::flush_and_stop();
  return testing::internal::GetCapturedStderr();
}

TEST(AccessLog, WantsWhatItsPolicySays) {
  const AccessLog off(AccessLogPolicy::kOff);
  const AccessLog errors(AccessLogPolicy::kErrors);
  const AccessLog all(AccessLogPolicy::kAll);
  EXPECT_FALSE(off.wants(500, Code::kInternal));
  EXPECT_FALSE(errors.wants(200, std::nullopt));
  EXPECT_TRUE(errors.wants(404, Code::kNotFound));
  EXPECT_TRUE(errors.wants(200, Code::kNotFound));  // gRPC: the HTTP status is always 200
  EXPECT_TRUE(errors.wants(413, std::nullopt));
  EXPECT_TRUE(all.wants(200, std::nullopt));
}

TEST(AccessLog, WritesOneJsonLineWithEveryField) {
  AccessRecord record;
  record.request_id = "r1";
  record.method = "POST";
  record.path = "/v2/models/iris/infer";
  record.model = "iris";
  record.version = "2";
  record.peer = "127.0.0.1:5000";
  record.status = 400;
  record.code = Code::kInvalidArgument;
  record.duration = 1234567ns;
  record.stages[static_cast<std::size_t>(Stage::kDecode)] = 1500ns;
  record.stages[static_cast<std::size_t>(Stage::kRun)] = 1ms;
  record.request_bytes = 10;
  record.response_bytes = 20;
  record.trace = TraceContext{"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true};
  const std::string line = line_of(AccessLog(AccessLogPolicy::kErrors), record);
  const auto fields = line.find(R"("level":"info","event":"request",)");
  ASSERT_NE(fields, std::string::npos) << line;
  EXPECT_EQ(line.substr(fields),
            R"("level":"info","event":"request","request_id":"r1","method":"POST","path":"/v2/models/iris/infer",)"
            R"("model":"iris","version":"2","status":400,"code":"INVALID_ARGUMENT","duration_ms":1.235,)"
            R"("decode_ms":0.002,"run_ms":1,"request_bytes":10,"response_bytes":20,"peer":"127.0.0.1:5000",)"
            R"("trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"})"
            "\n");
}

TEST(AccessLog, LeavesOutWhatIsUnknownAndWarnsOfFaultsOfTheServer) {
  AccessRecord record;
  record.path = "/x\x1b[31m";
  record.status = 500;
  const std::string line = line_of(AccessLog(AccessLogPolicy::kAll), record);
  EXPECT_NE(line.find(R"("level":"warning","event":"request","path":"/x?[31m","status":500,"duration_ms":0,)"
                      R"("request_bytes":0,"response_bytes":0})"),
            std::string::npos)
      << line;
}

TEST(AccessLog, CutsLongPaths) {
  AccessRecord record;
  const std::string path = "/" + std::string(100'000, 'a');
  record.path = path;
  EXPECT_LT(line_of(AccessLog(AccessLogPolicy::kAll), record).size(), 1000);
}

}  // namespace
}  // namespace protean
