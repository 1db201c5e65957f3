// SPDX-License-Identifier: Apache-2.0
// Changes of state, each told once: to the log and to the reports.
#include "migrate/migration.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace protean::migrate {
namespace {

std::string_view adjective(Side side) { return side == Side::kFrom ? "old" : "new"; }

}  // namespace

Migration::Migration(MigrationOptions options, std::unique_ptr<DialectRules> dialect, BodyDecoder decode)
    : options_(std::move(options)),
      dialect_(std::move(dialect)),
      decode_(std::move(decode)),
      statistics_(options_.examples_max),
      split_(options_.weight_to),
      guard_(options_.guard) {}

void Migration::set_weight(double to, std::string_view why) {
  const double before = split_.to();
  split_.set_to(to);
  guard_.reset();
  statistics_.note(fmt::format("weight of the new side: {:g} -> {:g} ({})", before, to, why));
  log::info("weight changed", {{"from", before}, {"to", to}, {"why", why}});
}

void Migration::side_failed(Side side, const Error& error, TimePoint now) {
  if (!health_[index_of(side)].failed(now)) return;
  const std::string text = printable(error.message, 300);
  statistics_.note(fmt::format("the {} side does not answer: {}", adjective(side), text));
  log::warning("side down", {{"side", side_name(side)}, {"error", text}});
}

void Migration::side_answered(Side side) {
  if (!health_[index_of(side)].succeeded()) return;
  statistics_.note(fmt::format("the {} side answers again", adjective(side)));
  log::info("side up", {{"side", side_name(side)}});
}

void Migration::observe_answer(bool error) {
  if (const auto why = guard_.answered(error)) fall_back(*why);
}

void Migration::observe_comparison(bool different) {
  if (const auto why = guard_.compared(different)) fall_back(*why);
}

void Migration::fall_back(const std::string& why) {
  if (split_.to() > 0) set_weight(0, "guard: " + why);
}

bool is_server_error(const Answer& answer) noexcept {
  if (answer.error) return true;
  switch (answer.grpc_status) {
    case static_cast<int>(Code::kUnknown):
    case static_cast<int>(Code::kDeadlineExceeded):
    case static_cast<int>(Code::kInternal):
    case static_cast<int>(Code::kUnavailable):
    case static_cast<int>(Code::kDataLoss): return true;
    default: return answer.status >= 500;
  }
}

}  // namespace protean::migrate
