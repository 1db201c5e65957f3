// SPDX-License-Identifier: Apache-2.0
// The queue keeps nothing while it is empty, so that an idle connection costs no output memory.
#include "transport/output_queue.h"

#include <algorithm>

#include "base/check.h"

namespace protean {
namespace {

constexpr std::size_t kCopyBytesMax = 4096;
constexpr std::size_t kTailBytesMin = 1024;
constexpr std::size_t kTailBytesMax = std::size_t{64} << 10;
constexpr std::size_t kSentPiecesMax = 64;

iovec make_vector(const std::byte* data, std::size_t count) noexcept {
  return {const_cast<std::byte*>(data), count};  // sendmsg() never writes through it
}

}  // namespace

void OutputQueue::append_copy(std::string_view bytes) {
  if (tail_.size() >= kTailBytesMax) seal_tail();
  if (tail_.capacity() == 0) tail_.reserve(std::max(kTailBytesMin, bytes.size()));
  tail_.append(bytes);
  bytes_ += bytes.size();
}

void OutputQueue::append(Slice slice) {
  if (slice.empty()) return;
  if (slice.size() < kCopyBytesMax) {
    append_copy(slice.text());
    return;
  }
  seal_tail();
  bytes_ += slice.size();
  pieces_.push_back(std::move(slice));
}

void OutputQueue::observe_sent(std::shared_ptr<metrics::Histogram> histogram, TimePoint start) {
  marks_.push_back({sent_ + bytes_, std::move(histogram), start, nullptr});
}

void OutputQueue::hold(std::shared_ptr<const void> owner) {
  if (owner != nullptr && bytes_ > 0) marks_.push_back({sent_ + bytes_, nullptr, {}, std::move(owner)});
}

void OutputQueue::seal_tail() {
  if (!tail_.empty()) pieces_.push_back(std::move(tail_).share());
}

std::size_t OutputQueue::gather(std::span<iovec> vectors) const noexcept {
  std::size_t used = 0;
  std::size_t skip = front_sent_;
  for (std::size_t i = front_; i < pieces_.size() && used < vectors.size(); ++i) {
    vectors[used++] = make_vector(pieces_[i].data() + skip, pieces_[i].size() - skip);
    skip = 0;
  }
  if (used < vectors.size() && tail_.size() > skip) {
    vectors[used++] = make_vector(tail_.data() + skip, tail_.size() - skip);
  }
  return used;
}

void OutputQueue::consume(std::size_t count, TimePoint now) {
  PROTEAN_CHECK(count <= bytes_);
  bytes_ -= count;
  sent_ += count;
  front_sent_ += count;
  while (front_ < pieces_.size() && front_sent_ >= pieces_[front_].size()) {
    front_sent_ -= pieces_[front_].size();
    pieces_[front_++] = Slice{};
  }
  if (!marks_.empty()) observe(now);
  if (bytes_ == 0) {
    pieces_ = {};
    tail_ = Buffer();
    front_ = 0;
    front_sent_ = 0;
  } else if (front_ > kSentPiecesMax && front_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(front_));
    front_ = 0;
  }
}

void OutputQueue::observe(TimePoint now) {
  const auto waiting = std::find_if(marks_.begin(), marks_.end(), [this](const Mark& m) { return m.position > sent_; });
  for (auto mark = marks_.begin(); mark != waiting; ++mark) {
    if (mark->histogram == nullptr) continue;
    mark->histogram->observe(static_cast<std::uint64_t>(std::max<Duration::rep>(0, (now - mark->start).count())));
  }
  if (waiting == marks_.end()) {
    marks_ = {};
  } else {
    marks_.erase(marks_.begin(), waiting);
  }
}

}  // namespace protean
