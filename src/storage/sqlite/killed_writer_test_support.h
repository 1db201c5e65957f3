// SPDX-License-Identifier: Apache-2.0
// The process that is killed: the test program run again with --write-aliases, changing aliases as fast as it can.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace protean::testing {

/// Moves `champion` and `challenger` of two models to the same number, one transaction each number, starting above
/// what the file holds, and writes each number to standard output once it is acknowledged. Ends at the first failure.
int write_aliases(const std::filesystem::path& file);

/// write_aliases() in a process of its own.
class KilledWriter {
 public:
  explicit KilledWriter(const std::filesystem::path& file);
  ~KilledWriter();
  KilledWriter(const KilledWriter&) = delete;
  KilledWriter& operator=(const KilledWriter&) = delete;

  /// Lets it write until `count` numbers were acknowledged and `micros` more have passed, then kills it with SIGKILL.
  /// The last number acknowledged; nullopt when there was none.
  std::optional<std::uint64_t> kill_after(std::uint64_t count, std::uint64_t micros);

 private:
  bool read_some(int timeout_ms);

  int process_ = -1;
  int output_ = -1;
  std::string line_;
  std::uint64_t acknowledged_ = 0;
  std::optional<std::uint64_t> last_;
};

}  // namespace protean::testing
