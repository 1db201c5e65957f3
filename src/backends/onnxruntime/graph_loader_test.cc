// SPDX-License-Identifier: Apache-2.0
// What a loaded model says of itself (memory, threads), what it leaves behind, and how its runs are stopped.
#include "backends/onnxruntime/graph_loader.h"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <stop_token>
#include <thread>

#include "backends/onnxruntime/backend.h"
#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_test_support.h"
#include "base/unused_memory.h"

#ifdef __SANITIZE_ADDRESS__
extern "C" void __sanitizer_purge_allocator();  // g++ 12 brings the function without its header
#endif

namespace protean {
namespace {

using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::uint64_t kMegabyte = 1'000'000;

/// Two weights of 1600 x 1600 floats: 20.5 MB.
std::string twenty_megabytes() { return dense_model(1600, 2); }

std::uint64_t resident_bytes() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_purge_allocator();  // it keeps what is freed for a while, to find late uses
#endif
  return private_resident_bytes();
}

TEST(GraphLoader, CountsTheMemoryOfAModel) {
  const TemporaryFolder folder;
  const auto model = load(folder.write("m.onnx", twenty_megabytes()));
  ASSERT_TRUE(model) << model.error().message;
  // The weights once or, where kernels keep them packed beside the original, twice; and the library's copy of the
  // graph.
  EXPECT_GE((*model)->memory().private_bytes, 20 * kMegabyte);
  EXPECT_LE((*model)->memory().private_bytes, 85 * kMegabyte);
  EXPECT_EQ((*model)->memory().mapped_bytes, 0U);
  EXPECT_THAT((*model)->load_notes().front(), StartsWith("optimised in "));
}

TEST(GraphLoader, HoldsLessOfItsOwnWhenWeightsAreMapped) {
  const TemporaryFolder folder;
  const auto path = folder.write("m.onnx", twenty_megabytes());
  const auto made = make_onnxruntime_backend({.cache_folder = folder.path() / "cache"});
  for (int i = 0; i < 2; ++i) {
    const auto model = (*made)->load({"m", "1", path, folder.path()}, {});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_LE((*model)->memory().private_bytes, 2 * kMegabyte);
    EXPECT_GE((*model)->memory().mapped_bytes, 20 * kMegabyte);
  }
}

TEST(GraphLoader, GivesMemoryBackWhenModelsAreUnloaded) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer's own memory grows with what was ever touched";
#endif
  const TemporaryFolder folder;
  const auto path = folder.write("m.onnx", twenty_megabytes());
  const auto made = make_onnxruntime_backend({.cache_folder = folder.path() / "cache"});
  for (auto* backend : {&onnx_test::backend(), made->get()}) {
    std::uint64_t after_five = 0;
    for (int i = 1; i <= 30; ++i) {
      ASSERT_TRUE(backend->load({"m", "1", path, folder.path()}, {}));
      if (i == 5) after_five = resident_bytes();
    }
    EXPECT_LE(resident_bytes(), after_five + after_five / 20);
  }
}

TEST(GraphLoader, GivesAModelThreadsOfItsOwnWhenItAsks) {
  const auto path = data_folder() / "models" / "slow.onnx";
  const auto load_with = [&](std::uint32_t threads) {
    return backend().load({"slow", "1", path, path.parent_path()}, {threads});
  };
  EXPECT_THAT((*load_with(0))->load_notes(), Contains("1 intra-op thread"));
  const auto two = load_with(2);
  ASSERT_TRUE(two);
  EXPECT_THAT((*two)->load_notes(), Contains("2 intra-op threads of its own"));
  const auto x = floats({1, 4}, {1, 2, 3, 6});
  const auto result = run(**two, {&x});
  ASSERT_TRUE(result);
  EXPECT_EQ(values<float>((*result)[0]), (std::vector<float>{4, 5, 6, 9}));
  const auto many = load_with(100'000);
  ASSERT_FALSE(many);
  EXPECT_THAT(many.error().message, HasSubstr("intra-op threads: 100000, expected 0 to 1024"));
}

/// y = x + 1 + 1 + ..., 2^62 times.
std::string endless_model() {
  constexpr int kInt64 = 7;
  constexpr int kBool = 9;
  const auto constant = [](std::string_view name, std::uint64_t type, std::string_view raw) {
    return number_field(onnx::tensor::kDataType, type) + text_field(onnx::tensor::kName, name) +
           text_field(onnx::tensor::kRawData, raw);
  };
  const std::string_view one("\0\0\x80\x3F", 4);
  const std::string_view times("\0\0\0\0\0\0\0\x40", 8);
  const auto body = text_field(1, node("Identity", {"more"}, {"more_out"})) +
                    text_field(1, node("Add", {"v", "one"}, {"v_out"})) + text_field(2, "body") +
                    text_field(5, constant("one", onnx::kFloat, one)) + text_field(11, value_info("i", kInt64, {})) +
                    text_field(11, value_info("more", kBool, {})) + text_field(11, value_info("v", 1, {-1})) +
                    text_field(12, value_info("more_out", kBool, {})) + text_field(12, value_info("v_out", 1, {-1}));
  const auto attribute =
      text_field(onnx::node::kAttribute, text_field(1, "body") + text_field(6, body) + number_field(20, 5));  // GRAPH
  return model(float_graph(text_field(1, node("Loop", {"times", "", "x"}, {"y"}, attribute)),
                           text_field(5, constant("times", kInt64, times))));
}

TEST(GraphLoader, StopsARunThatNobodyWaitsForAnyMore) {
  const TemporaryFolder folder;
  const auto model = load(folder.write("m.onnx", endless_model()));
  ASSERT_TRUE(model) << model.error().message;
  const auto x = floats({2}, {1, 2});
  const std::vector<const Tensor*> inputs = {&x};
  const std::vector<std::size_t> outputs = {0};
  std::stop_source stop;
  std::thread other([&] { stop.request_stop(); });
  const auto result = (*model)->run({inputs, outputs, stop.get_token()});
  other.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kCancelled);
  const auto again = (*model)->run({inputs, outputs, stop.get_token()});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kCancelled);
}

TEST(GraphLoader, RunsThatCouldBeStoppedAnswerAsOthers) {
  const auto model = load_good("scalar");
  const auto x = floats({}, {2});
  const std::vector<const Tensor*> inputs = {&x};
  const std::vector<std::size_t> outputs = {0};
  const std::stop_source stop;
  const auto result = model->run({inputs, outputs, stop.get_token()});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(values<float>((*result)[0]).at(0), 3);
}

}  // namespace
}  // namespace protean
