// SPDX-License-Identifier: Apache-2.0
// The cache as loading sees it: same answers, whatever is damaged, full, killed or written twice at once.
#include "backends/onnxruntime/graph_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <numeric>
#include <thread>

#include "backends/onnxruntime/backend.h"
#include "backends/onnxruntime/cache_disk.h"
#include "backends/onnxruntime/cache_entry.h"
#include "backends/onnxruntime/facts_codec.h"
#include "backends/onnxruntime/graph_loader.h"
#include "backends/onnxruntime/onnx_test_support.h"
#include "backends/onnxruntime/runtime.h"
#include "core/generated_input.h"

namespace protean {
namespace {

namespace fs = std::filesystem;
using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// Two weights of 1.08 MB: they go outside.
constexpr std::uint64_t kWidth = 520;

std::unique_ptr<Backend> backend_with(const fs::path& cache, std::uint64_t bytes_max = std::uint64_t{1} << 30) {
  auto made =
      make_onnxruntime_backend({.cache_folder = cache, .cache_bytes_max = bytes_max, .cache_model_bytes_min = 0});
  if (!made) std::abort();
  return *std::move(made);
}

Result<std::unique_ptr<Model>> load_with(Backend& backend, const fs::path& path, const LoadOptions& options = {}) {
  return backend.load({path.stem(), "1", path, path.parent_path()}, options);
}

/// The bytes of all outputs for inputs made of the signature; an error's message when the model fails.
std::vector<std::string> answers(Model& model) {
  const auto inputs = generate_inputs(model.signature(), {3, 2, 7});
  if (!inputs) return {inputs.error().message};
  std::vector<const Tensor*> pointers;
  for (const auto& input : *inputs) pointers.push_back(&input);
  const auto outputs = run(model, pointers);
  if (!outputs) return {outputs.error().message};
  std::vector<std::string> result;
  for (const auto& output : *outputs) result.push_back(format_shape(output.shape) + std::string(output.data.text()));
  return result;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

/// The one entry in there.
fs::path entry_in(const fs::path& cache) {
  for (const auto& name : names_in(cache)) {
    if (name.size() == 64) return cache / name;
  }
  return {};
}

class GraphCacheTest : public ::testing::Test {
 protected:
  /// The first note of loading the model; the message when that fails. The answers must be `expected_`.
  std::string load_note(Backend& backend) {
    const auto model = load_with(backend, model_);
    if (!model) return model.error().message;
    EXPECT_EQ(answers(**model), expected_);
    return (*model)->load_notes().front();
  }
  std::string load_note() { return load_note(*backend_); }

  const TemporaryFolder folder_;
  const fs::path model_ = folder_.write("m.onnx", dense_model(kWidth, 2));
  const fs::path cache_ = folder_.path() / "cache";
  const std::vector<std::string> expected_ = answers(**load(model_));
  const std::unique_ptr<Backend> backend_ = backend_with(cache_);
};

TEST_F(GraphCacheTest, AnswersAsWithoutItForEveryModelHere) {
  int cached = 0;
  for (const auto& entry : fs::directory_iterator(data_folder() / "models")) {
    SCOPED_TRACE(entry.path());
    const auto plain = load(entry.path());
    const auto first = load_with(*backend_, entry.path());
    const auto second = load_with(*backend_, entry.path());
    ASSERT_EQ(plain.has_value(), first.has_value());
    if (!plain) {
      EXPECT_EQ(plain.error().message, first.error().message);
      EXPECT_EQ(plain.error().message, second.error().message);
      continue;
    }
    EXPECT_THAT((*second)->load_notes().front(), StartsWith("graph from cache"));
    ++cached;
    for (const auto* other : {&first, &second}) {
      ASSERT_EQ((**other)->signature().inputs.size(), (*plain)->signature().inputs.size());
      for (std::size_t i = 0; i < (*plain)->signature().inputs.size(); ++i) {
        const auto& a = (*plain)->signature().inputs[i];
        const auto& b = (**other)->signature().inputs[i];
        EXPECT_EQ(std::tie(a.name, a.shape, a.optional, a.any_rank), std::tie(b.name, b.shape, b.optional, b.any_rank));
      }
      EXPECT_EQ(answers(***other), answers(**plain));
    }
  }
  EXPECT_GT(cached, 20);
}

TEST_F(GraphCacheTest, MapsTheWeightsAndHoldsThemOnce) {
  EXPECT_THAT(load_note(), StartsWith("optimised in "));
  EXPECT_THAT(load_note(), StartsWith("graph from cache"));
  const auto model = load_with(*backend_, model_);
  ASSERT_TRUE(model);
  EXPECT_GE((*model)->memory().mapped_bytes, 2 * kWidth * kWidth * 4);
  EXPECT_EQ(fs::status(cache_).permissions(), fs::perms::owner_all);
  for (const char* name : {"graph.onnx", "weights.bin", "entry"}) {
    EXPECT_EQ(fs::status(entry_in(cache_) / name).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST_F(GraphCacheTest, KeepsClassLabelsOfModelsThatDifferInNothingElse) {
  const auto source = read_file(data_folder() / "models" / "zip_map.onnx");
  const auto first = load_with(*backend_, folder_.write("a.onnx", source));
  ASSERT_TRUE(first) << first.error().message;
  const auto labels_of = [](const Model& model) {
    for (const auto& output : model.signature().outputs) {
      for (const auto& [name, value] : output.parameters) {
        if (name == "class_labels") return std::get<std::string>(value);
      }
    }
    return std::string();
  };
  const auto labels = labels_of(**first);
  ASSERT_GT(labels.size(), 4U);
  const auto word = labels.substr(2, labels.find('"', 2) - 2);  // the first of ["setosa",...]
  auto other = source;
  const auto place = other.find(word);
  ASSERT_NE(place, std::string::npos) << labels;
  other[place] = static_cast<char>(other[place] == 'z' ? 'y' : 'z');
  const auto second = load_with(*backend_, folder_.write("b.onnx", other));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(labels_of(**second), labels);
  EXPECT_EQ(labels_of(**load_with(*backend_, folder_.path() / "b.onnx")), labels_of(**second));
}

TEST_F(GraphCacheTest, NoticesAChangedModel) {
  load_note();
  folder_.write("m.onnx", dense_model(kWidth, 2, 2));
  const auto model = load_with(*backend_, model_);
  ASSERT_TRUE(model);
  EXPECT_THAT((*model)->load_notes().front(), StartsWith("optimised in "));
  EXPECT_NE(answers(**model), expected_);
}

TEST_F(GraphCacheTest, KeyDependsOnTheLibraryTheModelAndItsExternalData) {
  const auto folder = *ModelFolder::open(folder_.path());
  const auto prepare = [&](const std::string& file) {
    Buffer bytes;
    bytes.append(file);
    return *prepare_model(std::move(bytes), folder);
  };
  const auto outside = model(float_graph("", text_field(5, external_floats("w", 3, "weights.bin"))));
  folder_.write("weights.bin", "aaaabbbbcccc");
  const auto first = cache_key("1.27.0", prepare(outside));
  EXPECT_EQ(cache_key("1.27.0", prepare(outside)), first);
  EXPECT_NE(cache_key("1.28.0", prepare(outside)), first);
  folder_.write("weights.bin", "aaaabbbbccdc");
  EXPECT_NE(cache_key("1.27.0", prepare(outside)), first);
}

TEST_F(GraphCacheTest, DoesNotReadAModelAgainThatHasNotChanged) {
  // As old as a file of last year: its times are not in doubt.
  const auto path = folder_.path() / "old" / "model.onnx";
  fs::create_directories(path.parent_path());
  fs::copy_file(model_, path);
  const auto opened = *ModelFile::open(path);
  const auto folder = *ModelFolder::open(path.parent_path());
  const std::string key(64, 'a');
  const SeenModel fresh{opened.stamp(), {}, opened.stamp().changed_ns + 1};
  ASSERT_TRUE(remember_key(cache_, "env", fresh, key));
  EXPECT_EQ(recall_key(cache_, "env", opened.stamp(), folder), std::nullopt) << "changed while it was read, perhaps";
  const SeenModel settled{opened.stamp(), {}, opened.stamp().changed_ns + 3'000'000'000};
  ASSERT_TRUE(remember_key(cache_, "env", settled, key));
  EXPECT_EQ(recall_key(cache_, "env", opened.stamp(), folder), key);
  EXPECT_EQ(recall_key(cache_, "other", opened.stamp(), folder), std::nullopt);
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(recall_key(cache_, "env", ModelFile::open(path)->stamp(), folder), std::nullopt);
}

TEST_F(GraphCacheTest, RemembersExternalDataToo) {
  folder_.write("w.bin", "aaaabbbbcccc");
  const auto folder = *ModelFolder::open(folder_.path());
  const auto stamp = ModelFile::open(model_)->stamp();
  const auto weights = folder.open_file("w.bin")->stamp();
  const std::string key(64, 'b');
  ASSERT_TRUE(remember_key(cache_, "env", {stamp, {{"w.bin", weights}}, weights.changed_ns + 3'000'000'000}, key));
  EXPECT_EQ(recall_key(cache_, "env", stamp, folder), key);
  folder_.write("w.bin", "aaaabbbbccc");
  EXPECT_EQ(recall_key(cache_, "env", stamp, folder), std::nullopt);
}

TEST_F(GraphCacheTest, MakesAnEntryAgainWhateverIsCutOff) {
  load_note();
  for (const char* name : {"entry", "graph.onnx", "weights.bin"}) {
    const auto size = fs::file_size(entry_in(cache_) / name);
    for (const auto left : {std::uintmax_t{0}, std::uintmax_t{1}, size / 4, size / 2, size * 3 / 4, size - 1}) {
      fs::resize_file(entry_in(cache_) / name, left);
      EXPECT_THAT(load_note(), StartsWith("optimised in ")) << name << " of " << left << " bytes";
      EXPECT_THAT(load_note(), StartsWith("graph from cache")) << name;
    }
    fs::remove(entry_in(cache_) / name);
    EXPECT_THAT(load_note(), StartsWith("optimised in ")) << "without " << name;
  }
}

TEST_F(GraphCacheTest, MakesAnEntryAgainWhateverIsOverwritten) {
  load_note();
  for (const char* name : {"entry", "graph.onnx", "weights.bin"}) {
    const auto size = fs::file_size(entry_in(cache_) / name);
    for (std::uintmax_t part = 0; part < 8; ++part) {
      const auto path = entry_in(cache_) / name;
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      const auto place = static_cast<std::streamoff>(size * part / 8);
      file.seekg(place);
      const auto old = static_cast<char>(file.get());
      file.seekp(place);
      file.put(static_cast<char>(old ^ 0x40));
      file.close();
      EXPECT_THAT(load_note(), StartsWith("optimised in ")) << name << ", part " << part;
    }
  }
}

TEST_F(GraphCacheTest, KeepsGraphsOfOtherSettingsApart) {
  load_note();
  const auto made =
      make_onnxruntime_backend({.cache_folder = cache_, .cache_model_bytes_min = 0, .pack_weights = false});
  EXPECT_THAT((*load_with(**made, model_))->load_notes().front(), StartsWith("optimised in "));
  EXPECT_THAT((*load_with(**made, model_))->load_notes().front(), StartsWith("graph from cache"));
  EXPECT_THAT(load_note(), StartsWith("graph from cache"));
}

TEST_F(GraphCacheTest, UsesACopyOfItselfWithOtherTimes) {
  load_note();
  fs::last_write_time(entry_in(cache_) / "weights.bin", fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_THAT(load_note(), StartsWith("graph from cache"));
}

TEST_F(GraphCacheTest, MakesOneEntryWhenManyThreadsLoadAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] { EXPECT_THAT(load_note(), Not(HasSubstr("error"))); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(names_in(cache_), SizeIs(1));
  EXPECT_THAT(load_note(), StartsWith("graph from cache"));
}

/// What a child process does ends with its exit code; ThreadSanitizer has no business there.
int run_in_child(const std::function<bool()>& what) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Publishes a made-up entry: what the library writes is not the point.
bool publish(GraphCache& cache, const std::string& key, std::size_t weights_bytes) {
  auto draft = cache.begin(1);
  if (!draft) return false;
  const auto graph = model(float_graph("", text_field(5, external_floats("w", weights_bytes / 4, "weights.bin"))));
  if (!write_file(draft->path() / "graph.onnx", graph)) return false;
  if (!write_file(draft->path() / "weights.bin", std::string(weights_bytes, 'w'))) return false;
  return cache.publish(*std::move(draft), key, {}).has_value();
}

std::string key_of(int i) { return std::string(63, 'c') + static_cast<char>('0' + i); }

TEST_F(GraphCacheTest, SurvivesProcessesThatWriteAndAreKilledAtAnyPlace) {
  auto cache = *GraphCache::open(cache_, 1 << 20);
  for (int i = 0; i < 40; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto own = GraphCache::open(cache_, 1 << 20);
      for (;;) {
        if (!own || !publish(**own, key_of(0), 5000)) ::_exit(1);
        (*own)->discard(key_of(0), "test");
      }
    }
    for (int k = 0; k < 5 * (i % 7); ++k) {
      const auto found = cache->find(key_of(0));
      ASSERT_TRUE(found) << found.error().message;
      if (*found) {
        EXPECT_EQ((*found)->weights_bytes, 5000U);
      }
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
  }
  cache = *GraphCache::open(cache_, 1 << 20);  // clears what they left
  EXPECT_TRUE(publish(*cache, key_of(0), 5000));
  EXPECT_THAT(names_in(cache_), ::testing::ElementsAre(key_of(0)));
}

TEST_F(GraphCacheTest, TwoProcessesMayWriteTheSameEntry) {
  const auto work = [&] {
    const auto cache = GraphCache::open(cache_, 1 << 20);
    for (int i = 0; i < 30; ++i) {
      if (!cache || !publish(**cache, key_of(i % 3), 4000)) return false;
      const auto found = (*cache)->find(key_of(i % 3));
      if (!found || !*found || (*found)->weights_bytes != 4000) return false;
    }
    return true;
  };
  std::thread other([&] { EXPECT_EQ(run_in_child(work), 0); });
  EXPECT_EQ(run_in_child(work), 0);
  other.join();
  EXPECT_THAT(names_in(cache_), SizeIs(3));
}

TEST_F(GraphCacheTest, TrimsWhatWasUsedLeastRecentlyAndNothingInUse) {
  const auto cache = *GraphCache::open(cache_, 25'000);
  ASSERT_TRUE(publish(*cache, key_of(0), 8000));
  const auto held = cache->find(key_of(0));  // the oldest, and in use
  ASSERT_TRUE(held && *held);
  ASSERT_TRUE(publish(*cache, key_of(1), 8000));
  ASSERT_TRUE(publish(*cache, key_of(2), 8000) && *cache->find(key_of(2)));
  ASSERT_TRUE(publish(*cache, key_of(3), 8000));
  EXPECT_TRUE(*cache->find(key_of(0)));
  EXPECT_FALSE(*cache->find(key_of(1)));
  EXPECT_TRUE(*cache->find(key_of(3)));
}

TEST_F(GraphCacheTest, AModelThatIsLoadedOutlivesTheDeletionOfItsEntry) {
  load_note();
  const auto model = load_with(*backend_, model_);
  fs::remove_all(cache_);
  EXPECT_EQ(answers(**model), expected_);
  EXPECT_THAT(load_note(), StartsWith("optimised in ")) << "and without the folder, models load all the same";
}

TEST_F(GraphCacheTest, LoadsWithoutACacheThatOthersMayWriteInto) {
  const auto open = folder_.path() / "open";
  fs::create_directory(open);
  fs::permissions(open, fs::perms::all);
  const auto backend = backend_with(open);
  const auto model = load_with(*backend, model_);
  ASSERT_TRUE(model);
  EXPECT_THAT((*model)->load_notes(), Contains(HasSubstr("others may write into it")));
  EXPECT_THAT(names_in(open), IsEmpty());
}

TEST_F(GraphCacheTest, LoadsAllTheSameWhenFilesMayNotGrow) {
  struct rlimit before {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const int limit : {0, 100, 4096, 1'000'000, 2'000'000, 3'000'000}) {
    const rlimit small{static_cast<rlim_t>(limit), before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto note = load_note();
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_THAT(note, StartsWith("optimised in ")) << limit;
    EXPECT_THAT(names_in(cache_), AnyOf(IsEmpty(), SizeIs(1))) << limit;
  }
  std::signal(SIGXFSZ, handler);
  load_note();
  EXPECT_THAT(load_note(), StartsWith("graph from cache"));
}

TEST_F(GraphCacheTest, LoadsAllTheSameFromAFullDisk) {
  for (const char* size : {"size=16k", "size=64k", "size=256k", "size=400k"}) {
    const TemporaryFolder disk;
    if (::mount("tmpfs", disk.path().c_str(), "tmpfs", 0, size) != 0) GTEST_SKIP() << "mounting takes root";
    {
      const auto backend = backend_with(disk.path() / "cache");
      EXPECT_THAT(load_note(*backend), StartsWith("optimised in ")) << size;
      // Whoever does not know beforehand how much there will be meets the end of the disk while writing.
      const auto cache = *GraphCache::open(disk.path() / "cache", 1 << 30);
      EXPECT_FALSE(publish(*cache, key_of(0), 500'000)) << size;
      EXPECT_THAT(names_in(disk.path() / "cache"), IsEmpty()) << size;
    }
    EXPECT_EQ(::umount2(disk.path().c_str(), MNT_DETACH), 0);
  }
}

TEST(CacheEntry, ComesBackAsItWas) {
  CacheEntry entry{7, "g", 9, -5, "w", {}};
  entry.facts.ir_version = 8;
  entry.facts.opsets = {{"", 17}, {"ai.onnx.ml", 3}};
  entry.facts.inputs = {{"x", true, false}, {"z", false, true}};
  entry.facts.outputs = {{"y", true, true}};
  entry.facts.labelled = {{"p", "scores", "[0,1]", 2, 0}};
  const auto text = encode_entry(entry);
  const auto back = decode_entry(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->weights_modified_ns, -5);
  EXPECT_EQ(encode_facts(back->facts), encode_facts(entry.facts));
  EXPECT_EQ(back->facts.labelled.at(0).labels, "[0,1]");
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(decode_entry(damaged)) << i;
    EXPECT_FALSE(decode_entry(std::string_view(text).substr(0, i))) << i;
  }
}

}  // namespace
}  // namespace protean
