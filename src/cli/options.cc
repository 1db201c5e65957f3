// SPDX-License-Identifier: Apache-2.0
// Brings the sources of options together: order of precedence, checks across options, help and printing.
#include "cli/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/cpu_quota.h"
#include "base/text.h"
#include "cli/config_file.h"
#include "cli/flags.h"
#include "cli/option_table.h"
#include "cli/python_environments.h"
#include "cli/served_models.h"
#include "core/http.h"

namespace protean {
namespace {

constexpr std::string_view kVariablePrefix = "PROTEAN_";
constexpr std::uint16_t kTensorflowServingGrpcPort = 8500;
constexpr std::uint16_t kTensorflowServingRestPort = 8501;
/// When the system does not tell how much memory there is.
constexpr std::uint64_t kMemoryUnknown = std::uint64_t{4} << 30;
/// The least that `python-memory-max` accepts.
constexpr std::uint64_t kPythonMemoryMin = std::uint64_t{64} << 20;

/// Variables that Kubernetes and Docker links set for a service called `protean` or `protean-x`; they are not
/// meant for the server and must not keep it from starting.
/// Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
bool is_service_variable(std::string_view name, std::string_view value) {
  if (name.ends_with("SERVICE_HOST") || name.ends_with("SERVICE_PORT") ||
      name.find("SERVICE_PORT_") != std::string_view::npos) {
    return true;
  }
  const bool link = name.ends_with("_PORT") &&
                    (value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://"));
  const bool detail = name.find("_PORT_") != std::string_view::npos &&
                      (name.ends_with("_TCP") || name.ends_with("_UDP") || name.ends_with("_SCTP") ||
                       name.ends_with("_ADDR") || name.ends_with("_PORT") || name.ends_with("_PROTO"));
  return link || detail;
}

Result<std::vector<Setting>> read_environment(const Environment& environment) {
  std::vector<Setting> settings;
  const auto table = option_table();
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kVariablePrefix)) continue;
    const auto option = std::find_if(table.begin(), table.end(), [&name = name](const OptionSpec& o) {
      return o.scope <= OptionScope::kFlagOrEnvironment && variable_name(o) == name;
    });
    if (option == table.end()) {
      if (is_service_variable(name, value)) continue;
      return fail(Code::kInvalidArgument,
                  fmt::format("unknown environment variable '{}'{}", printable(name),
                              suggestion(name, variable_name, OptionScope::kFlagOrEnvironment)));
    }
    Setting setting{&*option, {}, "environment " + name};
    if (option->kind == ValueKind::kListen) {
      for (const auto piece : split(value, ',')) setting.values.emplace_back(piece);
    } else {
      setting.values.push_back(value);
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::string& origin_of(ServeOptions& options, std::string_view name) {
  const auto table = option_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const OptionSpec& o) { return o.name == name; });
  return options.origins.at(static_cast<std::size_t>(found - table.begin()));
}

ServeOptions machine_defaults() {
  ServeOptions options;
  const CoreCount cores = count_usable_cores();
  const std::uint64_t memory = usable_memory_bytes();
  options.io_threads = cores.cores;
  options.run_threads = cores.cores;
  // In whole MiB: a figure people can read and repeat.
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  const std::uint64_t quarter = (memory == 0 ? kMemoryUnknown : memory) / 4;
  options.request_memory_max = quarter < kMiB ? kMiB : quarter / kMiB * kMiB;
  options.model_memory_max = 3 * options.request_memory_max;
  options.python_memory_max = std::max(2 * options.request_memory_max, kPythonMemoryMin);
  options.origins.assign(option_table().size(), "default");
  for (const char* name : {"io-threads", "run-threads"}) origin_of(options, name) += ": " + cores.reason;
  origin_of(options, "intra-op-threads") += ": chosen for each model";
  return options;
}

Status store_all(const std::vector<Setting>& settings, ServeOptions& options) {
  for (const auto& setting : settings) {
    if (setting.option->scope == OptionScope::kFlagOnly) continue;
    TRY_STATUS(store_setting(setting, options));
    std::string origin = setting.origin;
    // `protean.toml:3: queue_max` serves messages; beside the key the place alone is enough.
    if (const std::string key = ": " + key_name(*setting.option); origin.ends_with(key)) {
      origin.resize(origin.size() - key.size());
    }
    options.origins[static_cast<std::size_t>(setting.option - option_table().data())] = std::move(origin);
  }
  return {};
}

const Setting* find_setting(const std::vector<Setting>& settings, std::string_view name) noexcept {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const auto& s) { return s.option->name == name; });
  return found == settings.end() ? nullptr : &*found;
}

/// --help, --version and --print-config; their values follow the rules of every boolean.
Result<ServeAction> action_of(const std::vector<Setting>& flags) {
  constexpr std::array<std::pair<std::string_view, ServeAction>, 3> kActions = {
      {{"help", ServeAction::kHelp}, {"version", ServeAction::kVersion}, {"print-config", ServeAction::kPrintConfig}}};
  for (const auto& [name, action] : kActions) {
    const Setting* setting = find_setting(flags, name);
    if (setting == nullptr) continue;
    const auto wanted = parse_bool(setting->values.at(0));
    if (!wanted) {
      return fail(Code::kInvalidArgument, fmt::format("{}: found '{}', expected true or false", setting->origin,
                                                      printable(setting->values.at(0))));
    }
    if (*wanted) return action;
  }
  return ServeAction::kServe;
}

/// On a small machine the default for one body may be more than all bodies may have together.
void bound_defaults(ServeOptions& options) {
  std::string& origin = origin_of(options, "body-bytes-max");
  if (origin != "default" || options.limits.body_bytes_max <= options.request_memory_max) return;
  options.limits.body_bytes_max = options.request_memory_max;
  origin = "default, bounded by request_memory_max";
}

/// Where the user's caches belong (XDG Base Directory Specification); empty when there is no such place.
std::filesystem::path cache_folder(const Environment& environment) {
  const auto value = [&](std::string_view name) {
    const auto found =
        std::find_if(environment.begin(), environment.end(), [&](const auto& e) { return e.first == name; });
    return found == environment.end() ? std::string_view{} : std::string_view(found->second);
  };
  if (const auto base = value("XDG_CACHE_HOME"); base.starts_with('/')) return std::filesystem::path(base) / "protean";
  if (const auto home = value("HOME"); home.starts_with('/')) return std::filesystem::path(home) / ".cache" / "protean";
  return {};
}

/// The ports that a product's clients know, with its dialect.
Status add_compat_ports(ServeOptions& options) {
  const std::string host = options.insecure ? "0.0.0.0" : "127.0.0.1";
  for (const auto product : split(options.compat, ',')) {
    if (product.empty()) continue;
    if (product != dialect_name(Dialect::kTensorflowServing)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("compat: product '{}' is not known, expected tfserving", printable(product)));
    }
    for (const std::uint16_t port : {kTensorflowServingGrpcPort, kTensorflowServingRestPort}) {
      options.listen.push_back({host, port, std::string(product)});
    }
  }
  return {};
}

/// What no single option can tell.
Status check_together(const ServeOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is given without {}: TLS needs both", options.tls_cert.empty() ? "tls-key" : "tls-cert",
                            options.tls_cert.empty() ? "tls-cert" : "tls-key"));
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return fail(Code::kInvalidArgument, "tls-client-ca is given without tls-cert and tls-key");
  }
  for (const auto& address : options.listen) {
    if (options.insecure || address.is_loopback()) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("listen: {} can be reached from other machines, and whoever reaches it may use every "
                            "model: add --insecure if that is meant, or listen on 127.0.0.1",
                            address.authority()));
  }
  if (options.limits.body_bytes_max > options.request_memory_max) {
    return fail(Code::kInvalidArgument,
                fmt::format("body-bytes-max {} is above request-memory-max {}: such a body could never be taken",
                            format_bytes_exactly(options.limits.body_bytes_max),
                            format_bytes_exactly(options.request_memory_max)));
  }
  if (options.models.empty() && options.served.empty() && options.action == ServeAction::kServe) {
    return fail(Code::kInvalidArgument, "no folder with models: expected `protean serve FOLDER`");
  }
  return {};
}

std::string_view placeholder(const OptionSpec& option) noexcept {
  switch (option.kind) {
    case ValueKind::kPath: return option.name == "models" ? " DIR" : " FILE";
    case ValueKind::kUint: return " N";
    case ValueKind::kBytes: return " SIZE";
    case ValueKind::kDuration: return " TIME";
    case ValueKind::kListen: return " ADDRESS";
    default: return "";
  }
}

std::string help_line(const OptionSpec& option, const ServeOptions& defaults) {
  std::string left = (option.name == "help" ? "-h, " : "") + flag_name(option);
  if (option.kind == ValueKind::kEnum) {
    left += fmt::format(" {}", option.choices);
  } else {
    left += placeholder(option);
  }
  std::string value(option.default_text);
  if (value.empty() && option.scope == OptionScope::kEverywhere) {
    value = format_value(option, defaults);
    std::erase_if(value, [](char c) { return c == '"' || c == '[' || c == ']'; });
  }
  constexpr std::size_t kLeft = 30;
  const std::string gap = left.size() < kLeft ? "" : "\n" + std::string(kLeft + 2, ' ');
  const std::string shown = value.empty() ? "" : fmt::format(" [{}]", value);
  return fmt::format("  {:{}}{}{}{}\n", left, gap.empty() ? kLeft : 0, gap, option.help, shown);
}

}  // namespace

PythonEnvironment default_python_environment(const ServeOptions& options) {
  PythonEnvironment environment;
  environment.interpreter = options.python.string();
  environment.workers = static_cast<std::uint32_t>(options.python_workers);
  environment.run_time_max = options.python_run_timeout;
  environment.load_time_max = options.python_load_timeout;
  environment.memory_bytes_max = options.python_memory_max;
  environment.network = options.python_network;
  for (const auto path : split(options.python_readable.native(), ':')) {
    if (!path.empty()) environment.readable.emplace_back(path);
  }
  return environment;
}

Result<ServeOptions> unsaid_serve_options(const Environment& environment) {
  ServeOptions options = machine_defaults();
  options.cache = cache_folder(environment);
  TRY(const auto variables, read_environment(environment));
  TRY_STATUS(store_all(variables, options));
  bound_defaults(options);
  return options;
}

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Result<ServeOptions> parse_serve_options(std::span<const std::string> args, const Environment& environment) {
  ServeOptions options = machine_defaults();
  options.cache = cache_folder(environment);
  TRY(const auto flags, read_flags(args));
  TRY(options.action, action_of(flags));
  if (options.action == ServeAction::kHelp || options.action == ServeAction::kVersion) return options;
  TRY(const auto variables, read_environment(environment));
  // The file is named by the other two sources, and yields to them.
  ConfigFile file;
  const Setting* config = find_setting(flags, "config");
  if (config == nullptr) config = find_setting(variables, "config");
  if (config != nullptr && !config->values.at(0).empty()) {
    auto read = read_config_file(config->values[0]);
    if (!read) return fail(read.error().code, std::move(read.error().message));
    file = *std::move(read);
    TRY_STATUS(store_all(file.settings, options));
  }
  TRY_STATUS(store_all(variables, options));
  TRY_STATUS(store_all(flags, options));
  if (file.python_environments) {
    TRY(options.python_environments,
        read_python_environments(*file.python_environments, file.name, default_python_environment(options)));
  }
  if (file.served) {
    TRY(options.served, read_served_models(*file.served, file.name));
  }
  options.listen_said = origin_of(options, "listen") != "default";
  TRY_STATUS(add_compat_ports(options));
  bound_defaults(options);
  TRY_STATUS(check_together(options));
  return options;
}

std::string serve_help() {
  const ServeOptions defaults;
  std::string out =
      "usage: protean serve MODELS [flags]\n\n"
      "Serves every model in the folder MODELS: NAME.onnx, NAME/model.onnx, NAME/VERSION/model.onnx.\n"
      "Files are told by their content: ONNX, XGBoost, LightGBM, CatBoost, scikit-learn (pickle, joblib,\n"
      "skops), MLflow folders, Python classes.\n\n"
      "examples:\n"
      "  protean serve ./models\n"
      "  protean serve ./models --listen 127.0.0.1:9000 --access-log all\n"
      "  protean serve ./models --listen 0.0.0.0:443 --insecure --tls-cert cert.pem --tls-key key.pem\n"
      "  PROTEAN_LOG_LEVEL=debug protean serve ./models --config protean.toml --print-config\n";
  std::string_view group;
  for (const auto& option : option_table()) {
    if (option.group != group) out += fmt::format("\n{}:\n", option.group);
    group = option.group;
    out += help_line(option, defaults);
  }
  out +=
      "\nEvery flag is also a variable (--queue-max: PROTEAN_QUEUE_MAX) and a key of the file (queue_max).\n"
      "Flags win over variables, variables over the file, the file over defaults.\n"
      "Tables [python_environments.NAME] of the file are interpreters that models may choose among;\n"
      "tables [served.NAME] are models with a path of their own.\n";
  return out;
}

std::string format_changes(const ServeOptions& options, const ServeOptions& from) {
  std::string out;
  for (const auto& option : option_table()) {
    if (option.scope != OptionScope::kEverywhere) continue;
    const std::string value = format_value(option, options);
    if (value != format_value(option, from)) out += fmt::format("{} = {}\n", key_name(option), value);
  }
  return out + format_python_environments(options.python_environments) + format_served_models(options.served);
}

std::string format_config(const ServeOptions& options) {
  std::string out = "# Effective values of protean serve; usable as a file for --config.\n";
  std::string_view group;
  const auto table = option_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].scope != OptionScope::kEverywhere) continue;
    if (table[i].group != group) out += fmt::format("\n# {}\n", table[i].group);
    group = table[i].group;
    const std::string origin = i < options.origins.size() ? options.origins[i] : "default";
    out +=
        fmt::format("{:48}  # {}\n", key_name(table[i]) + " = " + format_value(table[i], options), printable(origin));
  }
  out += format_python_environments(options.python_environments);
  out += format_served_models(options.served);
  return out;
}

}  // namespace protean
