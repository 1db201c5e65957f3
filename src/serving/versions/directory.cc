// SPDX-License-Identifier: Apache-2.0
// The table is an array of shards, so that changing one model among ten thousand copies forty entries. A thread's
// cached table holds names and slots, never a loaded model: those live in the slots alone.
#include "serving/versions/directory.h"

#include <algorithm>

namespace protean {
namespace {

std::atomic<std::uint64_t> next_id{1};

}  // namespace

struct Directory::Cached {
  std::uint64_t id = 0;
  std::uint64_t generation = 0;
  std::shared_ptr<const Table> table;
};

ModelSlot::Versions ModelSlot::swap(Versions next) {
  const std::lock_guard lock(mutex_);
  std::swap(versions_, next);
  return next;
}

ModelSlot::Found ModelSlot::find(std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  if (version == 0) version = versions_.default_version;
  // Newest last, and the newest is asked for most.
  for (auto it = versions_.ready.rbegin(); it != versions_.ready.rend(); ++it) {
    if ((*it)->version == version) return {*it, true, version};
  }
  const bool wakes = std::find(versions_.waking.begin(), versions_.waking.end(), version) != versions_.waking.end();
  return {nullptr, wakes, version};
}

std::vector<VersionHandle> ModelSlot::ready() const {
  const std::lock_guard lock(mutex_);
  return versions_.ready;
}

std::uint64_t ModelRoute::find_alias(std::string_view alias) const noexcept {
  for (const auto& [name, version] : aliases) {
    if (name == alias) return version;
  }
  return 0;
}

Directory::Directory() : id_(next_id.fetch_add(1, std::memory_order_relaxed)) {
  auto table = std::make_shared<Table>();
  table->fill(std::make_shared<const Shard>());
  table_ = std::move(table);
}

Directory::~Directory() {
  // Threads may keep the table, but no loaded model by it.
  for (const auto& shard : *table_) {
    for (const auto& [name, route] : *shard) route->slot->swap({});
  }
}

std::size_t Directory::shard_of(std::string_view model) noexcept { return Hash{}(model) % kShards; }

std::shared_ptr<const Directory::Table> Directory::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

const ModelRoute* Directory::find(std::string_view model) const {
  thread_local Cached cached;
  const std::uint64_t generation = generation_.load(std::memory_order_acquire);
  if (cached.id != id_ || cached.generation != generation) {
    cached.table = table();  // this generation or a newer one, in which case it is fetched once more next time
    cached.id = id_;
    cached.generation = generation;
  }
  const Shard& shard = *(*cached.table)[shard_of(model)];
  const auto found = shard.find(model);
  return found == shard.end() ? nullptr : found->second.get();
}

void Directory::apply(std::vector<Change> changes) {
  auto next = std::make_shared<Table>(*table());
  std::unordered_map<std::size_t, std::shared_ptr<Shard>> touched;
  for (auto& change : changes) {
    const std::size_t index = shard_of(change.model);
    auto& shard = touched[index];
    if (!shard) shard = std::make_shared<Shard>(*(*next)[index]);
    if (change.route) {
      (*shard)[std::move(change.model)] = std::move(change.route);
    } else {
      shard->erase(change.model);
    }
  }
  for (auto& [index, shard] : touched) (*next)[index] = std::move(shard);
  std::shared_ptr<const Table> last = std::move(next);
  {
    const std::lock_guard lock(mutex_);
    table_.swap(last);
  }
  generation_.fetch_add(1, std::memory_order_release);
}

std::vector<std::string> Directory::names() const {
  std::vector<std::string> names;
  const auto now = table();
  for (const auto& shard : *now) {
    for (const auto& [name, route] : *shard) names.push_back(name);
  }
  return names;
}

}  // namespace protean
