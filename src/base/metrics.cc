// SPDX-License-Identifier: Apache-2.0
// Per-thread cells and the registry that names them. The hot path is one relaxed load and store.
#include "base/metrics.h"

#include <algorithm>

#include "base/check.h"

namespace protean::metrics {
namespace {

/// Hands out slots; the last one is shared by whoever comes late.
class SlotTable {
 public:
  std::size_t take() noexcept {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i + 1 < kThreadSlots; ++i) {
      if (!taken_[i]) {
        taken_[i] = true;
        return i;
      }
    }
    return kThreadSlots - 1;
  }
  void give_back(std::size_t slot) noexcept {
    const std::lock_guard lock(mutex_);
    if (slot + 1 < kThreadSlots) taken_[slot] = false;
  }
  static SlotTable& instance() {
    static auto* table = new SlotTable;  // outlives every thread
    return *table;
  }

 private:
  std::mutex mutex_;
  std::array<bool, kThreadSlots> taken_{};  // guarded by mutex_
};

struct SlotHolder {
  std::size_t slot = SlotTable::instance().take();
  ~SlotHolder() { SlotTable::instance().give_back(slot); }
};

constexpr std::size_t kNoSlot = kThreadSlots;
/// What SlotHolder holds, without a guard to pass at each look.
constinit thread_local std::size_t known_slot = kNoSlot;

std::size_t take_slot() noexcept {
  static thread_local const SlotHolder holder;
  return known_slot = holder.slot;
}

/// The last slot is shared, all others are written by one thread only.
void add_to(std::atomic<std::uint64_t>& cell, std::uint64_t amount, std::size_t slot) noexcept {
  if (slot + 1 < kThreadSlots) {
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  } else {
    cell.fetch_add(amount, std::memory_order_relaxed);
  }
}

constexpr std::uint64_t kUs = 1000;
constexpr std::uint64_t kMs = 1000 * kUs;
constexpr std::uint64_t kS = 1000 * kMs;
constexpr std::array<std::uint64_t, 19> kLatencyBounds = {
    10 * kUs, 25 * kUs, 50 * kUs,  100 * kUs, 250 * kUs, 500 * kUs, 1 * kMs,    2500 * kUs, 5 * kMs, 10 * kMs,
    25 * kMs, 50 * kMs, 100 * kMs, 250 * kMs, 500 * kMs, 1 * kS,    2500 * kMs, 5 * kS,     10 * kS};

}  // namespace

std::size_t thread_slot() noexcept { return known_slot != kNoSlot ? known_slot : take_slot(); }

Cells::~Cells() {
  for (auto& block : blocks_) delete[] block.load(std::memory_order_relaxed);
}

Cells::Block* Cells::block_of(std::size_t slot) noexcept {
  Block* block = blocks_[slot].load(std::memory_order_acquire);
  return block != nullptr ? block : make_block(slot);
}

Cells::Block* Cells::make_block(std::size_t slot) noexcept {
  Block* block = nullptr;
  auto* fresh = new Block[count_]();
  if (blocks_[slot].compare_exchange_strong(block, fresh, std::memory_order_acq_rel)) return fresh;
  delete[] fresh;
  return block;
}

void Cells::add(std::size_t cell, std::uint64_t amount) noexcept {
  const std::size_t slot = thread_slot();
  add_to(block_of(slot)[cell], amount, slot);
}

void Cells::add_two(std::size_t first, std::uint64_t first_amount, std::size_t second,
                    std::uint64_t second_amount) noexcept {
  const std::size_t slot = thread_slot();
  Block* block = block_of(slot);
  add_to(block[first], first_amount, slot);
  add_to(block[second], second_amount, slot);
}

std::uint64_t Cells::sum(std::size_t cell) const noexcept {
  std::uint64_t total = 0;
  for (const auto& slot : blocks_) {
    if (const Block* block = slot.load(std::memory_order_acquire)) {
      total += block[cell].load(std::memory_order_relaxed);
    }
  }
  return total;
}

Histogram::Histogram(std::span<const std::uint64_t> bounds, double scale)
    : bounds_(bounds.begin(), bounds.end()), scale_(scale), cells_(bounds.size() + 2) {}

void Histogram::observe(std::uint64_t value) noexcept {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  cells_.add_two(static_cast<std::size_t>(bucket), 1, bounds_.size() + 1, value);
}

std::span<const std::uint64_t> latency_bounds_ns() noexcept { return kLatencyBounds; }

Member& Registry::member(std::string_view name, std::string_view help, Kind kind, Labels labels) {
  auto family = std::find_if(families_.begin(), families_.end(), [&](auto& f) { return f.name == name; });
  if (family == families_.end()) {
    families_.push_back({std::string(name), std::string(help), kind, {}});
    family = std::prev(families_.end());
  }
  PROTEAN_CHECK(family->kind == kind);
  auto& members = family->members;
  auto found = std::find_if(members.begin(), members.end(), [&](auto& m) { return m.labels == labels; });
  if (found != members.end()) return *found;
  return members.emplace_back(Member{std::move(labels), nullptr, nullptr, nullptr});
}

std::shared_ptr<Counter> Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto& found = member(name, help, Kind::kCounter, std::move(labels));
  PROTEAN_CHECK(!found.gauge);
  if (!found.counter) found.counter = std::make_shared<Counter>();
  return found.counter;
}

std::shared_ptr<Gauge> Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto& found = member(name, help, Kind::kGauge, std::move(labels));
  if (!found.gauge) found.gauge = std::make_shared<Gauge>();
  return found.gauge;
}

std::shared_ptr<Gauge> Registry::outside_counter(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto& found = member(name, help, Kind::kCounter, std::move(labels));
  PROTEAN_CHECK(!found.counter);
  if (!found.gauge) found.gauge = std::make_shared<Gauge>();
  return found.gauge;
}

std::shared_ptr<Histogram> Registry::histogram(std::string_view name, std::string_view help, Labels labels,
                                               std::span<const std::uint64_t> bounds, double scale) {
  const std::lock_guard lock(mutex_);
  auto& found = member(name, help, Kind::kHistogram, std::move(labels));
  if (!found.histogram) found.histogram = std::make_shared<Histogram>(bounds, scale);
  return found.histogram;
}

void Registry::remove(const Labels& labels) {
  const auto carries = [&](const Member& m) {
    return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
      return std::find(m.labels.begin(), m.labels.end(), label) != m.labels.end();
    });
  };
  const std::lock_guard lock(mutex_);
  for (auto& family : families_) std::erase_if(family.members, carries);
}

void Registry::on_snapshot(std::function<void()> refresh) {
  const std::lock_guard lock(mutex_);
  refreshers_.push_back(std::move(refresh));
}

std::vector<Family> Registry::snapshot() const {
  std::vector<std::function<void()>> refreshers;
  {
    const std::lock_guard lock(mutex_);
    refreshers = refreshers_;
  }
  for (const auto& refresh : refreshers) refresh();
  const std::lock_guard lock(mutex_);
  return families_;
}

}  // namespace protean::metrics
