// SPDX-License-Identifier: Apache-2.0
#include "migrate/relay.h"

#include <gtest/gtest.h>

#include "migrate/control.h"
#include "migrate/json_value.h"
#include "migrate/report.h"

namespace protean::migrate {
namespace {

using namespace std::chrono_literals;

/// A request whose answer is kept.
class TestExchange final : public Exchange {
 public:
  explicit TestExchange(RequestHead head, std::string body = "{}")
      : head_(std::move(head)), body_(Slice::of(std::move(body))) {}
  [[nodiscard]] const RequestHead& head() const noexcept override { return head_; }
  [[nodiscard]] const Slice& body() const noexcept override { return body_; }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return {}; }
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  void on_cancel(std::function<void()>) override {}
  void respond(Response response) override {
    ++responses;
    answer = std::move(response);
  }
  void start(Response) override {}
  void write(Slice, std::shared_ptr<const void>) override {}
  void finish() override {}

  int responses = 0;
  Response answer;

 private:
  RequestHead head_;
  Slice body_;
};

/// Answers within send(), as it is told, or not until it is released.
class TestUpstream final : public Upstream {
 public:
  void send(std::shared_ptr<const Exchange>, TimePoint, Done done) override {
    ++sent;
    if (holds) return held.push_back(std::move(done));
    done(answer);
  }
  int sent = 0;
  bool holds = false;
  std::vector<Done> held;
  Answer answer;
};

Answer ok(std::string body) {
  Answer answer;
  answer.status = 200;
  answer.headers = {{"Content-Type", "application/json"}, {"Date", "today"}, {"X-Own", "1"}};
  answer.body = Slice::of(std::move(body));
  answer.took = 1ms;
  return answer;
}

Answer broken(Code code) {
  Answer answer;
  answer.error = Error{code, "it broke", {}, {}};
  return answer;
}

class RelayTest : public ::testing::Test {
 protected:
  void make(MigrationOptions options = {}) {
    options.from = "http://old:1";
    options.to = "http://new:1";
    migration_ = std::make_unique<Migration>(std::move(options), make_tfserving_dialect());
    mirror_ = std::make_unique<Mirror>(*migration_, Mirror::Upstreams{&mirror_from_, &mirror_to_});
    relay_ = std::make_unique<Relay>(*migration_, Mirror::Upstreams{&from_, &to_}, *mirror_);
    from_.answer = mirror_from_.answer = ok(R"({"predictions":[1.5]})");
    to_.answer = mirror_to_.answer = ok(R"({"predictions":[1.5]})");
  }

  std::shared_ptr<TestExchange> ask(std::string path = "/v1/models/m:predict", Wire wire = Wire::kHttp1) {
    RequestHead head;
    head.wire = wire;
    head.method = "POST";
    head.path = std::move(path);
    auto exchange = std::make_shared<TestExchange>(std::move(head));
    relay_->on_exchange(exchange);
    return exchange;
  }

  Snapshot figures() {
    EXPECT_TRUE(mirror_->drain(Clock::system().now() + 10s));
    return migration_->statistics().snapshot();
  }

  TestUpstream from_;
  TestUpstream to_;
  TestUpstream mirror_from_;
  TestUpstream mirror_to_;
  std::unique_ptr<Migration> migration_;
  std::unique_ptr<Mirror> mirror_;
  std::unique_ptr<Relay> relay_;
};

TEST_F(RelayTest, TheOldSideAnswersAndTheNewOneIsCompared) {
  make();
  mirror_to_.answer = ok(R"({"predictions":[2.5]})");
  const auto exchange = ask();
  EXPECT_EQ(exchange->responses, 1);
  EXPECT_EQ(exchange->answer.body.at(0).text(), R"({"predictions":[1.5]})");
  const auto row = figures().rows.at({"m", "REST predict"});
  EXPECT_EQ(row.count(Verdict::kDifferent), 1U);
  EXPECT_EQ(row.sides[0].answered, 1U);
  EXPECT_EQ(to_.sent, 0);
  EXPECT_EQ(mirror_from_.sent, 0);
}

TEST_F(RelayTest, FromAndToStayWhatTheyAreWhenTheNewSideAnswers) {
  make();
  migration_->set_weight(1, "test");
  mirror_from_.answer = ok(R"({"predictions":[1.5],"old":1})");
  EXPECT_EQ(ask()->answer.body.at(0).text(), R"({"predictions":[1.5]})");
  const Snapshot snapshot = figures();
  ASSERT_EQ(snapshot.examples.size(), 1U);
  EXPECT_EQ(snapshot.examples[0].differences[0].kind, DifferenceKind::kMissing);
  EXPECT_EQ(snapshot.examples[0].line, "POST /v1/models/m:predict");
}

TEST_F(RelayTest, AnswersKeepTheirHeadersButThoseOfTheConnection) {
  make();
  from_.answer.headers.emplace_back("Connection", "close, X-Hop");
  from_.answer.headers.emplace_back("X-Hop", "1");
  from_.answer.headers.emplace_back("Transfer-Encoding", "chunked");
  EXPECT_EQ(ask()->answer.headers, (Fields{{"Content-Type", "application/json"}, {"X-Own", "1"}}));
  EXPECT_EQ(ask("/v1/models/m:predict", Wire::kHttp2)->answer.headers,
            (Fields{{"content-type", "application/json"}, {"x-own", "1"}}));
}

TEST_F(RelayTest, ASideThatBreaksIsReplacedByTheOther) {
  make();
  from_.answer = broken(Code::kUnavailable);
  to_.answer = ok("new");
  const auto exchange = ask();
  EXPECT_EQ(exchange->responses, 1);
  EXPECT_EQ(exchange->answer.body.at(0).text(), "new");
  EXPECT_FALSE(migration_->health(Side::kFrom).up());
  const Snapshot snapshot = figures();
  EXPECT_EQ(snapshot.failed_over[0], 1U);
  EXPECT_EQ(snapshot.failed, 0U);
  EXPECT_EQ(snapshot.rows.at({"m", "REST predict"}).sides[0].failed, 1U);
  // While it rests, it is not asked at all.
  EXPECT_EQ(ask()->answer.body.at(0).text(), "new");
  EXPECT_EQ(from_.sent, 1);
}

TEST_F(RelayTest, BothSidesDownIsAnErrorThatSaysSo) {
  make();
  from_.answer = to_.answer = broken(Code::kUnavailable);
  const auto exchange = ask();
  EXPECT_EQ(exchange->answer.status, 502);
  EXPECT_EQ(exchange->answer.body.at(0).text(),
            "{\n    \"error\": \"no answer: old side (http://old:1): it broke; new side (http://new:1): it broke\"\n}");
  EXPECT_EQ(figures().failed, 1U);
  // Neither is given up: the next request tries both again.
  from_.answer = ok("back");
  EXPECT_EQ(ask()->answer.body.at(0).text(), "back");
}

TEST_F(RelayTest, ARequestThatIsBrokenOffAloneDoesNotTakeItsSideDown) {
  make();
  from_.answer = broken(Code::kInternal);
  to_.answer = ok("new");
  EXPECT_EQ(ask()->answer.body.at(0).text(), "new");
  EXPECT_TRUE(migration_->health(Side::kFrom).up());
}

TEST_F(RelayTest, ACallersOwnDeadlineIsNoFailureOfOurs) {
  make();
  from_.answer = broken(Code::kDeadlineExceeded);
  RequestHead head;
  head.wire = Wire::kGrpc;
  head.path = "/tensorflow.serving.PredictionService/Predict";
  head.deadline = Clock::system().now();
  const auto exchange = std::make_shared<TestExchange>(head);
  relay_->on_exchange(exchange);
  EXPECT_EQ(exchange->answer.grpc_code, Code::kDeadlineExceeded);
  EXPECT_EQ(figures().failed, 0U);
}

TEST_F(RelayTest, ALateAnswerIsNotAskedForAgain) {
  make();
  from_.answer = broken(Code::kDeadlineExceeded);
  EXPECT_EQ(ask()->answer.status, 504);
  EXPECT_EQ(to_.sent, 0);
  EXPECT_TRUE(migration_->health(Side::kFrom).up());
}

TEST_F(RelayTest, GrpcStatusAndTrailersArePassedOn) {
  make();
  from_.answer = {};
  from_.answer.grpc_status = 5;
  from_.answer.grpc_message = "not found";
  from_.answer.trailers = {{"x-detail", "1"}};
  const auto exchange = ask("/tensorflow.serving.PredictionService/Predict", Wire::kGrpc);
  EXPECT_EQ(exchange->answer.grpc_code, Code::kNotFound);
  EXPECT_EQ(exchange->answer.grpc_message, "not found");
  EXPECT_EQ(exchange->answer.headers, (Fields{{"x-detail", "1"}}));
  from_.answer = to_.answer = broken(Code::kUnavailable);
  EXPECT_EQ(ask("/tensorflow.serving.PredictionService/Predict", Wire::kGrpc)->answer.grpc_code, Code::kUnavailable);
}

TEST_F(RelayTest, ReloadingGoesToOneSideOnceEvenWhenItBreaks) {
  make();
  from_.answer = broken(Code::kUnavailable);
  const auto exchange = ask("/tensorflow.serving.ModelService/HandleReloadConfigRequest", Wire::kGrpc);
  EXPECT_EQ(exchange->answer.grpc_code, Code::kUnavailable);
  EXPECT_EQ(from_.sent, 1);
  EXPECT_EQ(to_.sent + mirror_to_.sent, 0);
}

TEST_F(RelayTest, TheAnswerDoesNotWaitForTheMirror) {
  make();
  mirror_to_.holds = true;
  EXPECT_EQ(ask()->responses, 1);
  ASSERT_EQ(mirror_to_.held.size(), 1U);
  mirror_to_.held[0](ok(R"({"predictions":[1.5]})"));
  EXPECT_EQ(figures().total().count(Verdict::kEqual), 1U);
}

TEST_F(RelayTest, WhatTheMirrorCannotKeepUpWithIsDroppedAndCounted) {
  MigrationOptions options;
  options.mirror_waiting_max = 3;
  options.mirror_in_flight_max = 2;
  make(options);
  mirror_to_.holds = true;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask()->responses, 1);
  EXPECT_EQ(mirror_to_.sent, 2);
  for (std::size_t i = 0; i < mirror_to_.held.size(); ++i) mirror_to_.held[i](ok(R"({"predictions":[1.5]})"));
  EXPECT_EQ(mirror_to_.sent, 3);
  const ParityRow total = figures().total();
  EXPECT_EQ(total.compared(), 3U);
  EXPECT_EQ(total.dropped, 7U);
}

TEST_F(RelayTest, TheMirrorHoldsNoMoreBytesThanItMay) {
  MigrationOptions options;
  options.mirror_bytes_max = 40;  // request {} and answer of 21 bytes: one sample
  make(options);
  mirror_to_.holds = true;
  ask();
  ask();
  ASSERT_EQ(mirror_to_.held.size(), 1U);
  mirror_to_.held[0](ok(R"({"predictions":[1.5]})"));
  EXPECT_EQ(figures().total().dropped, 1U);
}

TEST_F(RelayTest, OnlyTheShareAskedForIsMirrored) {
  MigrationOptions options;
  options.mirror_share = 0.1;
  make(options);
  for (int i = 0; i < 1000; ++i) ask();
  EXPECT_NEAR(static_cast<double>(figures().total().compared()), 100, 40);
}

TEST_F(RelayTest, AMirrorThatFailsIsNoDifferenceButIsCounted) {
  make();
  mirror_to_.answer = broken(Code::kUnavailable);
  ask();
  ask();  // it rests, and is not even asked
  const ParityRow total = figures().total();
  EXPECT_EQ(total.count(Verdict::kToFailed), 2U);
  EXPECT_EQ(total.compared(), 0U);
  EXPECT_EQ(mirror_to_.sent, 1);
}

TEST_F(RelayTest, TheGuardMovesTrafficBackWhenTheNewSideErrs) {
  MigrationOptions options;
  options.weight_to = 1;
  options.guard.on = true;
  make(options);
  to_.answer.status = 500;
  mirror_from_.answer.status = 500;
  for (int i = 0; i < 19; ++i) ask();
  EXPECT_EQ(migration_->split().to(), 1);
  ask();
  EXPECT_EQ(migration_->split().to(), 0);
  EXPECT_FALSE(figures().events.empty());
}

/// Its coding puts `~` in front.
Result<Slice> undo_tilde(std::string_view coding, const Slice& body) {
  if (coding != "tilde") return fail(Code::kUnimplemented, "unknown coding");
  return body.part(1, body.size() - 1);
}

TEST_F(RelayTest, CodedAnswersAreComparedByWhatIsInside) {
  Migration migration({}, make_tfserving_dialect(), undo_tilde);
  Mirror mirror(migration, {&mirror_from_, &mirror_to_});
  Relay relay(migration, {&from_, &to_}, mirror);
  mirror_to_.answer = ok("~[1.5]");
  mirror_to_.answer.headers.emplace_back("Content-Encoding", "tilde");
  RequestHead head;
  head.path = "/v1/models/m:predict";
  for (const std::string body : {"[1.5]", "[2.5]"}) {
    from_.answer = ok(body);
    relay.on_exchange(std::make_shared<TestExchange>(head));
  }
  mirror_to_.answer.headers.back().second = "other";
  relay.on_exchange(std::make_shared<TestExchange>(head));
  EXPECT_TRUE(mirror.drain(Clock::system().now() + 10s));
  const ParityRow total = migration.statistics().snapshot().total();
  EXPECT_EQ(total.count(Verdict::kFormatting), 1U);
  EXPECT_EQ(total.count(Verdict::kDifferent), 2U);
  EXPECT_EQ(total.kinds[static_cast<std::size_t>(DifferenceKind::kValue)], 1U);
  EXPECT_EQ(total.kinds[static_cast<std::size_t>(DifferenceKind::kUnreadable)], 1U);
}

Response control(Migration& migration, std::string method, std::string path, std::string body = "") {
  RequestHead head;
  head.method = std::move(method);
  head.path = std::move(path);
  head.peer = "127.0.0.1:5";
  return answer_control(migration, head, Slice::of(std::move(body)));
}

TEST_F(RelayTest, ControlShowsTheFiguresAndChangesTheWeight) {
  make();
  ask();
  static_cast<void>(figures());
  const Response status = control(*migration_, "GET", "/status");
  const auto json = parse_json(status.body.at(0).text());
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(json->find("requests")->token, "1");
  EXPECT_EQ(json->find("verdict")->token, "\"parity\"");
  EXPECT_EQ(control(*migration_, "PUT", "/weight", R"({"to":0.25})").status, 200);
  EXPECT_EQ(migration_->split().to(), 0.25);
  for (const std::string body : {R"({"to":2})", R"({"to":-0.1})", R"({"to":"1"})", R"({"to":NaN})", "[1]", "", "{}"}) {
    EXPECT_EQ(control(*migration_, "PUT", "/weight", body).status, 400) << body;
  }
  EXPECT_EQ(migration_->split().to(), 0.25);
}

TEST_F(RelayTest, ControlChangesNothingForAWebPage) {
  make();
  RequestHead head;
  head.method = "PUT";
  head.path = "/weight";
  head.headers.add("Origin", "http://evil.example");
  EXPECT_EQ(answer_control(*migration_, head, Slice::of(R"({"to":1})")).status, 403);
  EXPECT_EQ(migration_->split().to(), 0);
}

TEST_F(RelayTest, TheReportEscapesWhatCameFromOutside) {
  make();
  mirror_to_.answer = ok(R"({"predictions":["<script>alert(1)</script>"]})");
  ask("/v1/models/<b>&\":predict");
  static_cast<void>(figures());
  const std::string page = format_report_html(make_report(*migration_), false);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(page.find("<b>&lt;b&gt;&amp;&quot;</b>"), std::string::npos);
  EXPECT_EQ(page.find("http-equiv"), std::string::npos);
  EXPECT_TRUE(parse_json(format_report_json(make_report(*migration_))));
}

TEST_F(RelayTest, TheTerminalsLinesAreNoLongerThanTheTerminal) {
  make();
  ask("/v1/models/a_model_with_quite_a_long_name_that_nobody_wants_to_read:predict");
  static_cast<void>(figures());
  for (const std::size_t columns : {60U, 80U, 100U, 160U}) {
    const std::string text = format_report_text(make_report(*migration_), columns);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      EXPECT_LE(end - begin, columns);
      begin = end + 1;
    }
    EXPECT_EQ(columns >= 100, text.find("new p50\n") != std::string::npos || text.find("  p99\n") != std::string::npos);
  }
}

TEST_F(RelayTest, NothingComparedIsNotCalledParity) {
  make();
  const Judgement judgement = judge(make_report(*migration_));
  EXPECT_FALSE(judgement.good);
  EXPECT_FALSE(judgement.bad);
  EXPECT_EQ(judgement.text, "Nothing has been compared yet");
}

}  // namespace
}  // namespace protean::migrate
