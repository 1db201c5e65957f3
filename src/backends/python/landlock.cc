// SPDX-License-Identifier: Apache-2.0
// The system calls by their numbers: the C library has no functions for them, and the headers of Debian 12 know only
// the first versions.
#include "backends/python/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace protean::python {
namespace {

constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;
constexpr int kDescriptorsFrom = 64;

constexpr std::uint64_t kExecute = 1 << 0;
constexpr std::uint64_t kWriteFile = 1 << 1;
constexpr std::uint64_t kReadFile = 1 << 2;
constexpr std::uint64_t kReadFolder = 1 << 3;
constexpr std::uint64_t kRemoveFolder = 1 << 4;
constexpr std::uint64_t kRemoveFile = 1 << 5;
constexpr std::uint64_t kMakeFolder = 1 << 7;
constexpr std::uint64_t kMakeFile = 1 << 8;
constexpr std::uint64_t kTruncate = 1 << 14;
constexpr std::uint64_t kAllOfVersion1 = (1 << 13) - 1;
constexpr std::uint64_t kRefer = 1 << 13;           // version 2
constexpr std::uint64_t kDeviceControl = 1 << 15;   // version 5
constexpr std::uint64_t kTcpBindAndConnect = 3;     // version 4
constexpr std::uint64_t kScopeAbstractSockets = 1;  // version 6
constexpr std::uint64_t kScopeSignals = 2;

struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};

struct __attribute__((packed)) PathRule {
  std::uint64_t allowed;
  std::int32_t parent;
};

std::uint64_t known_rights(int version) noexcept {
  std::uint64_t rights = kAllOfVersion1;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kDeviceControl;
  return rights;
}

std::size_t attribute_bytes(int version) noexcept {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? offsetof(RulesetAttributes, scoped) : offsetof(RulesetAttributes, network);
}

Status allow(int rules, const std::filesystem::path& path, std::uint64_t rights) {
  const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place.valid()) return {};
  struct stat status {};
  if (::fstat(place.get(), &status) != 0) return {};
  if (!S_ISDIR(status.st_mode)) rights &= kExecute | kWriteFile | kReadFile | kTruncate | kDeviceControl;
  const PathRule rule{rights, place.get()};
  if (::syscall(kAddRule, rules, kPathBeneath, &rule, 0U) == 0) return {};
  return fail(Code::kInternal, "Landlock rule for '" + path.string() + "': " + std::strerror(errno));
}

}  // namespace

int landlock_version() noexcept {
  const long version = ::syscall(kCreateRuleset, nullptr, 0UL, kAskVersion);
  return version < 0 ? 0 : static_cast<int>(version);
}

Result<Descriptor> make_landlock_rules(const FileRules& rules) {
  const int version = landlock_version();
  const std::uint64_t known = known_rights(version);
  const RulesetAttributes attributes{known, rules.network ? 0 : kTcpBindAndConnect,
                                     kScopeSignals | (rules.network ? 0 : kScopeAbstractSockets)};
  Descriptor made(static_cast<int>(::syscall(kCreateRuleset, &attributes, attribute_bytes(version), 0U)));
  if (!made.valid()) return fail(Code::kInternal, std::string("Landlock: ") + std::strerror(errno));
  for (const auto& path : rules.readable) TRY_STATUS(allow(made.get(), path, kReadFile | kReadFolder));
  for (const auto& path : rules.executable) TRY_STATUS(allow(made.get(), path, kReadFile | kExecute));
  if (!rules.writable.empty()) {
    constexpr std::uint64_t kScratch = kReadFile | kReadFolder | kWriteFile | kTruncate | kRemoveFolder | kRemoveFile |
                                       kMakeFolder | kMakeFile | kRefer;
    TRY_STATUS(allow(made.get(), rules.writable, kScratch & known));
  }
  for (const auto* path : {"/dev/zero", "/dev/random", "/dev/urandom"}) {
    TRY_STATUS(allow(made.get(), path, kReadFile));
  }
  TRY_STATUS(allow(made.get(), "/dev/null", (kReadFile | kWriteFile | kTruncate) & known));
  // Out of the way of the descriptors that the child will have.
  Descriptor high(::fcntl(made.get(), F_DUPFD_CLOEXEC, kDescriptorsFrom));
  if (!high.valid()) return fail(Code::kInternal, std::string("Landlock: ") + std::strerror(errno));
  return high;
}

void allow_own_mappings(int rules) noexcept {
  const int place = ::open("/proc/self/maps", O_PATH | O_CLOEXEC);
  if (place < 0) return;
  const PathRule rule{kReadFile, place};
  (void)::syscall(kAddRule, rules, kPathBeneath, &rule, 0U);
  ::close(place);
}

int enforce_landlock(int rules) noexcept { return ::syscall(kRestrictSelf, rules, 0U) == 0 ? 0 : errno; }

}  // namespace protean::python
