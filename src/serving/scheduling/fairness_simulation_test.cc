// SPDX-License-Identifier: Apache-2.0
// Versions that always have requests waiting share the runners by weight, within the bound that dispatcher.h states.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/simulated_model_test_support.h"

namespace protean::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Two to four versions that always have requests waiting: how far their run times over weight are apart at most, in
/// units of what is promised.
double unfairness(std::uint64_t seed) {
  Random random(seed);
  const std::size_t runners = 1 + random.below(4);
  Dispatcher dispatcher({runners, 1024});
  SimulatedTime time;
  Aftermath after;
  struct Busy {
    VersionHandle version;
    double weight = 1;
    Duration run{};
    double used = 0, longest = 0;  // nanoseconds over weight
  };
  std::vector<Busy> lanes(2 + random.below(3));
  for (Busy& lane : lanes) {
    auto config = std::make_shared<ModelConfig>();
    config->batch.mode = BatchConfig::Mode::kOff;
    config->weight = 1 + static_cast<std::uint32_t>(random.below(5));
    lane.weight = config->weight;
    lane.version = make_simulated_version("m", config);
    lane.run = random.between(microseconds(10), milliseconds(5));
  }
  double worst = 0;
  int runs = 0;
  std::function<void()> go_on = [&] {
    for (Busy& lane : lanes) {
      while (lane.version->lane.queue.requests() <= runners) {
        auto call = std::make_shared<SimulatedCall>(lane.version, 0, 1);
        Dispatcher::stamp(*call, time.now());
        EXPECT_TRUE(dispatcher.enqueue(call, time.now(), after));
      }
    }
    while (Batch* batch = dispatcher.take(time.now(), after)) {
      Busy& lane = *std::find_if(lanes.begin(), lanes.end(),
                                 [&](const Busy& known) { return known.version.get() == batch->version; });
      const Duration run = lane.run * (50 + static_cast<Duration::rep>(random.below(101))) / 100;
      time.after(run, [&, batch, run] {
        run_batch(*batch, time);
        batch->run_time = run;
        Dispatcher::measured(*batch);
        dispatcher.finished(*batch, time.now(), after);
        lane.used += static_cast<double>(run.count()) / lane.weight;
        // Before anything has been measured, a run is charged with a millisecond until it ends.
        lane.longest = std::max({lane.longest, static_cast<double>(run.count()) / lane.weight, 1e6 / lane.weight});
        for (const Busy& other : lanes) {
          const double bound =
              static_cast<double>(runners + 1) * (lane.longest + std::max(other.longest, 1e6 / other.weight));
          worst = std::max(worst, std::abs(lane.used - other.used) / bound);
        }
        if (++runs < 120) go_on();
      });
    }
  };
  go_on();
  while (time.step()) continue;
  return worst;
}

TEST(FairnessSimulation, SharesRunTimeWithinItsBound) {
  const auto play = [](std::uint64_t seed) {
    const double worst = unfairness(seed);
    return worst <= 1.0 ? "" : "apart by " + std::to_string(worst) + " of what is promised";
  };
  play_histories(1000, play, 20);
}

}  // namespace
}  // namespace protean::testing
