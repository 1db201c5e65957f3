// SPDX-License-Identifier: Apache-2.0
// Opcodes that put values together (tuples, lists, dicts, sets), move them about on the stack, and the memo.
#include <utility>

#include "backends/scikit_learn/pickle_machine.h"

namespace protean::sklearn {
namespace {

/// A memo slot is at most this far beyond the number of opcodes read: pickles number their slots one after another.
constexpr std::uint64_t kSlotSlack = 1024;

}  // namespace

Status PickleMachine::push_sequence(Kind kind, std::vector<Ref> items) {
  TRY(const auto ref, pool_.add_container(kind));
  if (!items.empty()) pool_.items_of(ref) = std::move(items);
  stack_.push_back(ref);
  return {};
}

/// Lists, dicts and sets take items; so do objects, whose class may be a subclass of one.
Status PickleMachine::append_to(Ref target, const std::vector<Ref>& items, bool pairs) {
  const auto kind = pool_.node(target).kind;
  const bool fits = kind == Kind::kObject || (pairs ? kind == Kind::kDict : kind == Kind::kList || kind == Kind::kSet);
  if (!fits) return broken("items for " + pool_.value(target).describe());
  if (pairs && items.size() % 2 != 0) return broken("a key without a value");
  if (items.empty()) return {};
  auto& all = pool_.items_of(target);
  all.insert(all.end(), items.begin(), items.end());
  return {};
}

Status PickleMachine::store(std::uint64_t slot) {
  if (slot > steps_ + kSlotSlack) return broken("memo slot " + std::to_string(slot) + " is far beyond those in use");
  TRY(const auto value, top());
  if (slot >= memo_.size()) memo_.resize(slot + 1, kNoRef);
  memo_[slot] = value;
  return {};
}

Status PickleMachine::load(std::uint64_t slot) {
  if (slot >= memo_.size() || memo_[slot] == kNoRef) return broken("memo slot " + std::to_string(slot) + " is empty");
  stack_.push_back(memo_[slot]);
  return {};
}

Result<bool> PickleMachine::container(unsigned char op) {
  switch (op) {
    case '(': marks_.push_back(stack_.size()); return true;
    case '0':
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        TRY_STATUS(pop());
      }
      return true;
    case '1': TRY_STATUS(pop_to_mark()); return true;
    case '2': {
      TRY(const auto value, top());
      stack_.push_back(value);
      return true;
    }
    case ')': TRY_STATUS(push_sequence(Kind::kTuple, {})); return true;
    case ']': TRY_STATUS(push_sequence(Kind::kList, {})); return true;
    case '}': TRY_STATUS(push_sequence(Kind::kDict, {})); return true;
    case 0x8f: TRY_STATUS(push_sequence(Kind::kSet, {})); return true;
    case 't':
    case 'l':
    case 'd':
    case 0x91: {
      TRY(auto items, pop_to_mark());
      if (op == 'd' && items.size() % 2 != 0) return broken("a key without a value");
      const auto kind = op == 't' ? Kind::kTuple : op == 'l' ? Kind::kList : op == 'd' ? Kind::kDict : Kind::kSet;
      TRY_STATUS(push_sequence(kind, std::move(items)));
      return true;
    }
    case 0x85:
    case 0x86:
    case 0x87: {
      std::vector<Ref> items(static_cast<std::size_t>(op - 0x84));
      for (std::size_t i = items.size(); i-- > 0;) {
        TRY(items[i], pop());
      }
      TRY_STATUS(push_sequence(Kind::kTuple, std::move(items)));
      return true;
    }
    default: return memo(op);
  }
}

Result<bool> PickleMachine::memo(unsigned char op) {
  switch (op) {
    case 'a':
    case 's': {
      TRY(const auto last, pop());
      std::vector<Ref> items{last};
      if (op == 's') {
        TRY(const auto key, pop());
        items.insert(items.begin(), key);
      }
      TRY(const auto target, top());
      TRY_STATUS(append_to(target, items, op == 's'));
      return true;
    }
    case 'e':
    case 'u':
    case 0x90: {
      TRY(const auto items, pop_to_mark());
      TRY(const auto target, top());
      TRY_STATUS(append_to(target, items, op == 'u'));
      return true;
    }
    case 'p':
    case 'g': {
      TRY(const auto line, take_line());
      std::uint64_t slot = 0;
      for (const char c : line) {
        if (c < '0' || c > '9' || slot > UINT32_MAX) return broken("a memo slot that is no number");
        slot = slot * 10 + static_cast<std::uint64_t>(c - '0');
      }
      TRY_STATUS(op == 'p' ? store(slot) : load(slot));
      return true;
    }
    case 'q':
    case 'r':
    case 'h':
    case 'j': {
      TRY(const auto slot, take_number(op == 'q' || op == 'h' ? 1 : 4));
      TRY_STATUS(op == 'q' || op == 'r' ? store(slot) : load(slot));
      return true;
    }
    case 0x94: TRY_STATUS(store(memo_.size())); return true;
    default: return false;
  }
}

}  // namespace protean::sklearn
