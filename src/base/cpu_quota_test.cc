// SPDX-License-Identifier: Apache-2.0
// Trees of files as containers show them: versions 1 and 2 of cgroups, limits at any level, and nonsense.
#include "base/cpu_quota.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace protean {
namespace {

class CpuQuota : public testing::Test {
 protected:
  CpuQuota() {
    std::string name = testing::TempDir() + "quota_XXXXXX";
    root = mkdtemp(name.data());
  }
  ~CpuQuota() override { std::filesystem::remove_all(root); }

  void put(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text << '\n';
  }

  std::filesystem::path root;
};

TEST_F(CpuQuota, WithoutCgroupsTheAffinityDecides) {
  EXPECT_EQ(usable_cores(root, 6), 6);
  EXPECT_EQ(count_usable_cores(root, 6).reason, "6 by affinity, no CPU quota");
  EXPECT_EQ(usable_cores(root, 0), 1);
  EXPECT_EQ(usable_memory_bytes(root), 0);
}

TEST_F(CpuQuota, Version2RoundsUpAndNeverExceedsTheAffinity) {
  put("proc/self/cgroup", "0::/");
  put("sys/fs/cgroup/cpu.max", "150000 100000");
  EXPECT_EQ(usable_cores(root, 8), 2);
  EXPECT_EQ(usable_cores(root, 1), 1);
  put("sys/fs/cgroup/cpu.max", "5000 100000");
  EXPECT_EQ(usable_cores(root, 8), 1);
  put("sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_EQ(usable_cores(root, 8), 8);
}

TEST_F(CpuQuota, TheTightestLevelAboveTheProcessCounts) {
  put("proc/self/cgroup", "0::/kubepods/pod1/container");
  put("sys/fs/cgroup/kubepods/pod1/container/cpu.max", "max 100000");
  put("sys/fs/cgroup/kubepods/pod1/cpu.max", "300000 100000");
  put("sys/fs/cgroup/kubepods/cpu.max", "1600000 100000");
  EXPECT_EQ(usable_cores(root, 32), 3);
  EXPECT_EQ(count_usable_cores(root, 32).reason,
            "CPU quota 3.00 (/sys/fs/cgroup/kubepods/pod1/cpu.max), 32 by affinity");
}

TEST_F(CpuQuota, Version1UsesQuotaAndPeriod) {
  put("proc/self/cgroup", "5:memory:/docker/a\n4:cpu,cpuacct:/docker/a");
  put("sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us", "400000");
  put("sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(usable_cores(root, 16), 4);
  put("sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(usable_cores(root, 16), 16);
}

TEST_F(CpuQuota, Version1FilesOfAnInvisibleParentAreFoundAtTheMount) {
  put("proc/self/cgroup", "4:cpu,cpuacct:/docker/host/path");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(usable_cores(root, 16), 2);
}

TEST_F(CpuQuota, APathOutsideTheNamespaceStaysInsideTheMount) {
  put("proc/self/cgroup", "0::/../../other");
  put("other/cpu.max", "100000 100000");
  put("sys/fs/cgroup/cpu.max", "200000 100000");
  EXPECT_EQ(usable_cores(root, 16), 2);
  put("proc/self/cgroup", "0::../../../other");
  EXPECT_EQ(usable_cores(root, 16), 2);
}

TEST_F(CpuQuota, MalformedFilesCountAsNoLimit) {
  put("proc/self/cgroup", "nonsense\n0::/\n7:");
  for (const char* text : {"", "100000", "0 0", "-5 100000", "1e9 1", "99999999999999999999 1", "max max max"}) {
    put("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(usable_cores(root, 4), 4) << text;
  }
}

TEST_F(CpuQuota, MemoryIsTheSmallestOfPhysicalAndLimits) {
  put("proc/meminfo", "MemTotal:       1048576 kB\nMemFree:  5 kB");
  EXPECT_EQ(usable_memory_bytes(root), 1073741824);
  put("proc/self/cgroup", "0::/a/b");
  put("sys/fs/cgroup/a/b/memory.max", "max");
  EXPECT_EQ(usable_memory_bytes(root), 1073741824);
  put("sys/fs/cgroup/a/memory.max", "536870912");
  EXPECT_EQ(usable_memory_bytes(root), 536870912);
}

TEST_F(CpuQuota, Version1WritesNoLimitAsAHugeNumber) {
  put("proc/self/cgroup", "4:memory:/x");
  put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(usable_memory_bytes(root), 0);
  put("proc/meminfo", "MemTotal: 1024 kB");
  EXPECT_EQ(usable_memory_bytes(root), 1048576);
  put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "65536");
  EXPECT_EQ(usable_memory_bytes(root), 65536);
}

TEST(CpuQuotaOfThisMachine, IsAtLeastOneCoreAndSomeMemory) {
  EXPECT_GE(affinity_cores(), 1);
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), affinity_cores());
  EXPECT_GT(usable_memory_bytes(), 0);
}

}  // namespace
}  // namespace protean
