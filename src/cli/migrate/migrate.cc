// SPDX-License-Identifier: Apache-2.0
// Starts the proxy and tells what it finds while it runs: a block that is redrawn in a terminal, lines of the log
// elsewhere, and the report's files.
#include "cli/migrate/migrate.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "base/log.h"
#include "base/replace_file.h"
#include "cli/command_flags.h"
#include "cli/migrate/control_client.h"
#include "cli/migrate/migrate_options.h"
#include "cli/migrate/proxy.h"
#include "cli/start_up_card.h"
#include "cli/stop_signals.h"
#include "migrate/report.h"

namespace protean {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLook = 250ms;
constexpr Duration kRedraw = 1s;
constexpr Duration kTell = 10s;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// Draws a block of lines over the one before.
class Screen {
 public:
  /// As much of it as fits: what has scrolled away cannot be drawn over.
  void draw(std::string block) {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2) cut_lines(block, size.ws_row - 1U);
    std::string out;
    if (lines_ != 0) out = fmt::format("\x1b[{}A\x1b[J", lines_);
    print(out + block);
    lines_ = static_cast<std::size_t>(std::count(block.begin(), block.end(), '\n'));
  }

 private:
  static void cut_lines(std::string& block, std::size_t lines_max) {
    std::size_t end = 0;
    for (std::size_t line = 0; line < lines_max; ++line) {
      const std::size_t next = block.find('\n', end);
      if (next == std::string::npos) return;
      end = next + 1;
    }
    block.resize(end);
  }

  std::size_t lines_ = 0;
};

class Teller {
 public:
  Teller(const MigrateOptions& options, MigrationProxy& proxy)
      : options_(options), proxy_(proxy), in_terminal_(::isatty(STDOUT_FILENO) != 0) {}

  /// Until a signal asks to stop.
  void run(const StopSignals& signals) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    TimePoint redraw{};
    TimePoint tell = Clock::system().now() + kTell;
    while (!signals.token().stop_requested()) {
      never.wait_for(lock, signals.token(), kLook, [] { return false; });
      const TimePoint now = Clock::system().now();
      if (in_terminal_ && now >= redraw) {
        screen_.draw(text());
        redraw = now + kRedraw;
      }
      const bool wanted = proxy_.migration().take_report_wish();
      if (!wanted && now < tell) continue;
      write_files();
      if (!in_terminal_) log_figures();
      tell = now + kTell;
    }
  }

  /// After draining.  The exit status.
  int conclude() {
    in_terminal_ ? screen_.draw(text()) : print(text());
    const bool written = write_files();
    const migrate::Judgement judgement = migrate::judge(migrate::make_report(proxy_.migration()));
    log::info("migration ended", {{"summary", judgement.text}});
    if (!written) return 1;
    return options_.fail_on_difference && !judgement.good ? 1 : 0;
  }

 private:
  [[nodiscard]] std::string text() const {
    const std::size_t columns = in_terminal_ ? terminal_of(STDOUT_FILENO).columns : 200;
    return migrate::format_report_text(migrate::make_report(proxy_.migration()), columns);
  }

  bool write_files() {
    const migrate::Report report = migrate::make_report(proxy_.migration());
    bool good = true;
    const auto write = [&good](const std::filesystem::path& file, const std::string& content) {
      if (file.empty()) return;
      const auto done = replace_file(file, content);
      if (done) return;
      good = false;
      log::error("report not written", {{"error", done.error().message}});
    };
    write(options_.report, migrate::format_report_html(report, false));
    write(options_.json, migrate::format_report_json(report));
    return good;
  }

  void log_figures() {
    const migrate::Report report = migrate::make_report(proxy_.migration());
    log::info("migration", {{"summary", migrate::judge(report).text},
                            {"requests", report.figures.requests},
                            {"failed", report.figures.failed},
                            {"failed_over", report.figures.failed_over[0] + report.figures.failed_over[1]},
                            {"compared", report.total.compared()},
                            {"different", report.total.count(migrate::Verdict::kDifferent)},
                            {"dropped", report.total.dropped},
                            {"weight_to", report.weight_to}});
  }

  const MigrateOptions& options_;
  MigrationProxy& proxy_;
  const bool in_terminal_;
  Screen screen_;
};

std::string card(const MigrationProxy& proxy, const MigrateOptions& options) {
  std::string out = fmt::format("protean migrate: {} -> {}\n", options.from.text, options.to.text);
  for (const auto& url : proxy.urls()) out += fmt::format("  Clients     {}\n", url);
  if (options.control) out += fmt::format("  Control     {}\n", proxy.control_url());
  if (!options.report.empty()) out += fmt::format("  Report      {}\n", options.report.string());
  return out + "\n";
}

int run(const MigrateOptions& options) {
  const bool one_terminal = ::isatty(STDOUT_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
  // Events stand in the block; lines between would tear it apart.
  log::configure(one_terminal ? log::Level::kOff : log::Level::kInfo, log::Format::kJson);
  const StopSignals signals;
  auto proxy = MigrationProxy::start(options);
  if (!proxy) return complain(proxy.error(), 1);
  print(card(**proxy, options));
  Teller teller(options, **proxy);
  teller.run(signals);
  (*proxy)->drain(options.drain_timeout);
  return teller.conclude();
}

}  // namespace

int run_migrate(std::span<const std::string> args) {
  const auto options = parse_migrate_options(args);
  if (!options) return complain(options.error(), 2);
  switch (options->action) {
    case MigrateAction::kHelp: print(migrate_help()); return 0;
    case MigrateAction::kSetWeight: {
      const auto sent = send_weight(options->control_host, options->migration.weight_to);
      return sent ? 0 : complain(sent.error(), 1);
    }
    case MigrateAction::kRun: break;
  }
  const int status = run(*options);
  log::flush_and_stop();
  return status;
}

}  // namespace protean
