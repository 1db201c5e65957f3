// SPDX-License-Identifier: Apache-2.0
// Flags and files are translated as tensorflow_model_server does, and written down.
#include "cli/tensorflow_serving/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/replace_file.h"
#include "base/text.h"
#include "cli/tensorflow_serving/translation.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr char kHelp[] =
    "usage: protean import tfserving --out FOLDER [--strict] [--flag=value...]\n\n"
    "Reads the flags of TensorFlow Serving and the files they name, writes FOLDER/protean.toml (and the\n"
    "files of TLS beside it), and lists every flag and field: mapped, approximated or unsupported.\n\n"
    "example:\n"
    "  protean import tfserving --out ./imported --port=8500 --rest_api_port=8501 \\\n"
    "      --model_config_file=models.config --enable_batching --batching_parameters_file=batching.txt\n"
    "  protean serve --config ./imported/protean.toml\n\n"
    "  --out FOLDER   where to write; an existing protean.toml there is not overwritten\n"
    "  --strict       exit status 3 when something is approximated or unsupported\n";

struct Wish {
  fs::path out;
  bool strict = false;
  std::vector<std::string> flags;
};

int complain(const std::string& message, int status) {
  std::fprintf(stderr, "protean: %s\n", message.c_str());
  return status;
}

Result<Wish> read_wish(std::span<const std::string> args) {
  Wish wish;
  if (args.empty() || args.front() != "tfserving") {
    return fail(Code::kInvalidArgument, "import: expected the product, tfserving; see protean import --help");
  }
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args[i] == "--strict") {
      wish.strict = true;
    } else if (args[i].starts_with("--out=")) {
      wish.out = args[i].substr(6);
    } else if (args[i] == "--out" && i + 1 < args.size()) {
      wish.out = args[++i];
    } else {
      wish.flags.push_back(args[i]);
    }
  }
  if (wish.out.empty()) return fail(Code::kInvalidArgument, "import: expected --out FOLDER");
  return wish;
}

/// Whoever reads the file sees each model whole; the defaults of the server are written out for each.
std::vector<ModelEntry> whole_entries(const Translation& translation, std::vector<Finding>& findings, Status& status) {
  std::vector<ModelEntry> models = translation.options.served;
  const ModelEntry& defaults = translation.entry_defaults;
  for (auto& model : models) {
    if (!model.versions) model.versions = defaults.versions;
    if (!model.retries) model.retries = defaults.retries;
    if (!model.warm_up) model.warm_up = defaults.warm_up;
    if (!model.tensorflow) model.tensorflow = defaults.tensorflow;
    if (!model.batch) model.batch = defaults.batch;
    if (!translation.per_model_batching) continue;
    auto own = read_model_batching(model.path, findings);
    if (!own && status) status = tl::unexpected(own.error());
    if (own && *own) model.batch = **own;
  }
  return models;
}

Status write_tls(const Translation& translation, const fs::path& folder, ServeOptions& options,
                 std::vector<Finding>& findings) {
  if (!translation.tls) return {};
  options.tls_cert = "server.crt";
  options.tls_key = "server.key";
  TRY_STATUS(replace_file(folder / options.tls_cert, translation.tls->certificate));
  TRY_STATUS(replace_file(folder / options.tls_key, translation.tls->key, 0600));
  if (!translation.tls->client_ca.empty()) {
    options.tls_client_ca = "clients.crt";
    TRY_STATUS(replace_file(folder / options.tls_client_ca, translation.tls->client_ca));
  }
  if (options.listen.size() > 1) {
    findings.push_back({"command line", "--rest_api_port", "", Fate::kApproximated,
                        "protean.toml has one certificate for all listeners: REST speaks TLS as well"});
  }
  return {};
}

Status write_all(const Translation& translation, const fs::path& folder, std::vector<Finding>& findings) {
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path file = folder / "protean.toml";
  if (fs::exists(file, error))
    return fail(Code::kAlreadyExists, fmt::format("{} exists; move it away first", file.string()));
  ServeOptions options = translation.options;
  Status status;
  options.served = whole_entries(translation, findings, status);
  TRY_STATUS(std::move(status));
  TRY_STATUS(write_tls(translation, folder, options, findings));
  TRY(const ServeOptions unsaid, unsaid_serve_options(process_environment()));
  return replace_file(file, format_changes(options, unsaid));
}

}  // namespace

int run_import(std::span<const std::string> args) {
  if (!args.empty() && (args.front() == "--help" || args.front() == "-h")) return std::fputs(kHelp, stdout), 0;
  const auto wish = read_wish(args);
  if (!wish) return complain(wish.error().message, 2);
  const auto flags = parse_model_server_flags(wish->flags);
  if (!flags) return complain(flags.error().message, 2);
  const auto translation = translate_model_server(*flags, process_environment());
  if (!translation) return complain(translation.error().message, 1);
  auto findings = translation->findings;
  if (auto written = write_all(*translation, wish->out, findings); !written)
    return complain(written.error().message, 1);
  std::fputs(format_findings(findings, Fate::kMapped).c_str(), stdout);
  std::printf("\nwritten: %s\nprotean serve --config %s\n", (wish->out / "protean.toml").c_str(),
              (wish->out / "protean.toml").c_str());
  const bool all = std::ranges::all_of(findings, [](const Finding& finding) { return finding.fate == Fate::kMapped; });
  return wish->strict && !all ? 3 : 0;
}

}  // namespace protean
