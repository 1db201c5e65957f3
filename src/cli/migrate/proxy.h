// SPDX-License-Identifier: Apache-2.0
// A migration that runs: listeners, the relay, the mirror and the connections to both sides, started and drained in the
// order that loses nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/migrate/migrate_options.h"
#include "migrate/migration.h"

namespace protean {

/// Made, started and drained by one thread.
class MigrationProxy {
 public:
  /// Resolves both sides' names and binds the listeners; clients are served from now on.
  /// Errors: a name that is not known, an address that cannot be bound.
  [[nodiscard]] static Result<std::unique_ptr<MigrationProxy>> start(const MigrateOptions& options);
  ~MigrationProxy();

  /// Takes no new connection, lets requests in flight finish and the mirror catch up.
  void drain(Duration timeout);

  [[nodiscard]] migrate::Migration& migration() noexcept;
  [[nodiscard]] std::vector<std::string> urls() const;
  /// Empty without a control listener.
  [[nodiscard]] std::string control_url() const;

 private:
  struct Parts;
  explicit MigrationProxy(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace protean
