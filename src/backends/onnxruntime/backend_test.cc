// SPDX-License-Identifier: Apache-2.0
// The backend as the server sees it: with a library and without, good models and broken ones.
#include "backends/onnxruntime/backend.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "backends/onnxruntime/onnx_test_support.h"
#include "backends/onnxruntime/runtime.h"

namespace protean {
namespace {

namespace fs = std::filesystem;
using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(LibraryCandidates, AnExplicitPathIsTheOnlyOne) {
  EXPECT_THAT(library_candidates("/a.so", "/b.so", "/opt/bin"), ElementsAre("/a.so"));
  EXPECT_THAT(library_candidates("", "/b.so", "/opt/bin"), ElementsAre("/b.so"));
}

TEST(LibraryCandidates, LooksBesideTheProgramAndThenWhereTheSystemDoes) {
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    EXPECT_THAT(library_candidates("", none, "/opt/bin"),
                ElementsAre("/opt/bin/lib/libonnxruntime.so.1", "/opt/bin/lib/libonnxruntime.so",
                            "/opt/lib/libonnxruntime.so.1", "/opt/lib/libonnxruntime.so", "libonnxruntime.so.1",
                            "libonnxruntime.so"));
  }
  EXPECT_THAT(library_candidates("", nullptr, ""), SizeIs(2));
}

TEST(OnnxRuntimeBackend, NamesItselfAndItsVersion) {
  EXPECT_EQ(backend().id(), "onnxruntime");
  EXPECT_THAT(backend().description(), HasSubstr("onnxruntime 1."));
}

TEST(OnnxRuntimeBackend, WithoutALibraryRecognisesModelsAndSaysWhatIsMissing) {
  const auto made = make_onnxruntime_backend({.library_path = "/nowhere/libonnxruntime.so"});
  ASSERT_TRUE(made);
  const auto path = data_folder() / "models" / "scalar.onnx";
  EXPECT_THAT((*made)->description(),
              AllOf(HasSubstr("/nowhere/libonnxruntime.so (no such file)"), HasSubstr("PROTEAN_ONNXRUNTIME_LIBRARY")));
  EXPECT_TRUE(*(*made)->recognises(path));
  const auto model = (*made)->load({"scalar", "1", path, path.parent_path()}, {});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kFailedPrecondition);
}

TEST(OnnxRuntimeBackend, RefusesALibraryThatIsSomethingElse) {
  const TemporaryFolder folder;
  const auto text = folder.write("libonnxruntime.so", std::string(4096, 'x'));
  EXPECT_THAT((*make_onnxruntime_backend({.library_path = text}))->description(), HasSubstr("invalid ELF header"));
  EXPECT_THAT((*make_onnxruntime_backend({.library_path = "libm.so.6"}))->description(), HasSubstr("not ONNX Runtime"));
}

TEST(OnnxRuntimeBackend, RefusesOptionsOutOfRange) {
  EXPECT_FALSE(make_onnxruntime_backend({.intra_op_threads = -1}));
  EXPECT_FALSE(make_onnxruntime_backend({.intra_op_threads = 1'000'000}));
}

TEST(OnnxRuntimeBackend, RecognisesFilesAndNothingElse) {
  EXPECT_TRUE(*backend().recognises(data_folder() / "models" / "scalar.onnx"));
  EXPECT_FALSE(*backend().recognises(data_folder() / "broken" / "text.onnx"));
  EXPECT_FALSE(*backend().recognises(data_folder()));
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder.path() / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(*backend().recognises(folder.path() / "fifo"));
  const auto missing = backend().recognises(folder.path() / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST(OnnxRuntimeBackend, RefusesEveryBrokenModelWithItsReason) {
  const std::vector<std::pair<std::string, std::string>> reasons = {
      {"truncated", "truncated after 94 bytes: field 7 of the model asks for 101 bytes, 75 are there"},
      {"empty", "empty"},
      {"text", "not ONNX"},
      {"html", "not ONNX"},
      {"lfs_pointer", "not ONNX"},
      {"pickle", "not ONNX"},
      {"no_graph", "no graph"},
      {"opset_99", "operator set 99"},
      {"ir_999", "version 999"},
      {"no_such_op", "operator NoSuchOperator of domain ai.onnx is not in"},
      {"no_such_domain", "operator Anything of domain com.example.custom is not in"},
      {"dangling_input", "nowhere"},
      {"cycle", "acyclic"},
      {"type_conflict", "Add"},
      {"initializer_too_short", "weights"},
      {"initializer_overflow", "refuses the model"},
      {"external_parent", "leads upwards"},
      {"external_parent_inside", "leads upwards"},
      {"external_absolute", "absolute"},
      {"external_attribute", "leads upwards"},
      {"external_subgraph", "leads upwards"},
      {"external_sparse", "leads upwards"},
      {"external_function", "leads upwards"},
      {"external_unused_function", "leads upwards"},
      {"external_missing", "no such file"},
      {"external_folder", "not a regular file"},
      {"external_no_location", "no location"},
      {"external_nul", "NUL"},
      {"external_offset_beyond", "from byte 4096 on"},
      {"external_offset_negative", "'-4'"},
      {"external_offset_huge", "from byte 18446744073709551608 on"},
      {"external_offset_text", "'four'"},
      {"external_length_beyond", "from byte 8 on"},
      {"external_length_short", "length 8, expected 12"},
      {"external_length_huge", "length 18446744073709551615, expected 12"},
  };
  for (const auto& [name, reason] : reasons) {
    EXPECT_THAT(refusal(data_folder() / "broken" / (name + ".onnx")),
                AllOf(HasSubstr(reason), HasSubstr("(model " + name + ", version 1)")));
  }
}

TEST(OnnxRuntimeBackend, RefusesInputsAndOutputsThatNoProtocolCarries) {
  EXPECT_THAT(refusal(data_folder() / "models" / "sequence_in.onnx"), HasSubstr("input 'x' is a sequence"));
  EXPECT_THAT(refusal(data_folder() / "models" / "sequence_out.onnx"),
              HasSubstr("no output is a tensor: y (a sequence)"));
  const TemporaryFolder folder;
  constexpr int kFloat8E4M3Fn = 17;
  const auto graph = text_field(1, node("Identity", {"x"}, {"y"})) + text_field(2, "g") +
                     text_field(11, value_info("x", kFloat8E4M3Fn, {-1})) +
                     text_field(12, value_info("y", kFloat8E4M3Fn, {-1}));
  const auto file = number_field(1, 10) + text_field(7, graph) + text_field(8, number_field(2, 21));
  EXPECT_THAT(refusal(folder.write("m.onnx", file)), HasSubstr("input 'x' has elements of type float8e4m3fn"));
}

TEST(OnnxRuntimeBackend, LeavesOutASequenceWhenThereAreTensors) {
  const TemporaryFolder folder;
  const auto nodes =
      text_field(1, node("Identity", {"x"}, {"y"})) + text_field(1, node("SequenceConstruct", {"x"}, {"list"}));
  const auto element = text_field(1, text_field(1, number_field(1, 1)));
  const auto list = text_field(12, text_field(1, "list") + text_field(2, text_field(4, element)));
  const auto model = load(folder.write("m.onnx", onnx_test::model(float_graph(nodes) + list)));
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_THAT((*model)->signature().outputs, SizeIs(1));
  EXPECT_EQ((*model)->signature().outputs[0].name, "y");
}

TEST(OnnxRuntimeBackend, LoadsExternalDataFromTheModelsFolder) {
  const auto x = floats({1, 3}, {10, 10, 10});
  for (const auto& [name, expected] : {std::pair("external_ok", std::vector<float>{10, 20, 30}),
                                       std::pair("external_ok_deep", std::vector<float>{110, 220, 330})}) {
    const auto model = load(data_folder() / name / "model.onnx");
    ASSERT_TRUE(model) << model.error().message;
    const auto result = run(**model, {&x});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(values<float>((*result)[0]), expected);
  }
}

TEST(OnnxRuntimeBackend, NeverReadsWhatStandsInTheWorkingFolder) {
  // The data is beside the process and not beside the model.
  const TemporaryFolder here;
  const TemporaryFolder there;
  here.write("weights.bin", std::string(12, '\1'));
  const auto file = model(float_graph(text_field(1, node("Mul", {"x", "w"}, {"y"})),
                                      text_field(5, external_floats("w", 3, "weights.bin"))));
  const auto path = there.write("m.onnx", file);
  const auto before = fs::current_path();
  fs::current_path(here.path());
  EXPECT_THAT(refusal(path), HasSubstr("no such file in the model's folder"));
  fs::current_path(before);
}

TEST(OnnxRuntimeBackend, ReadsNoOtherFormatOutOfAnOnnxFile) {
  // Bytes 4 to 8 are the mark of the library's own format, inside the name of the producer.
  const TemporaryFolder folder;
  const auto graph = float_graph(text_field(1, node("Neg", {"x"}, {"y"})));
  const auto file = number_field(1, 8) + text_field(2, "ORTM" + std::string(60, 'x')) + text_field(7, graph) +
                    text_field(8, number_field(2, 17));
  ASSERT_EQ(file.substr(4, 4), "ORTM");
  const auto loaded = load(folder.write("m.onnx", file));
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto x = floats({1}, {3});
  const auto result = run(**loaded, {&x});
  ASSERT_TRUE(result);
  EXPECT_THAT(values<float>((*result)[0]), ElementsAre(-3));
}

TEST(OnnxRuntimeBackend, RefusesEveryTruncationOfAModel) {
  const TemporaryFolder folder;
  for (const char* name : {"zip_map", "optional_input"}) {
    const auto whole = read_file(data_folder() / "models" / (std::string(name) + ".onnx"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto path = folder.write("m.onnx", std::string_view(whole).substr(0, size));
      // Cut between two operator sets the file is whole as far as anybody can tell.
      const auto message = refusal(path);
      if (message.empty()) {
        EXPECT_EQ(whole.substr(size, 1), "\x42") << name << " of " << size << " bytes";
      }
    }
  }
}

TEST(OnnxRuntimeBackend, LoadsAndRunsFromManyThreads) {
  const auto x = floats({}, {2});
  std::vector<std::thread> threads;
  auto shared = load_good("scalar");
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto own = load(data_folder() / "models" / "scalar.onnx");
      for (int i = 0; i < 50; ++i) {
        const auto a = run(*shared, {&x});
        const auto b = run(**own, {&x});
        good += static_cast<int>(a && b && values<float>((*a)[0])[0] == 3 && values<float>((*b)[0])[0] == 3);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
}

TEST(OnnxRuntimeBackend, SharesAPoolWhenRunsMayUseMoreThreads) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the library's own threads wait in a way that ThreadSanitizer cannot see from outside";
#endif
  // In a process of its own: the library has one environment, and the other tests have made it already.
  const auto runs_in_pool = [] {
    const auto made = make_onnxruntime_backend({.intra_op_threads = 2, .memory_arena = false});
    const auto path = data_folder() / "models" / "slow.onnx";
    const auto model = (*made)->load({"slow", "1", path, path.parent_path()}, {});
    if (!model) return false;
    const auto x = floats({1, 4}, {1, 2, 3, 6});
    const auto result = run(**model, {&x});
    return result && values<float>((*result)[0]) == std::vector<float>{4, 5, 6, 9};
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(runs_in_pool() ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace protean
