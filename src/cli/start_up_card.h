// SPDX-License-Identifier: Apache-2.0
// What `protean serve` prints when it is ready: the models, where to reach them, and a line to try each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/operation.h"

namespace protean {

/// `models`: as the repository lists them, by model, versions ascending.
/// `ignored`: paths that are not models, and why.  `urls`: `http://127.0.0.1:8080`, one for each listener;
/// `admin_urls`: of those for the administration.
/// `backends`: `onnxruntime 1.27.0`, or why one cannot be used.
struct StartUpCard {
  std::vector<VersionStatus> models;
  std::vector<std::pair<std::string, std::string>> ignored;
  std::vector<std::string> urls;
  std::vector<std::string> admin_urls;
  std::vector<std::string> backends;
};

/// `columns`: lines of the table are folded to fit, but never below 60; the lines to paste are never folded.
struct Terminal {
  std::size_t columns = 100;
  bool colour = false;
};

/// Colour only for a terminal while NO_COLOR is unset or empty (https://no-color.org) and TERM is not `dumb`.
[[nodiscard]] Terminal terminal_of(int descriptor);

/// The card, with a newline at its end. Text from models is made printable, so that no name can move the cursor.
[[nodiscard]] std::string format_start_up_card(const StartUpCard& card, const Terminal& terminal);

/// `3.2 KiB`: three significant digits at most, for people.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace protean
