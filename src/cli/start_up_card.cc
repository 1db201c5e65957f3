// SPDX-License-Identifier: Apache-2.0
// From the table of models to the card: one row a version, the reason below what is not ready, then URLs and
// a line to paste for each model.
#include "cli/start_up_card.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "cli/text_table.h"
#include "core/example_request.h"

namespace protean {
namespace {

constexpr std::size_t kColumnsMin = 60;
constexpr std::string_view kBold = "1";
constexpr std::string_view kDim = "2";
constexpr std::string_view kRed = "31";
constexpr std::string_view kGreen = "32";
constexpr std::string_view kYellow = "33";
constexpr std::string_view kCyan = "36";

std::string format_tensors(const std::vector<TensorSpec>& tensors) {
  std::string out;
  for (const auto& tensor : tensors) {
    if (!out.empty()) out += ", ";
    // A name and its type stay together where the column is folded.
    out += fmt::format("{}\u00A0{}{}{}", printable(tensor.name), data_type_name(tensor.type),
                       format_shape(tensor.shape), tensor.optional ? "?" : "");
  }
  return out;
}

std::string format_columns(const std::vector<Column>& columns) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(columns.size(), kShown); ++i) {
    out += fmt::format("{}{}\u00A0{}{}", i == 0 ? "" : ", ", printable(columns[i].name),
                       data_type_name(columns[i].type), columns[i].nullable ? "?" : "");
  }
  return columns.size() > kShown ? fmt::format("{} and {} more columns", out, columns.size() - kShown) : out;
}

std::string format_signature(const Signature& signature) {
  const std::string inputs =
      signature.columns.empty() ? format_tensors(signature.inputs) : format_columns(signature.columns);
  return inputs + " ->\u00A0" + format_tensors(signature.outputs);
}

std::string format_load_time(double ms) {
  if (ms < 1) return "<1 ms";
  return ms < 10'000 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.1f} s", ms / 1000);
}

std::string lower_state(VersionState state) {
  std::string name(version_state_name(state));
  for (char& c : name) c = static_cast<char>(c - 'A' + 'a');
  return name;
}

std::string_view state_paint(VersionState state) noexcept {
  switch (state) {
    case VersionState::kReady: return kGreen;
    case VersionState::kUnavailable: return kRed;
    default: return kYellow;
  }
}

TableRow row_of(const VersionStatus& version, bool repeated) {
  TableRow row;
  const std::string number = version.version.empty() ? "-" : printable(version.version);
  const bool loaded = version.signature != nullptr;
  row.cells = {{repeated ? "" : printable(version.model), std::string(kBold)},
               {version.is_default ? number + " *" : number, ""},
               {version.backend.empty() ? "-" : printable(version.backend), ""},
               {loaded ? format_signature(*version.signature) : "-", ""},
               {version.files_bytes == 0 ? "-" : format_size(version.files_bytes), ""},
               {version.load_ms > 0 ? format_load_time(version.load_ms) : "-", ""},
               {lower_state(version.state), std::string(state_paint(version.state))}};
  row.note = printable(version.reason, 1000);
  return row;
}

/// `3 models ready, 1 not`: models, not versions; a model is ready when one of its versions is.
std::string summary(const std::vector<VersionStatus>& models) {
  std::vector<std::string> all;
  std::vector<std::string> ready;
  for (const auto& version : models) {
    all.push_back(version.model);
    if (version.state == VersionState::kReady) ready.push_back(version.model);
  }
  for (auto* names : {&all, &ready}) {
    std::sort(names->begin(), names->end());
    names->erase(std::unique(names->begin(), names->end()), names->end());
  }
  if (all.empty()) return "no models yet";
  const std::string count = fmt::format("{} {} ready", ready.size(), ready.size() == 1 ? "model" : "models");
  return all.size() == ready.size() ? count : fmt::format("{}, {} not", count, all.size() - ready.size());
}

std::string models_table(const StartUpCard& card, const Terminal& terminal) {
  if (card.models.empty())
    return "  The folder holds no model: NAME.onnx, NAME/model.onnx or NAME/VERSION/model.onnx.\n";
  const std::vector<TableColumn> columns = {{"MODEL", Align::kLeft, true}, {"VERSION", Align::kLeft},
                                            {"BACKEND", Align::kLeft},     {"INPUTS -> OUTPUTS", Align::kLeft, true},
                                            {"SIZE", Align::kRight},       {"LOAD", Align::kRight},
                                            {"STATUS", Align::kLeft}};
  std::vector<TableRow> rows;
  for (std::size_t i = 0; i < card.models.size(); ++i) {
    rows.push_back(row_of(card.models[i], i != 0 && card.models[i - 1].model == card.models[i].model));
  }
  std::string out = format_table(columns, rows, std::max(terminal.columns, kColumnsMin), terminal.colour);
  const auto number_of = [&](const VersionStatus& v) {
    return std::count_if(card.models.begin(), card.models.end(), [&](const auto& o) { return o.model == v.model; });
  };
  const bool several =
      std::any_of(card.models.begin(), card.models.end(), [&](const auto& v) { return number_of(v) > 1; });
  if (several) out += painted("  * the version that answers when a request names none\n", kDim, terminal.colour);
  return out;
}

std::string ignored_paths(const StartUpCard& card, const Terminal& terminal) {
  std::string out;
  for (const auto& [path, reason] : card.ignored) {
    const std::string line = fmt::format("ignored {}: {}", printable(path, 500), printable(reason, 500));
    for (const auto& piece : fold(line, std::max(terminal.columns, kColumnsMin) - 2)) {
      out += painted("  " + piece, kDim, terminal.colour) + '\n';
    }
  }
  return out;
}

std::string url_lines(const StartUpCard& card, const Terminal& terminal) {
  std::string out;
  for (const auto& url : card.urls) {
    const auto line = [&](std::string_view title, std::string_view path) {
      out += fmt::format("  {:10} {}\n", title, painted(url + std::string(path), kCyan, terminal.colour));
    };
    line("Inference", "/v2");
    line("Metrics", "/metrics");
    line("Docs", "/docs");
  }
  if (!card.urls.empty()) {
    const auto colon = card.urls.front().find("//");
    out += fmt::format("  {:10} {}\n", "gRPC", painted(card.urls.front().substr(colon + 2), kCyan, terminal.colour));
  }
  for (const auto& url : card.admin_urls) {
    out += fmt::format("  {:10} {}\n", "Admin", painted(url + "/admin/v1/models", kCyan, terminal.colour));
  }
  for (const auto& backend : card.backends) out += fmt::format("  {:10} {}\n", "Backend", printable(backend, 500));
  return out;
}

/// The version of each model that an example calls: the default one.
std::string example_lines(const StartUpCard& card) {
  if (card.urls.empty()) return {};
  std::string out;
  for (const auto& version : card.models) {
    if (version.state != VersionState::kReady || !version.is_default || !version.signature) continue;
    out += example_curl(card.urls.front(), version.model, "", *version.signature) + "\n";
  }
  return out;
}

}  // namespace

Terminal terminal_of(int descriptor) {
  Terminal terminal;
  if (::isatty(descriptor) == 0) return terminal;
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.columns = size.ws_col;
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
  };
  terminal.colour = set("NO_COLOR").empty() && set("TERM") != "dumb";
  return terminal;
}

std::string format_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.5 would be printed as 1024 of the smaller unit.
  for (; value >= 1023.5 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return value < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string format_start_up_card(const StartUpCard& card, const Terminal& terminal) {
  const auto heading = [&](std::string_view text) { return painted(text, kBold, terminal.colour); };
  std::string out = fmt::format("\n{} - {}\n\n", heading("Protean " PROTEAN_VERSION), summary(card.models));
  out += models_table(card, terminal);
  out += ignored_paths(card, terminal);
  if (const auto urls = url_lines(card, terminal); !urls.empty()) out += "\n" + urls;
  // Unindented and unfolded, so that a click on the line selects what is to be pasted.
  if (const auto lines = example_lines(card); !lines.empty()) out += fmt::format("\n{}\n{}", heading("Try it:"), lines);
  return out + "\n";
}

}  // namespace protean
