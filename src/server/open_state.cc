// SPDX-License-Identifier: Apache-2.0
// The folder is made with mode 0700: what is served, and by whom it was changed, is nobody else's business.
#include "server/open_state.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "storage/sqlite/sqlite_store.h"

namespace protean {
namespace {

constexpr const char* kFileName = "protean.db";

Status make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), S_IRWXU) == 0 || errno == EEXIST) return {};
  return fail(Code::kUnavailable,
              fmt::format("state folder '{}' cannot be made: {}", folder.string(), std::strerror(errno)));
}

Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& folder) {
  TRY_STATUS(make_folder(folder));
  return make_sqlite_store(folder / kFileName);
}

}  // namespace

Result<std::unique_ptr<Store>> open_state(const StateOptions& options) {
  if (options.folder.empty()) return nullptr;
  auto store = open_store(options.folder);
  if (store) return store;
  const Code code = store.error().code;
  if (options.required || code == Code::kDataLoss || code == Code::kFailedPrecondition) return store;
  log::warning("aliases and history will not outlive this process; --state names another folder",
               {{"reason", store.error().message}});
  return nullptr;
}

}  // namespace protean
