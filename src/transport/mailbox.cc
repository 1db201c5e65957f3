// SPDX-License-Identifier: Apache-2.0
// One wake-up per batch: whoever posts to a box that is not empty knows that the loop is on its way.
#include "transport/mailbox.h"

#include <utility>

namespace protean {

void Mailbox::post(Letter letter) {
  std::unique_lock lock(mutex_);
  if (!wake_) {
    lock.unlock();  // the letter goes after the lock: what it holds may post in its turn
    return;
  }
  letters_.push_back(std::move(letter));
  if (letters_.size() == 1) wake_();
}

std::vector<Mailbox::Letter> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(letters_, {});
}

void Mailbox::close() {
  std::vector<Letter> dropped;  // declared first, so destroyed after the lock: a letter may hold anything
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  dropped = std::exchange(letters_, {});
}

}  // namespace protean
