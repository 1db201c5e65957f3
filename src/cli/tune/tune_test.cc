// SPDX-License-Identifier: Apache-2.0
// The search against servers made of formulas, and the judgement against tables.
#include "cli/tune/tune_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/tune/tune_html.h"
#include "cli/tune/tune_report.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kCapacity = 1000;

/// A server that runs one request at a time in 1 ms: closed loops wait for each other (Little's law); an open loop
/// above nine tenths of the capacity misses every objective.
std::optional<TunePoint> single_server(double rate, std::uint64_t concurrency) {
  TunePoint point;
  point.rate = rate;
  point.concurrency = concurrency;
  point.requests_per_second = rate == 0 ? kCapacity : rate;
  point.latency = rate == 0 ? concurrency * 1ms : rate > 0.85 * kCapacity ? Duration(1s) : Duration(4ms);
  point.rows_per_second = point.requests_per_second;
  return point;
}

TEST(Slo, IsAPercentileAndATime) {
  const auto slo = parse_slo("p99.9=2.5ms");
  ASSERT_TRUE(slo);
  EXPECT_EQ(slo->name, "p99.9");
  EXPECT_DOUBLE_EQ(slo->quantile, 0.999);
  EXPECT_EQ(slo->limit, 2500us);
  for (const auto* wrong : {"", "p99", "p98=1ms", "p99=", "p99=0", "p99=20", "20ms", "p99=-1ms"}) {
    EXPECT_FALSE(parse_slo(wrong)) << wrong;
  }
}

TEST(TuneCandidates, UseOneCoreOrAllInEveryDivision) {
  EXPECT_THAT(tune_candidates(2, 2), ElementsAre(TuneConfig{1, 1, 1}, TuneConfig{1, 1, 2}, TuneConfig{1, 2, 1},
                                                 TuneConfig{2, 1, 1}, TuneConfig{2, 1, 2}, TuneConfig{2, 2, 1}));
  EXPECT_THAT(tune_candidates(1, 1), ElementsAre(TuneConfig{1, 1, 1}));
  EXPECT_THAT(tune_candidates(1, 6), ElementsAre(TuneConfig{1, 1, 1}, TuneConfig{1, 1, 6}, TuneConfig{1, 2, 3},
                                                 TuneConfig{1, 3, 2}, TuneConfig{1, 6, 1}));
  EXPECT_EQ(tune_candidates(100, 1).back().rows_max, 64U);
}

TEST(TuneCandidates, ChangeNothingElseOfTheModel) {
  ModelConfig base;
  base.priority = 3;
  base.batch.rows_preferred = {4, 16};
  const ModelConfig changed = apply_tune_config(base, {8, 2, 1});
  EXPECT_EQ(changed.priority, 3U);
  EXPECT_EQ(changed.batch.rows_max, 8U);
  EXPECT_EQ(changed.batch.mode, BatchConfig::Mode::kOn);
  EXPECT_EQ(changed.batch.rows_preferred, (std::vector<std::uint64_t>{4}));
  EXPECT_EQ(changed.instances, 2U);
  EXPECT_EQ(apply_tune_config(base, {1, 1, 1}).batch.mode, BatchConfig::Mode::kOff);
}

TEST(TuneSearch, ClimbsToThePlateauAndConfirmsWithAnOpenLoop) {
  const auto trial = search_configuration({1, 1, 1}, {"p99", 0.99, 20ms}, 64, single_server);
  ASSERT_TRUE(trial);
  // 1, then 2 and 4 that gain nothing; 900 requests/s miss the objective, 750 keep it.
  ASSERT_EQ(trial->points.size(), 5U);
  EXPECT_EQ(trial->points[2].concurrency, 4U);
  EXPECT_FALSE(trial->points[3].meets);
  ASSERT_TRUE(trial->best);
  EXPECT_DOUBLE_EQ(trial->best->rate, 750);
}

TEST(TuneSearch, EndsWhereTheObjectiveBreaks) {
  const auto trial = search_configuration({1, 1, 1}, {"p99", 0.99, 500us}, 64, single_server);
  ASSERT_TRUE(trial);
  EXPECT_EQ(trial->points.size(), 1U);
  EXPECT_FALSE(trial->best);
}

TEST(TuneSearch, SaysWhenItWasInterrupted) {
  EXPECT_FALSE(search_configuration({1, 1, 1}, {}, 64, [](auto, auto) { return std::nullopt; }));
}

TEST(TuneSearch, NeverMeasuresMoreThanItAnnounced) {
  std::size_t count = 0;
  const auto growing = [&](double rate, std::uint64_t concurrency) {
    ++count;
    TunePoint point = *single_server(rate, 1);
    if (rate == 0) point.requests_per_second *= static_cast<double>(concurrency);
    if (rate != 0) point.latency = 1s;
    return std::optional(point);
  };
  (void)search_configuration({1, 1, 1}, {}, 64, growing);
  EXPECT_EQ(count, search_points_max(64));
}

TEST(TuneJudgement, FailuresAndLostRateBreakTheObjective) {
  const Slo slo{"p99", 0.99, 20ms};
  TunePoint point{0, 1, 100, 100, 10ms, 0, false};
  EXPECT_TRUE(meets_slo(point, slo));
  point.failure_share = 0.01;
  EXPECT_FALSE(meets_slo(point, slo));
  point.failure_share = 0;
  point.rate = 120;
  EXPECT_FALSE(meets_slo(point, slo));
  point.rate = 101;
  EXPECT_TRUE(meets_slo(point, slo));
  point.latency = 21ms;
  EXPECT_FALSE(meets_slo(point, slo));
}

TuneTrial trial_of(TuneConfig config, double rows_per_second) {
  TuneTrial trial;
  trial.config = config;
  if (rows_per_second > 0) trial.best = TunePoint{rows_per_second, 4, rows_per_second, rows_per_second, 5ms, 0, true};
  if (trial.best) trial.points.push_back(*trial.best);
  return trial;
}

TEST(TuneJudgement, PrefersTheSimplerAmongEquals) {
  const std::vector<TuneTrial> trials = {trial_of({1, 1, 1}, 500), trial_of({4, 2, 1}, 990), trial_of({8, 1, 1}, 980),
                                         trial_of({16, 2, 1}, 1000), trial_of({32, 2, 1}, 0)};
  ASSERT_NE(recommend(trials), nullptr);
  EXPECT_EQ(recommend(trials)->config, (TuneConfig{8, 1, 1}));
  EXPECT_EQ(recommend({trial_of({1, 1, 1}, 0)}), nullptr);
}

TEST(TuneJudgement, TheLowerMiddleRepetitionCounts) {
  const auto middle = middle_trials({trial_of({1, 1, 1}, 10), trial_of({2, 1, 1}, 7), trial_of({1, 1, 1}, 30),
                                     trial_of({2, 1, 1}, 9), trial_of({1, 1, 1}, 20)});
  ASSERT_EQ(middle.size(), 2U);
  EXPECT_EQ(middle[0].best->rows_per_second, 20);
  EXPECT_EQ(middle[1].best->rows_per_second, 7);
}

TuneReport report_of(std::string model) {
  TuneReport report;
  report.model = std::move(model);
  report.trials = {trial_of({1, 1, 1}, 500), trial_of({8, 2, 1}, 990), trial_of({16, 2, 1}, 0)};
  return report;
}

TEST(TuneReport, NamesTheBestAndStaysWithinTheWidth) {
  const std::string text = format_tune_report(report_of("iris"), {80, false, false});
  EXPECT_THAT(text, HasSubstr("8 rows, 2 x 1 thread"));
  EXPECT_THAT(text, HasSubstr("Best"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    EXPECT_LE(end - at, 80U) << text.substr(at, end - at);
    at = end + 1;
  }
}

TEST(TuneHtml, IsSelfContainedAndEscaped) {
  const std::string html = format_tune_html(report_of("<script>&\"x\""));
  EXPECT_THAT(html, HasSubstr("<!doctype html>"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;&amp;&quot;x&quot;"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("<svg"));
  for (const auto* external : {"http://", "https://", "src=", "href=", "@import", "url("}) {
    EXPECT_THAT(html, Not(HasSubstr(external)));
  }
}

}  // namespace
}  // namespace protean
