// SPDX-License-Identifier: Apache-2.0
#include "serving/response_cache/response_cache.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

namespace protean {
namespace {

using ::testing::ElementsAre;

class HandClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint(Duration(now_.load())); }
  void set(std::int64_t ns) { now_ = ns; }

 private:
  std::atomic<std::int64_t> now_{0};
};

TimePoint at(std::int64_t ns) { return TimePoint(Duration(ns)); }

Tensor tensor_of(std::vector<float> values) {
  Tensor tensor{DataType::kFp32, {static_cast<std::int64_t>(values.size())}, {}};
  Buffer buffer;
  buffer.append(values.data(), values.size() * sizeof(float));
  tensor.data = std::move(buffer).share();
  return tensor;
}

InferRequest request_of(float value, std::string id = "id") {
  InferRequest request;
  request.model = "iris";
  request.id = std::move(id);
  request.inputs.push_back({"x", tensor_of({value, 1}), {}});
  return request;
}

InferResult result_of(float value, std::size_t count = 1) {
  InferResult result;
  result.model = "iris";
  result.version = "3";
  result.id = "leader";
  result.outputs.push_back({"y", tensor_of(std::vector<float>(count, value)), {}});
  return result;
}

float value_of(const InferResult& result) {
  float value = 0;
  std::memcpy(&value, result.outputs.at(0).tensor.data.data(), sizeof(value));
  return value;
}

struct Waiter final : CacheWaiter {
  [[nodiscard]] bool cancelled() const noexcept override { return left; }
  [[nodiscard]] TimePoint deadline() const noexcept override { return due; }
  void answer(Result<InferResult> result) override { answers.push_back(std::move(result)); }
  void lead(CacheLead next) override {
    if (on_lead) {
      on_lead(std::move(next));
    } else {
      leads.push_back(std::move(next));
    }
  }
  std::atomic<bool> left{false};
  TimePoint due = kNever;
  std::vector<Result<InferResult>> answers;
  std::vector<CacheLead> leads;
  std::function<void(CacheLead)> on_lead;
};

class ResponseCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<ResponseCache> make(std::uint64_t bytes_max = 1 << 20, std::size_t waiters_max = 1024) {
    return ResponseCache::make({bytes_max, waiters_max}, ResponseCacheMetrics(registry_, "iris", "3"), clock_);
  }
  [[nodiscard]] double metric(std::string_view name) const {
    for (const auto& family : registry_.snapshot()) {
      if (family.name != name) continue;
      const auto& member = family.members.at(0);
      return member.counter ? static_cast<double>(member.counter->value()) : member.gauge->value();
    }
    return -1;
  }

  metrics::Registry registry_;
  HandClock clock_;
};

using Joined = std::pair<std::shared_ptr<Waiter>, CacheSeat>;

CacheLead lead(ResponseCache& cache, const InferRequest& request) {
  auto found = cache.find_or_join(request, std::make_shared<Waiter>());
  return std::get<CacheLead>(std::move(found).value());
}

void run(ResponseCache& cache, const InferRequest& request, InferResult answer) {
  Result<InferResult> result = std::move(answer);
  lead(cache, request).complete(result);
}

Joined join(ResponseCache& cache, const InferRequest& request, TimePoint due = kNever) {
  auto waiter = std::make_shared<Waiter>();
  waiter->due = due;
  auto found = cache.find_or_join(request, waiter);
  return {waiter, std::get<CacheSeat>(std::move(found).value())};
}

bool hits(ResponseCache& cache, const InferRequest& request) {
  const auto found = cache.find_or_join(request, std::make_shared<Waiter>());
  return std::holds_alternative<InferResult>(found.value());
}

TEST_F(ResponseCacheTest, AnswersAnEqualRequestWithItsOwnId) {
  const auto cache = make();
  Result<InferResult> result = result_of(7);
  result->times.rows = 1;
  lead(*cache, request_of(1, "first")).complete(result);
  EXPECT_EQ(result->cache_use, CacheUse::kMiss);
  const auto found = cache->find_or_join(request_of(1, "second"), std::make_shared<Waiter>());
  const auto& hit = std::get<InferResult>(found.value());
  EXPECT_EQ(value_of(hit), 7);
  EXPECT_EQ(hit.id, "second");
  EXPECT_EQ(hit.version, "3");
  EXPECT_EQ(hit.cache_use, CacheUse::kHit);
  EXPECT_EQ(result->times.rows, 1U);
  EXPECT_EQ(hit.times.rows, 0U);
  EXPECT_FALSE(hits(*cache, request_of(2)));
  EXPECT_EQ(metric("protean_response_cache_hits"), 1);
  EXPECT_EQ(metric("protean_response_cache_misses"), 2);
  EXPECT_EQ(metric("protean_response_cache_entries"), 1);
  EXPECT_EQ(metric("protean_response_cache_bytes"), static_cast<double>(cache->bytes()));
}

TEST_F(ResponseCacheTest, LetsEqualRequestsWaitForTheFirst) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  auto [second, seat2] = join(*cache, request_of(1, "two"));
  auto [third, seat3] = join(*cache, request_of(1, "three"));
  EXPECT_TRUE(second->answers.empty());
  Result<InferResult> result = result_of(7);
  first.complete(result);
  ASSERT_EQ(second->answers.size(), 1U);
  ASSERT_EQ(third->answers.size(), 1U);
  EXPECT_EQ(second->answers[0]->id, "two");
  EXPECT_EQ(third->answers[0]->id, "three");
  EXPECT_EQ(third->answers[0]->cache_use, CacheUse::kShared);
  EXPECT_EQ(value_of(*third->answers[0]), 7);
  EXPECT_FALSE(seat2.leave());
  EXPECT_EQ(metric("protean_response_cache_shared"), 2);
  EXPECT_EQ(metric("protean_response_cache_misses"), 1);
}

TEST_F(ResponseCacheTest, SharesAnInvalidArgumentAndKeepsNone) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  auto [second, seat] = join(*cache, request_of(1));
  Result<InferResult> result = fail(Code::kInvalidArgument, "bad value");
  first.complete(result);
  ASSERT_EQ(second->answers.size(), 1U);
  EXPECT_EQ(second->answers[0].error().message, "bad value");
  EXPECT_EQ(cache->entries(), 0U);
  EXPECT_FALSE(hits(*cache, request_of(1)));
}

TEST_F(ResponseCacheTest, PassesTheLeadOnAfterOtherFailures) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  auto [second, seat2] = join(*cache, request_of(1));
  auto [third, seat3] = join(*cache, request_of(1));
  Result<InferResult> result = fail(Code::kInternal, "thrown");
  first.complete(result);
  ASSERT_EQ(second->leads.size(), 1U);
  EXPECT_TRUE(third->answers.empty() && third->leads.empty());
  // A request that comes now waits with the third for the second.
  auto [fourth, seat4] = join(*cache, request_of(1));
  result = result_of(9);
  second->leads[0].complete(result);
  EXPECT_EQ(value_of(*third->answers.at(0)), 9);
  EXPECT_EQ(value_of(*fourth->answers.at(0)), 9);
  EXPECT_TRUE(second->answers.empty());
}

TEST_F(ResponseCacheTest, PassesOnALeadThatIsDropped) {
  const auto cache = make();
  auto first = std::make_unique<CacheLead>(lead(*cache, request_of(1)));
  auto [second, seat] = join(*cache, request_of(1));
  first.reset();
  ASSERT_EQ(second->leads.size(), 1U);
  second->leads.clear();
  EXPECT_FALSE(hits(*cache, request_of(1)));
}

TEST_F(ResponseCacheTest, DoesNotWakeThoseWhoLeftOrExpired) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  auto [gone, seat_gone] = join(*cache, request_of(1));
  auto [cancelled, seat_cancelled] = join(*cache, request_of(1));
  auto [late, seat_late] = join(*cache, request_of(1), at(5));
  auto [good, seat_good] = join(*cache, request_of(1), at(50));
  EXPECT_TRUE(seat_gone.leave());
  EXPECT_FALSE(seat_gone.leave());
  cancelled->left = true;
  clock_.set(5);
  Result<InferResult> result = fail(Code::kDeadlineExceeded, "late");
  first.complete(result);
  EXPECT_TRUE(gone->answers.empty() && gone->leads.empty());
  EXPECT_EQ(cancelled->answers.at(0).error().code, Code::kCancelled);
  EXPECT_EQ(late->answers.at(0).error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(good->leads.size(), 1U);
}

TEST_F(ResponseCacheTest, GivesNoLateAnswers) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  auto [late, seat] = join(*cache, request_of(1), at(5));
  auto [good, seat_good] = join(*cache, request_of(1), at(6));
  clock_.set(5);
  Result<InferResult> result = result_of(1);
  first.complete(result);
  EXPECT_EQ(late->answers.at(0).error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(good->answers.at(0));
}

TEST_F(ResponseCacheTest, ExpiresThoseWhoWait) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  EXPECT_EQ(cache->next_deadline(), kNever);
  auto [late, seat] = join(*cache, request_of(1), at(5));
  auto [good, seat_good] = join(*cache, request_of(1), at(9));
  EXPECT_EQ(cache->next_deadline(), at(5));
  cache->expire(at(4));
  EXPECT_TRUE(late->answers.empty());
  cache->expire(at(5));
  EXPECT_EQ(late->answers.at(0).error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(cache->next_deadline(), at(9));
  Result<InferResult> result = result_of(1);
  first.complete(result);
  EXPECT_EQ(late->answers.size(), 1U);
  EXPECT_EQ(good->answers.size(), 1U);
}

TEST_F(ResponseCacheTest, RefusedLeadsDoNotNest) {
  const auto cache = make();
  auto first = lead(*cache, request_of(1));
  // Each refuses at once, on the thread that hands the lead over: a full queue.
  int depth = 0;
  int deepest = 0;
  std::vector<std::shared_ptr<Waiter>> waiters;
  for (int i = 0; i < 1000; ++i) {
    waiters.push_back(join(*cache, request_of(1)).first);
    waiters.back()->on_lead = [&](CacheLead next) {
      deepest = std::max(deepest, ++depth);
      Result<InferResult> refused = fail(Code::kResourceExhausted, "queue full");
      next.complete(refused);
      --depth;
    };
  }
  Result<InferResult> refused = fail(Code::kResourceExhausted, "queue full");
  first.complete(refused);
  EXPECT_EQ(deepest, 1);
  EXPECT_EQ(metric("protean_response_cache_misses"), 1001);
  EXPECT_FALSE(hits(*cache, request_of(1)));
}

TEST_F(ResponseCacheTest, BoundsThoseWhoWait) {
  const auto cache = make(1 << 20, 2);
  auto first = lead(*cache, request_of(1));
  auto [second, seat2] = join(*cache, request_of(1));
  auto [third, seat3] = join(*cache, request_of(1));
  const auto fourth = cache->find_or_join(request_of(1), std::make_shared<Waiter>());
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code, Code::kResourceExhausted);
}

TEST_F(ResponseCacheTest, DropsTheLeastRecentlyUsed) {
  const auto cache = make();
  run(*cache, request_of(1), result_of(1, 256));
  const auto each = cache->bytes();
  // The overhead is counted: more than the tensors' own bytes.
  EXPECT_GT(each, 256 * sizeof(float) + 2 * sizeof(float));
  const auto small = make(3 * each);
  for (const float value : {1.F, 2.F, 3.F}) run(*small, request_of(value), result_of(value, 256));
  EXPECT_EQ(small->entries(), 3U);
  EXPECT_TRUE(hits(*small, request_of(1)));
  run(*small, request_of(4), result_of(4, 256));
  EXPECT_EQ(small->entries(), 3U);
  EXPECT_LE(small->bytes(), 3 * each);
  EXPECT_TRUE(hits(*small, request_of(1)));
  EXPECT_TRUE(hits(*small, request_of(3)));
  EXPECT_FALSE(hits(*small, request_of(2)));
  EXPECT_EQ(metric("protean_response_cache_evictions"), 1);
}

TEST_F(ResponseCacheTest, PassesOverAnAnswerThatDoesNotFit) {
  const auto cache = make(4096);
  run(*cache, request_of(1), result_of(1));
  auto first = lead(*cache, request_of(2));
  auto [second, seat] = join(*cache, request_of(2, "two"));
  Result<InferResult> result = result_of(2, 4096);
  first.complete(result);
  EXPECT_EQ(second->answers.at(0)->id, "two");
  EXPECT_EQ(cache->entries(), 1U);
  EXPECT_TRUE(hits(*cache, request_of(1)));
}

TEST_F(ResponseCacheTest, KeepsNeitherTheRequestNorTheBatchAlive) {
  const auto cache = make();
  auto body = std::make_shared<std::vector<float>>(1024, 1.F);
  auto batch = std::make_shared<std::vector<float>>(1024, 2.F);
  InferRequest request = request_of(1);
  request.inputs[0].tensor.data = {body, std::as_bytes(std::span(*body).first(2)), 0};
  InferResult answer = result_of(1);
  answer.outputs[0].tensor.data = {batch, std::as_bytes(std::span(*batch).first(1)), 0};
  Result<InferResult> result = answer;
  lead(*cache, request).complete(result);
  result = fail(Code::kUnknown, "");
  answer = {};
  request = {};
  EXPECT_EQ(body.use_count(), 1);
  EXPECT_EQ(batch.use_count(), 1);
  EXPECT_EQ(cache->entries(), 1U);
}

TEST_F(ResponseCacheTest, IsFreedWithTheVersion) {
  auto cache = make();
  run(*cache, request_of(1), result_of(1));
  auto held = lead(*cache, request_of(2));
  auto [waiting, seat] = join(*cache, request_of(2));
  cache->close();
  EXPECT_EQ(cache->bytes(), 0U);
  EXPECT_EQ(metric("protean_response_cache_bytes"), 0);
  Result<InferResult> result = result_of(2);
  held.complete(result);
  EXPECT_EQ(waiting->answers.size(), 1U);
  EXPECT_EQ(cache->entries(), 0U);
  const std::weak_ptr<ResponseCache> gone = cache;
  cache.reset();
  // A seat is a handle too.
  EXPECT_FALSE(gone.expired());
}

TEST(CacheKey, IsEqualForEqualContentOnly) {
  const auto base = request_of(1);
  const auto same = [&](auto&& change) {
    InferRequest other = request_of(1, "another id");
    change(other);
    return make_cache_key(base) == make_cache_key(other);
  };
  using R = InferRequest;
  EXPECT_TRUE(same([](R&) {}));
  EXPECT_TRUE(same([](R& r) { r.deadline = at(5), r.priority = 1; }));
  EXPECT_TRUE(same([](R& r) { r.parameters = {{"binary_data_output", true}, {"timeout", std::int64_t{5}}}; }));
  EXPECT_TRUE(same([](R& r) { r.inputs[0].parameters = {{"binary_data_size", std::uint64_t{8}}}; }));
  EXPECT_FALSE(same([](R& r) { r.parameters = {{"temperature", 0.5}}; }));
  EXPECT_FALSE(same([](R& r) { r.inputs[0].name = "z"; }));
  EXPECT_FALSE(same([](R& r) { r.inputs[0].tensor.type = DataType::kInt32; }));
  EXPECT_FALSE(same([](R& r) { r.inputs[0].tensor.shape = {1, 2}; }));
  EXPECT_FALSE(same([](R& r) { r.inputs[0].tensor = tensor_of({1, 2}); }));
  EXPECT_FALSE(same([](R& r) { r.inputs[0].tensor = tensor_of({1, -0.F}); }));
  EXPECT_FALSE(same([](R& r) { r.inputs.push_back({"w", tensor_of({}), {}}); }));
  EXPECT_FALSE(same([](R& r) { r.outputs.push_back({"y", {}}); }));
}

TEST(CacheKey, KeepsApartWhatOnlyLooksAlikeWhenGlued) {
  InferRequest a;
  a.outputs = {{"ab", {}}, {"c", {}}};
  InferRequest b;
  b.outputs = {{"a", {}}, {"bc", {}}};
  EXPECT_FALSE(make_cache_key(a) == make_cache_key(b));
  a.outputs.clear();
  b.outputs.clear();
  a.parameters = {{"p", std::int64_t{1}}};
  b.parameters = {{"p", true}};
  EXPECT_FALSE(make_cache_key(a) == make_cache_key(b));
}

TEST(CacheKey, DoesNotDependOnTheOrderOfInputsAndParameters) {
  InferRequest a;
  a.inputs = {{"x", tensor_of({1}), {}}, {"y", tensor_of({2}), {}}};
  a.parameters = {{"p", 1.0}, {"q", 2.0}};
  InferRequest b;
  b.inputs = {a.inputs[1], a.inputs[0]};
  b.parameters = {a.parameters[1], a.parameters[0]};
  EXPECT_TRUE(make_cache_key(a) == make_cache_key(b));
  std::swap(b.inputs[0].tensor, b.inputs[1].tensor);
  EXPECT_FALSE(make_cache_key(a) == make_cache_key(b));
  // The order of outputs is that of the answer.
  a.outputs = {{"u", {}}, {"v", {}}};
  b = a;
  std::swap(b.outputs[0], b.outputs[1]);
  EXPECT_FALSE(make_cache_key(a) == make_cache_key(b));
}

TEST(CacheKey, HashesDifferForEachBitOfTheInput) {
  std::vector<std::uint64_t> hashes;
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t bit = 0; bit < std::max<std::size_t>(1, size * 8); ++bit) {
      InferRequest request;
      Buffer bytes;
      const std::string zeros(size, '\0');
      bytes.append(zeros);
      if (size > 0) bytes.data()[bit / 8] = std::byte(1U << (bit % 8));
      request.inputs.push_back({"x", {DataType::kUint8, {std::int64_t(size)}, std::move(bytes).share()}, {}});
      hashes.push_back(make_cache_key(request).hash);
    }
  }
  std::ranges::sort(hashes);
  EXPECT_EQ(std::ranges::adjacent_find(hashes), hashes.end());
}

TEST(CacheKey, CopiesHoldTheSameBytesInMemoryOfTheirOwn) {
  InferRequest request;
  request.inputs = {{"x", tensor_of({1, 2, 3}), {}}, {"empty", tensor_of({}), {}}, {"y", tensor_of({4}), {}}};
  const auto key = make_cache_key(request);
  const auto copy = copy_of(key);
  EXPECT_TRUE(key == copy);
  for (std::size_t i = 0; i < key.data.size(); ++i) {
    EXPECT_NE(key.data[i].owner, copy.data[i].owner);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy.data[i].data()) % kBufferAlignment, 0U);
  }
}

/// A request of the storm: whatever happens to it, it ends exactly once, with the answer to its own input.
struct StormCall final : CacheWaiter, std::enable_shared_from_this<StormCall> {
  StormCall(float wanted, std::uint32_t luck, std::atomic<int>& ended) : value(wanted), fate(luck), ends(ended) {}

  [[nodiscard]] bool cancelled() const noexcept override { return left.load(); }
  [[nodiscard]] TimePoint deadline() const noexcept override { return kNever; }
  void answer(Result<InferResult> result) override { end(result); }
  void lead(CacheLead next) override {
    if (fate % 7 == 0) {
      // Dropped with the duty.
      end(fail(Code::kCancelled, "dropped"));
      return;
    }
    Result<InferResult> result = result_of(value * 2);
    if (fate % 5 == 0) result = fail(Code::kUnavailable, "unloaded");
    if (fate % 11 == 0) result = fail(Code::kInvalidArgument, "refused");
    std::this_thread::yield();
    next.complete(result);
    end(result);
  }
  void end(const Result<InferResult>& result) {
    EXPECT_FALSE(done.exchange(true));
    EXPECT_TRUE(!result || value_of(*result) == value * 2);
    ++ends;
  }

  const float value;
  const std::uint32_t fate;
  std::atomic<int>& ends;
  std::atomic<bool> left{false};
  std::atomic<bool> done{false};
};

void submit(ResponseCache& cache, float value, std::uint32_t luck, std::atomic<int>& ended) {
  auto call = std::make_shared<StormCall>(value, luck, ended);
  auto found = cache.find_or_join(request_of(value), call);
  if (!found) return call->end(tl::unexpected<Error>(found.error()));
  if (auto* hit = std::get_if<InferResult>(&*found)) return call->end(*hit);
  if (auto* duty = std::get_if<CacheLead>(&*found)) return call->lead(std::move(*duty));
  if (luck % 3 != 0) return;
  call->left = true;
  if (std::get<CacheSeat>(*found).leave()) call->end(fail(Code::kCancelled, "left"));
}

TEST_F(ResponseCacheTest, EndsEachRequestOnceUnderAStorm) {
  constexpr int kThreads = 4;
  constexpr int kEach = 3000;
  const auto cache = make(8192, 8);
  std::atomic<int> ended{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<std::uint32_t>(t));
        for (int i = 0; i < kEach; ++i) {
          submit(*cache, static_cast<float>(random() % 12), static_cast<std::uint32_t>(random()), ended);
          if (i % 64 == 0) cache->expire(at(0));
        }
      });
    }
  }
  EXPECT_EQ(ended, kThreads * kEach);
  EXPECT_LE(cache->bytes(), 8192U);
}

}  // namespace
}  // namespace protean
