// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/directory.h"

#include <gtest/gtest.h>

#include <thread>

namespace protean {
namespace {

std::shared_ptr<const ModelRoute> route_to(std::uint64_t version) {
  auto route = std::make_shared<ModelRoute>();
  route->slot = std::make_shared<ModelSlot>();
  route->aliases = {{"champion", version}};
  route->default_version = version;
  return route;
}

void move_all(Directory& directory, std::uint64_t version) {
  directory.apply({{"a", route_to(version)}, {"b", route_to(version)}});
}

/// Both change together and only upwards: whoever looks at one after the other never sees the second one behind.
TEST(Directory, ReadersSeeAChangeOfTwoModelsWholeOrNotAtAll) {
  Directory directory;
  move_all(directory, 1);
  std::atomic<bool> ended{false};
  std::atomic<int> torn{0};
  const auto read = [&](const char* first, const char* second) {
    while (!ended) {
      const std::uint64_t before = directory.find(first)->find_alias("champion");
      const ModelRoute* after = directory.find(second);
      if (after->find_alias("champion") < before || after->default_version < before) ++torn;
    }
  };
  std::vector<std::thread> readers;
  readers.emplace_back(read, "a", "b");
  readers.emplace_back(read, "b", "a");
  for (std::uint64_t version = 2; version <= 1000; ++version) move_all(directory, version);
  ended = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(directory.find("a")->find_alias("champion"), 1000U);
}

TEST(Directory, ForgetsAModel) {
  Directory directory;
  move_all(directory, 1);
  directory.apply({{"a", nullptr}});
  EXPECT_EQ(directory.find("a"), nullptr);
  EXPECT_EQ(directory.names(), (std::vector<std::string>{"b"}));
}

}  // namespace
}  // namespace protean
