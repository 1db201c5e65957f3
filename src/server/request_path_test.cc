// SPDX-License-Identifier: Apache-2.0
// A request's whole way without a socket: an exchange in memory in, the dialect's bytes out, metrics counted.
#include "server/request_path.h"

#include <gtest/gtest.h>

#include <future>
#include <semaphore>

#include "protocols/grpc_standard/protocol.h"
#include "protocols/open_inference/protocol.h"
#include "serving/fake_backend.h"
#include "serving/temporary_folder.h"

namespace protean {
namespace {

using testing::FakeBackend;
using testing::TemporaryFolder;

Slice padded(std::string_view text) {
  Buffer buffer;
  buffer.append(text);
  return std::move(buffer).share();
}

std::string text_of(const Response& response) {
  std::string text;
  for (const auto& part : response.body) text += part.text();
  return text;
}

class MemoryExchange final : public Exchange {
 public:
  MemoryExchange(std::string method, std::string path, std::string_view body) : body_(padded(body)) {
    head_.method = std::move(method);
    head_.path = std::move(path);
    head_.received_at = Clock::system().now();
  }
  [[nodiscard]] const RequestHead& head() const noexcept override { return head_; }
  [[nodiscard]] const Slice& body() const noexcept override { return body_; }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return head_.received_at; }
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  void on_cancel(std::function<void()>) override {}
  void respond(Response response) override { answer_.set_value(std::move(response)); }
  void start(Response response) override {
    EXPECT_TRUE(whole_.body.empty());
    whole_ = std::move(response);
  }
  void write(Slice piece, std::shared_ptr<const void>) override { whole_.body.push_back(std::move(piece)); }
  void finish() override { answer_.set_value(std::move(whole_)); }

  Response wait() { return answer_.get_future().get(); }
  RequestHead& mutable_head() { return head_; }

 private:
  RequestHead head_;
  Slice body_;
  Response whole_;  // of an answer in pieces
  std::promise<Response> answer_;
};

/// Records what is sent; next() only counts.
class MemoryStream final : public MessageStream {
 public:
  explicit MemoryStream(std::string path) {
    head_.wire = Wire::kGrpc;
    head_.method = "POST";
    head_.path = std::move(path);
  }
  [[nodiscard]] const RequestHead& head() const noexcept override { return head_; }
  [[nodiscard]] bool cancelled() const noexcept override { return gone; }
  void on_cancel(std::function<void()>) override {}
  void send(Response message) override { sent.push_back(text_of(message)); }
  void next() override {
    ++asked;
    turns.release();
  }
  void finish(std::optional<Code> code, std::string message) override {
    if (!finished) ended_with = code;
    finished = true;
    reason = std::move(message);
    turns.release();
  }

  std::vector<std::string> sent;
  int asked = 0;
  std::counting_semaphore<> turns{0};  // one for each next(), and the end
  bool gone = false;
  bool finished = false;
  std::optional<Code> ended_with;
  std::string reason;

 private:
  RequestHead head_;
};

ProtocolSets protocols() {
  ProtocolSets sets;
  sets[static_cast<std::size_t>(Dialect::kDefault)] = {make_open_inference(), make_grpc_standard()};
  return sets;
}

class RequestPathTest : public ::testing::Test {
 protected:
  RequestPathTest() {
    folder_.write("m/1/model", "MODEL");
    folder_.write("bad/model", "MODEL broken");
    folder_.write("failing/model", "MODEL fails");
    folder_.write("parts/model", "MODEL streams");
    folder_.write("breaks/model", "MODEL streams fails");
    EXPECT_TRUE(repository_.start());
  }
  Response ask(std::string method, std::string path, std::string_view body = {}) {
    const auto exchange = std::make_shared<MemoryExchange>(std::move(method), std::move(path), body);
    path_.on_exchange(exchange);
    return exchange->wait();
  }

  metrics::Registry registry_;
  TemporaryFolder folder_;
  FakeBackend backend_;
  Repository repository_{{folder_.path(), false}, {{&backend_}, registry_, nullptr, {}, {}, {}}};
  Scheduler scheduler_{{1, 8}};
  Readiness readiness_;
  Control control_{{{"protean", "1", {}}, true}, repository_, readiness_};
  AccessLog log_{AccessLogPolicy::kOff};
  RequestPath path_{{repository_, scheduler_, control_, readiness_, log_, registry_}, protocols()};
};

constexpr std::string_view kBody =
    R"({"id":"7","inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":[1,250]}]})";

TEST_F(RequestPathTest, AnswersAnInference) {
  const Response response = ask("POST", "/v2/models/m/infer", kBody);
  EXPECT_EQ(response.status, 200);
  // The fake adds the length of its file (MODEL: 5) to each byte: 1 + 5 and 250 + 5.
  const std::string text = text_of(response);
  EXPECT_NE(text.find(R"("id":"7")"), std::string::npos) << text;
  EXPECT_NE(text.find("[6,255]"), std::string::npos) << text;
}

TEST_F(RequestPathTest, ExplainsOnTheExecutorAgainstTheRequestsBackground) {
  // The fake adds 5 to each byte: what a byte adds is its distance from the background's.
  constexpr std::string_view kExplain =
      R"({"id":"8","inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[7]}],)"
      R"("background":{"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":[1,3]}]}})";
  const Response response = ask("POST", "/v2/models/m/explain", kExplain);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(text_of(response),
            R"({"model_name":"m","model_version":"1","id":"8","method":"kernel_shap","scale":"output",)"
            R"("additivity_error":0.0,"features":["x"],"outputs":[{"name":"y","base":7.0,)"
            R"("rows":[{"total":12.0,"contributions":[5.0]}]}]})");
}

TEST_F(RequestPathTest, SaysWhatAnExplanationLacks) {
  EXPECT_NE(text_of(ask("POST", "/v2/models/m/explain", kBody)).find("needs a background"), std::string::npos);
  EXPECT_EQ(ask("POST", "/v2/models/nobody/explain", kBody).status, 404);
  EXPECT_EQ(ask("POST", "/v2/models/failing/explain", kBody).status, 400);
}

TEST_F(RequestPathTest, RefusesNullsThatAModelWithoutColumnsCannotHold) {
  const Response response =
      ask("POST", "/v2/models/m/infer", R"({"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":[null]}]})");
  EXPECT_EQ(response.status, 400);
  const std::string wanted = "element 0 of data is null, expected a string for BYTES (model m, version 1)";
  EXPECT_NE(text_of(response).find(wanted), std::string::npos) << text_of(response);
}

/// Fails its first run, once it is let go on.
class OnceFailingBackend final : public Backend {
 public:
  struct Gate {
    std::counting_semaphore<> entered{0};
    std::counting_semaphore<> opened{0};
    std::atomic<int> runs{0};
  };
  class GatedModel final : public Model {
   public:
    explicit GatedModel(Gate& gate) : gate_(gate) {
      signature_.inputs = {{"x", DataType::kUint8, {-1}, {}, false, false}};
      signature_.outputs = {{"y", DataType::kUint8, {-1}, {}, false, false}};
    }
    [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
    [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
      const int number = ++gate_.runs;
      gate_.entered.release();
      gate_.opened.acquire();
      if (number == 1) return fail(Code::kInternal, "bad luck");
      return std::vector<Tensor>{*request.inputs.front()};
    }
    [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

   private:
    Gate& gate_;
    Signature signature_;
  };

  [[nodiscard]] std::string_view id() const noexcept override { return "gated"; }
  [[nodiscard]] std::string description() const override { return "gated 1.0"; }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    return std::filesystem::is_regular_file(path);
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles&, const LoadOptions&) override {
    return std::make_unique<GatedModel>(gate);
  }
  Gate gate;
};

TEST(RequestPathCache, ALeadThatFailsPassesToWhoeverWaits) {
  metrics::Registry registry;
  TemporaryFolder folder;
  folder.write("m/1/model", "MODEL");
  OnceFailingBackend backend;
  RepositoryParts parts{{&backend}, registry, nullptr, {}, {}, {}};
  parts.config = [](const auto&, std::string_view) -> Result<ModelConfig> {
    ModelConfig config;
    config.cache_bytes_max = 1 << 20;
    config.warm_up.generated_runs = 0;
    config.batch.mode = BatchConfig::Mode::kOff;
    return config;
  };
  Repository repository({folder.path(), false}, std::move(parts));
  ASSERT_TRUE(repository.start());
  Scheduler scheduler({1, 8});
  Readiness readiness;
  Control control{{{"protean", "1", {}}, true}, repository, readiness};
  AccessLog log{AccessLogPolicy::kOff};
  RequestPath path{{repository, scheduler, control, readiness, log, registry}, protocols()};

  const auto first = std::make_shared<MemoryExchange>("POST", "/v2/models/m/infer", kBody);
  const auto second = std::make_shared<MemoryExchange>("POST", "/v2/models/m/infer", kBody);
  path.on_exchange(first);
  backend.gate.entered.acquire();
  path.on_exchange(second);  // waits for the first one's answer
  backend.gate.opened.release(2);
  EXPECT_EQ(first->wait().status, 500);
  EXPECT_EQ(second->wait().status, 200);
  EXPECT_EQ(backend.gate.runs, 2);
}

TEST_F(RequestPathTest, CountsWhatPassed) {
  ask("POST", "/v2/models/m/infer", kBody);
  ask("POST", "/v2/models/failing/infer", kBody);
  const auto version = *repository_.find("m", "1");
  EXPECT_EQ(version->metrics->requests->value(), 1U);
  EXPECT_EQ(version->metrics->request_bytes->value(), kBody.size());
  EXPECT_EQ(version->metrics->batch_rows->sum(), 2U);
  const auto failing = *repository_.find("failing", "");
  EXPECT_EQ(failing->metrics->failures(Code::kInternal).value(), 1U);
}

TEST_F(RequestPathTest, AnswersInTheDialectWhenTheModelIsUnknownBrokenOrFails) {
  EXPECT_EQ(ask("POST", "/v2/models/nobody/infer", kBody).status, 404);
  EXPECT_EQ(ask("POST", "/v2/models/bad/infer", kBody).status, 503);
  const Response failed = ask("POST", "/v2/models/failing/infer", kBody);
  EXPECT_EQ(failed.status, 500);
  EXPECT_NE(text_of(failed).find("the model failed (model failing, version 1)"), std::string::npos);
}

TEST_F(RequestPathTest, CountsByCodeWhatReachesNoModel) {
  ask("POST", "/v2/models/nobody/infer", kBody);
  ask("POST", "/v2/models/m/infer", "{");
  const auto count = [&](std::string code) {
    return registry_
        .counter("protean_unresolved_requests", "Requests that failed before a model version was known, by status code",
                 {{"code", std::move(code)}})
        ->value();
  };
  EXPECT_EQ(count("NOT_FOUND"), 1U);
  EXPECT_EQ(count("INVALID_ARGUMENT"), 1U);
}

TEST_F(RequestPathTest, AnswersPathsNobodyClaims) {
  EXPECT_EQ(ask("GET", "/nowhere").status, 404);
  const auto exchange = std::make_shared<MemoryExchange>("POST", "/some.Service/Method", "");
  exchange->mutable_head().wire = Wire::kGrpc;
  path_.on_exchange(exchange);
  EXPECT_EQ(exchange->wait().grpc_code, Code::kUnimplemented);
}

TEST_F(RequestPathTest, TellsReadinessOfServerAndModels) {
  EXPECT_EQ(ask("GET", "/v2/health/ready").status, 503);
  readiness_.set(true);
  EXPECT_EQ(ask("GET", "/v2/health/ready").status, 200);
  EXPECT_EQ(ask("GET", "/v2/models/m/ready").status, 200);
  EXPECT_EQ(ask("GET", "/v2/models/bad/ready").status, 503);
  EXPECT_EQ(ask("GET", "/v2/models/nobody/ready").status, 404);
}

TEST_F(RequestPathTest, LoadsAndUnloadsByRequest) {
  EXPECT_EQ(ask("POST", "/v2/repository/models/m/unload").status, 200);
  EXPECT_EQ(ask("POST", "/v2/models/m/infer", kBody).status, 503);
  EXPECT_EQ(ask("POST", "/v2/repository/models/m/load").status, 200);
  EXPECT_EQ(ask("POST", "/v2/models/m/infer", kBody).status, 200);
}

TEST_F(RequestPathTest, EchoesTheRequestIdOfTheClient) {
  const auto exchange = std::make_shared<MemoryExchange>("GET", "/v2/health/live", "");
  exchange->mutable_head().headers.add("X-Request-Id", "abc-1");
  path_.on_exchange(exchange);
  const auto headers = exchange->wait().headers;
  EXPECT_NE(std::find(headers.begin(), headers.end(), std::pair<std::string, std::string>("x-request-id", "abc-1")),
            headers.end());
}

TEST_F(RequestPathTest, HealthWatchTellsChangesAndEndsAtDrain) {
  const auto stream = std::make_shared<MemoryStream>("/grpc.health.v1.Health/Watch");
  ASSERT_EQ(path_.body_mode(stream->head()), BodyMode::kMessages);
  const auto events = path_.on_stream(stream);
  EXPECT_EQ(stream->asked, 1);
  events->on_message(padded(""));
  readiness_.set(true);
  readiness_.set(false);
  // HealthCheckResponse{status: NOT_SERVING (2) or SERVING (1)}, field 1 as a varint.
  EXPECT_EQ(stream->sent, (std::vector<std::string>{"\x08\x02", "\x08\x01", "\x08\x02"}));
  EXPECT_FALSE(stream->finished);
  path_.drain();
  EXPECT_EQ(stream->ended_with, Code::kUnavailable);
}

TEST_F(RequestPathTest, EndsAStreamWithTheErrorOfAMessage) {
  const auto stream = std::make_shared<MemoryStream>("/inference.GRPCInferenceService/ModelStreamInfer");
  const auto events = path_.on_stream(stream);
  events->on_message(padded("\x0a\x06nobody"));  // ModelInferRequest{model_name: "nobody"}
  EXPECT_EQ(stream->ended_with, Code::kNotFound);
}

TEST_F(RequestPathTest, SendsTheAnswerInPartsAsEvents) {
  // What the model answers is each byte plus the 13 of its file.
  const std::string body = R"({"id":"7","inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":[1,2]}]})";
  const auto response = ask("POST", "/v2/models/parts/infer_stream", body);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.front().second, "text/event-stream; charset=utf-8");
  const auto event = [](int value) {
    return R"(data: {"model_name":"parts","model_version":"1","id":"7","outputs":)"
           R"([{"name":"y","datatype":"UINT8","shape":[1],"data":[)" +
           std::to_string(value) + "]}]}\n\n";
  };
  EXPECT_EQ(text_of(response), event(14) + event(15));
  const auto plain = text_of(ask("POST", "/v2/models/m/infer_stream", body));
  EXPECT_TRUE(plain.starts_with(R"(data: {"model_name":"m",)")) << plain;
  EXPECT_EQ(plain.find("\n\n"), plain.size() - 2) << "a model without parts answers in one";
  EXPECT_EQ(ask("POST", "/v2/models/parts/infer", body).status, 200);
}

TEST_F(RequestPathTest, TellsWhatEndedAnAnswerInParts) {
  const std::string body = R"({"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":[1,2]}]})";
  const std::string text = text_of(ask("POST", "/v2/models/breaks/infer_stream", body));
  const auto at = text.find("\n\n");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_TRUE(text.starts_with("data: ")) << text;
  EXPECT_EQ(text.substr(at + 2), "event: error\ndata: {\"error\":\"the model failed (model breaks, version 1)\"}\n\n");
  const std::string at_once = R"({"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[2]}]})";
  EXPECT_EQ(ask("POST", "/v2/models/breaks/infer_stream", at_once).status, 500);
  const std::string binary = R"({"parameters":{"binary_data_output":true},)" + at_once.substr(1);
  EXPECT_EQ(ask("POST", "/v2/models/breaks/infer_stream", binary).status, 400);
}

TEST_F(RequestPathTest, SendsThePartsOfAnAnswerAsMessages) {
  const auto stream = std::make_shared<MemoryStream>("/inference.GRPCInferenceService/ModelStreamInfer");
  const auto events = path_.on_stream(stream);
  stream->turns.acquire();
  // ModelInferRequest{model_name: "parts", inputs: {name: "x", datatype: "UINT8", shape: [2]},
  // raw_input_contents: 0x0102}.
  const std::string input = std::string("\x0a\x01x\x12\x05UINT8\x1a\x01\x02");
  events->on_message(
      padded("\x0a\x05parts\x2a" + std::string(1, static_cast<char>(input.size())) + input + "\x3a\x02\x01\x02"));
  stream->turns.acquire();
  ASSERT_EQ(stream->sent.size(), 2) << stream->reason;
  EXPECT_TRUE(stream->sent[0].ends_with(std::string("\x32\x01\x0e"))) << "raw_output_contents, field 6";
  EXPECT_TRUE(stream->sent[1].ends_with(std::string("\x32\x01\x0f")));
  EXPECT_FALSE(stream->finished);
}

TEST_F(RequestPathTest, EndsAStreamAfterTheClientsLastMessage) {
  const auto stream = std::make_shared<MemoryStream>("/inference.GRPCInferenceService/ModelStreamInfer");
  path_.on_stream(stream)->on_half_close();
  EXPECT_TRUE(stream->finished);
  EXPECT_EQ(stream->ended_with, std::nullopt);
}

}  // namespace
}  // namespace protean
