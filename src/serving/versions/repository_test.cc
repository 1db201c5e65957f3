// SPDX-License-Identifier: Apache-2.0
// The repository over a real folder: loading, broken models, replacing and removing while it runs, commands.
#include "serving/versions/repository.h"

#include <gtest/gtest.h>

#include <future>

#include "serving/fake_backend.h"
#include "serving/temporary_folder.h"

namespace protean {
namespace {

using testing::FakeBackend;
using testing::TemporaryFolder;

class RepositoryTest : public ::testing::Test {
 protected:
  void start(bool watch = true) {
    RepositoryOptions options;
    options.folder = folder_.path();
    options.watch = watch;
    options.poll_interval = std::chrono::milliseconds(20);
    options.settle = std::chrono::milliseconds(5);
    repository_ = std::make_unique<Repository>(options, RepositoryParts{{&backend_}, registry_, nullptr, {}, {}, {}});
    const auto started = repository_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  /// Yields to the control thread until the condition holds; the test runner's own limit ends a hang.
  template <typename F>
  void until(F condition) {
    while (!condition()) std::this_thread::yield();
  }
  Status load(const std::string& model) {
    std::promise<Status> done;
    repository_->load_model(model, "tester", [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  Status unload(const std::string& model) {
    std::promise<Status> done;
    repository_->unload_model(model, "tester", [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  std::string version_served(std::string_view model) {
    const auto version = repository_->find(model, "");
    return version ? (*version)->version_text : std::string(code_name(version.error().code));
  }

  metrics::Registry registry_;
  TemporaryFolder folder_;
  FakeBackend backend_;
  std::unique_ptr<Repository> repository_;
};

TEST_F(RepositoryTest, ServesTheNewestVersionAndKeepsAllAddressable) {
  folder_.write("m/2/model", "MODEL");
  folder_.write("m/10/model", "MODEL");
  start();
  EXPECT_EQ(version_served("m"), "10");
  EXPECT_EQ((*repository_->find("m", "2"))->version, 2U);
  EXPECT_EQ(repository_->ready_versions("m")->size(), 2U);
}

TEST_F(RepositoryTest, OneBrokenModelDoesNotStopTheOthers) {
  folder_.write("bad/model", "MODEL broken");
  folder_.write("good/model", "MODEL");
  start();
  EXPECT_EQ(version_served("good"), "1");
  const auto bad = repository_->find("bad", "");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kUnavailable);
  EXPECT_EQ(bad.error().message, "model 'bad' is not ready: the file is broken; write it again");
}

/// Models that are named with a path of their own, without a common folder.
class NamedModels : public RepositoryTest {
 protected:
  void start(std::vector<ModelEntry> entries) {
    RepositoryOptions options;
    options.poll_interval = std::chrono::milliseconds(20);
    options.settle = std::chrono::milliseconds(5);
    options.entries = std::move(entries);
    repository_ = std::make_unique<Repository>(options, RepositoryParts{{&backend_}, registry_, nullptr, {}, {}, {}});
    const auto started = repository_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  Status replace(std::vector<ModelEntry> entries) {
    std::promise<Status> done;
    repository_->replace_models({std::move(entries), "tester"},
                                [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  [[nodiscard]] ModelEntry entry(const std::string& name, const std::string& folder) const {
    return {name, folder_.path() / folder};
  }
};

TEST_F(NamedModels, AreServedFromWhereverTheyLie) {
  folder_.write("here/there/0003/model", "MODEL");
  folder_.write("one/model", "MODEL");
  ModelEntry three = entry("three", "here/there");
  three.aliases = {{"Stable", 3}};
  start({three, entry("single", "one/model"), entry("plain", "one"), entry("none", "nowhere")});
  EXPECT_EQ(version_served("three"), "3");
  EXPECT_EQ((*repository_->find("three", "Stable"))->version, 3U);
  EXPECT_EQ(version_served("single"), "1");
  EXPECT_EQ(version_served("plain"), "1");
  ASSERT_EQ(repository_->ignored().size(), 1U);
  EXPECT_EQ(repository_->ignored()[0].reason, "there is no such file or folder");
}

TEST_F(NamedModels, AreReplacedTogetherAndTheAnswerComesWhenTheyServe) {
  folder_.write("a/1/model", "MODEL");
  folder_.write("b/1/model", "MODEL");
  folder_.write("b/2/model", "MODEL");
  start({entry("a", "a")});
  ModelEntry both = entry("b", "b");
  both.versions = VersionPolicy{VersionPolicy::Choice::kLatest, 1, {}, true, {}};
  both.aliases = {{"old", 1}};
  const auto status = replace({both});
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(version_served("b"), "2");
  EXPECT_EQ((*repository_->find("b", "old"))->version, 1U);  // an alias wants it although the policy does not
  until([&] { return version_served("a") == "NOT_FOUND"; });
}

TEST_F(NamedModels, AliasesToVersionsThatAreNotThereAreTold) {
  folder_.write("a/1/model", "MODEL");
  ModelEntry a = entry("a", "a");
  start({a});
  a.aliases = {{"canary", 7}};
  const auto status = replace({a});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(status.error().message, "alias 'canary' of model 'a': version 7 is not ready");
  EXPECT_FALSE(replace({a, a}));
}

TEST_F(NamedModels, VersionsThatAreGoneAreRememberedAsEnded) {
  folder_.write("a/1/model", "MODEL");
  folder_.write("a/2/model", "MODEL");
  start({entry("a", "a")});
  std::filesystem::remove_all(folder_.path() / "a/1");
  until([&] { return !repository_->find("a", "1"); });
  until([&] { return repository_->versions_of("a", "1")->front().reason == "unloaded; its files are gone"; });
  const auto rows = repository_->versions_of("a", "");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].state, VersionState::kUnavailable);
  EXPECT_TRUE((*rows)[0].was_loaded);
  EXPECT_EQ((*rows)[1].state, VersionState::kReady);
  EXPECT_EQ(repository_->versions_of("b", "").error().reason, "no_model");
}

TEST_F(RepositoryTest, NamesTheNearestModel) {
  folder_.write("iris/model", "MODEL");
  start();
  EXPECT_EQ(repository_->find("irsi", "").error().message, "model 'irsi' not found; did you mean 'iris'?");
}

TEST_F(RepositoryTest, ExplainsVersionsThatAreNotThere) {
  folder_.write("iris/3/model", "MODEL");
  start();
  EXPECT_EQ(repository_->find("iris", "4").error().message, "model 'iris' has no version 4; it has 3");
  EXPECT_EQ(repository_->find("iris", "4").error().code, Code::kNotFound);
  EXPECT_EQ(repository_->find("iris", "latest").error().message, "model 'iris' has no alias 'latest'; it has none");
  EXPECT_EQ(repository_->find("iris", "Latest").error().code, Code::kInvalidArgument);
  EXPECT_EQ(repository_->find("iris", "0").error().code, Code::kInvalidArgument);
  EXPECT_EQ(repository_->find("iris", "-1").error().code, Code::kInvalidArgument);
}

TEST_F(RepositoryTest, PicksUpAnAddedVersion) {
  folder_.write("m/1/model", "MODEL");
  start();
  folder_.write("m/2/model", "MODEL");
  until([&] { return version_served("m") == "2"; });
  EXPECT_TRUE(repository_->find("m", "1"));
}

TEST_F(RepositoryTest, DropsARemovedVersionButLetsItsRequestsFinish) {
  folder_.write("m/1/model", "MODEL");
  folder_.write("m/2/model", "MODEL");
  start();
  auto held = *repository_->find("m", "2");
  folder_.remove("m/2");
  until([&] { return version_served("m") == "1"; });
  EXPECT_EQ(backend_.alive, 2);
  held.reset();
  until([&] { return backend_.alive == 1; });
}

TEST_F(RepositoryTest, ReplacesAVersionWhoseFilesChanged) {
  folder_.write("m/1/model", "MODEL");
  start();
  const auto before = *repository_->find("m", "1");
  folder_.write("m/1/model", "MODEL with other weights");
  until([&] { return *repository_->find("m", "1") != before; });
}

TEST_F(RepositoryTest, KeepsServingWhenAReplacementIsBroken) {
  folder_.write("m/1/model", "MODEL");
  start();
  folder_.write("m/1/model", "MODEL broken");
  until([&] { return !repository_->statuses().at(0).reason.empty(); });
  EXPECT_EQ(version_served("m"), "1");
  EXPECT_EQ(repository_->statuses().at(0).reason,
            "serving the files before; the new ones failed: the file is broken; write it again");
  EXPECT_EQ(repository_->statuses().at(0).state, VersionState::kReady);
}

TEST_F(RepositoryTest, UnloadsByRequestUntilLoadedByRequest) {
  folder_.write("m/1/model", "MODEL");
  start();
  ASSERT_TRUE(unload("m"));
  EXPECT_EQ(version_served("m"), "UNAVAILABLE");
  EXPECT_EQ(repository_->statuses().at(0).reason, "unloaded");
  until([&] { return backend_.alive == 0; });
  ASSERT_TRUE(load("m"));
  EXPECT_EQ(version_served("m"), "1");
}

TEST_F(RepositoryTest, SaysWhyALoadByRequestFailed) {
  folder_.write("bad/model", "MODEL broken");
  start();
  EXPECT_EQ(load("bad").error().message, "model 'bad' version 1 did not load: the file is broken; write it again");
  EXPECT_EQ(load("nobody").error().code, Code::kNotFound);
  EXPECT_EQ(unload("nobody").error().code, Code::kNotFound);
}

TEST_F(RepositoryTest, LeavesOtherModelsAloneWhenItDoesNotWatch) {
  folder_.write("a/1/model", "MODEL");
  start(false);
  folder_.write("a/2/model", "MODEL");
  folder_.write("b/1/model", "MODEL");
  ASSERT_TRUE(load("b"));
  EXPECT_EQ(version_served("b"), "1");
  EXPECT_EQ(version_served("a"), "1");
  ASSERT_TRUE(load("a"));
  EXPECT_EQ(version_served("a"), "2");
}

TEST_F(RepositoryTest, RefusesCommandsOnceStopped) {
  start();
  repository_->stop();
  EXPECT_EQ(load("m").error().code, Code::kUnavailable);
}

TEST_F(RepositoryTest, SurvivesLookUpsWhileVersionsComeAndGo) {
  folder_.write("m/1/model", "MODEL");
  start();
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const auto version = repository_->find("m", "");
      EXPECT_TRUE(!version || (*version)->model_name == "m");
      EXPECT_FALSE(repository_->statuses().empty());
    }
  });
  for (int i = 2; i < 12; ++i) {
    folder_.write("m/" + std::to_string(i) + "/model", "MODEL");
    until([&] { return version_served("m") == std::to_string(i); });
    folder_.remove("m/" + std::to_string(i));
    until([&] { return version_served("m") == "1"; });
  }
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace protean
