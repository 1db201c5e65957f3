// SPDX-License-Identifier: Apache-2.0
// One history of the whole serving core in virtual time: the real life cycle, directory and dispatcher, joined as the
// repository and the scheduler join them, but without threads. Around them everything is by chance: files that come,
// change and go, configurations, commands, aliases and a store that fails, slow and failing loads, clients that ask,
// wait and leave, runs that fail. What must hold is said in words at every expect().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/simulated_model_test_support.h"
#include "serving/versions/life_cycle.h"

namespace protean::testing {

/// Everything that happens follows from the seed.
class SimulatedCore {
 public:
  explicit SimulatedCore(std::uint64_t seed);
  ~SimulatedCore();
  SimulatedCore(const SimulatedCore&) = delete;
  SimulatedCore& operator=(const SimulatedCore&) = delete;

  /// What did not hold, with the time; empty when everything did.  Call once.
  std::string play();

  /// How many requests were answered well, and how many versions loaded.
  [[nodiscard]] std::uint64_t answered_well() const noexcept { return answered_well_; }
  [[nodiscard]] std::uint64_t loads() const noexcept { return loads_; }

 private:
  using CallHandle = std::shared_ptr<SimulatedCall>;
  struct Source {
    std::string name;
    std::int64_t stamp = 0;
    std::shared_ptr<const ModelConfig> config;
    bool readable = true;
    bool held_down = false;
    bool batchable = true;
    Duration run{}, row{};                         // what runs truly cost
    std::map<std::uint64_t, std::uint64_t> files;  // version -> fingerprint, as reported
    std::vector<std::uint64_t> served;             // at the last look
    bool was_kept = false;
  };
  struct Alive {
    std::uint64_t bytes = 0;
    const Source* source = nullptr;
    std::uint32_t running = 0;
    std::int64_t last_taken = 0;  // turns, of versions that preserve order
    std::int64_t last_answered = 0;
  };
  struct Attempts {
    std::uint32_t failures = 0;
    TimePoint failed_at{};
    bool broken = false;
  };

  void expect(bool condition, const char* what);

  // simulated_core_test_support.cc: versions, as the repository drives them
  [[nodiscard]] std::shared_ptr<const ModelConfig> random_config();
  Source& any_model() { return sources_[random_.below(sources_.size())]; }
  void disturb();
  void change_files(Source& source);
  void change_config(Source& source);
  void report(Source& source, bool at_once);
  void move_aliases();
  void give_command(Source& source);
  void touched(const Source& source);
  void post(std::function<void()> event);
  void wake_control(TimePoint when);
  void control();
  void perform(Effects effects);
  void start_load(LoadJob job);
  void finish_load(const LoadJob& job);
  [[nodiscard]] VersionHandle make_version(const LoadJob& job, std::uint64_t bytes);
  void destroyed(LoadedVersion* version, std::uint64_t load);
  void stop();
  void check_versions();
  void check_availability(Source& source);

  // simulated_core_requests_test_support.cc: requests, as the request path and the scheduler's threads treat them
  void ask();
  void wait_for_load(const CallHandle& call, const std::string& model, const std::string& version);
  void loaded(const CallHandle& call, Result<VersionHandle> version, TimePoint latest);
  void submit(const CallHandle& call, VersionHandle version);
  void leave(SimulatedCall& call);
  void go_on();
  void start_run(Batch& batch);
  void finish_run(Batch& batch, Duration time);
  void carry_out();
  void answer(const std::shared_ptr<InferCall>& call, Status status);
  void check_batch(const Batch& batch, Alive& lane);
  void check_queues();
  void check_end();

  const std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
  Random random_;
  SimulatedTime time_;
  std::string problem_;
  LifeCycleOptions life_options_;
  DispatcherOptions run_options_;
  std::uint64_t turbulence_ = 1;
  std::vector<Source> sources_;
  std::map<const LoadedVersion*, Alive> alive_;
  std::uint64_t alive_bytes_ = 0;
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, Attempts> attempts_;  // model, version, fingerprint
  std::uint64_t fingerprints_ = 0;
  std::size_t loading_ = 0;
  std::uint64_t loads_ = 0;
  int commands_open_ = 0;
  bool stopped_ = false;
  std::vector<std::function<void()>> events_;  // for the control loop
  TimePoint control_at_ = kNever;

  std::vector<CallHandle> calls_;
  std::uint64_t bytes_most_ = 0;  // of one request
  std::int64_t turns_ = 0;
  std::uint64_t answered_well_ = 0;
  TimePoint wake_ = kNever;
  Aftermath after_;

  Directory directory_;
  std::unique_ptr<LifeCycle> life_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace protean::testing
