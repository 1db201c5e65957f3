// SPDX-License-Identifier: Apache-2.0
// Every option of `protean serve`, once.
#include "cli/option_table.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace protean {
namespace {

using O = ServeOptions;
using F = OptionField;
using K = ValueKind;

constexpr std::uint64_t kThreadsMax = 1024;
constexpr std::uint64_t kDayMs = 86'400'000;
constexpr std::uint64_t kCountMax = 1'000'000'000;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;

constexpr std::string_view kModels = "Models";
constexpr std::string_view kNetwork = "Network";
constexpr std::string_view kThreads = "Threads";
constexpr std::string_view kLimits = "Limits";
constexpr std::string_view kLogs = "Logs";
constexpr std::string_view kOther = "Other";

constexpr std::array kTable = {
    OptionSpec{"models", K::kPath, kModels, "folder with the models; usually given without the flag",
               [](O& o) { return F(&o.models); }, "required"},
    OptionSpec{"watch", K::kBool, kModels, "follow changes of the folder while running",
               [](O& o) { return F(&o.watch); }},
    OptionSpec{"poll-interval",
               K::kDuration,
               kModels,
               "how often to look where the system reports no changes",
               [](O& o) { return F(&o.poll_interval); },
               {},
               {},
               10,
               kDayMs},
    OptionSpec{"model-control", K::kBool, kModels, "clients may load and unload models",
               [](O& o) { return F(&o.model_control); }},
    OptionSpec{"onnxruntime-library", K::kPath, kModels, "libonnxruntime.so to load",
               [](O& o) { return F(&o.onnxruntime_library); }, "lib/ beside the program, then the system's"},

    OptionSpec{"half-close-cancels", K::kBool, kNetwork,
               "an HTTP/1.1 client that ends its side of the connection while it waits has left",
               [](O& o) { return F(&o.limits.half_close_cancels); }},
    OptionSpec{"listen", K::kListen, kNetwork, "HOST:PORT[=DIALECT], repeatable; port 0 takes any free one",
               [](O& o) { return F(&o.listen); }},
    OptionSpec{"insecure", K::kBool, kNetwork, "allow to listen beyond this machine without credentials",
               [](O& o) { return F(&o.insecure); }},
    OptionSpec{"tls-cert", K::kPath, kNetwork, "certificate chain (PEM); read again when it changes",
               [](O& o) { return F(&o.tls_cert); }, "no TLS"},
    OptionSpec{"tls-key", K::kPath, kNetwork, "private key (PEM)", [](O& o) { return F(&o.tls_key); }, "no TLS"},
    OptionSpec{"drain-timeout",
               K::kDuration,
               kNetwork,
               "time for requests in flight at shutdown",
               [](O& o) { return F(&o.drain_timeout); },
               {},
               {},
               0,
               kDayMs},

    OptionSpec{"io-threads",
               K::kUint,
               kThreads,
               "threads that own connections",
               [](O& o) { return F(&o.io_threads); },
               "CPU quota",
               {},
               1,
               kThreadsMax},
    OptionSpec{"run-threads",
               K::kUint,
               kThreads,
               "threads that run models",
               [](O& o) { return F(&o.run_threads); },
               "CPU quota",
               {},
               1,
               kThreadsMax},
    OptionSpec{"intra-op-threads",
               K::kUint,
               kThreads,
               "threads inside one run of a model",
               [](O& o) { return F(&o.intra_op_threads); },
               {},
               {},
               1,
               kThreadsMax},

    OptionSpec{"body-bytes-max",
               K::kBytes,
               kLimits,
               "one request body, also decompressed",
               [](O& o) { return F(&o.limits.body_bytes_max); },
               {},
               {},
               1,
               kTiB},
    OptionSpec{"request-memory-max",
               K::kBytes,
               kLimits,
               "all request bodies in flight together",
               [](O& o) { return F(&o.request_memory_max); },
               "a quarter of the memory",
               {},
               1 << 16,
               1024 * kTiB},
    OptionSpec{"header-bytes-max",
               K::kBytes,
               kLimits,
               "request line and header fields",
               [](O& o) { return F(&o.limits.header_bytes_max); },
               {},
               {},
               256,
               1 << 24},
    OptionSpec{"chunks-max",
               K::kUint,
               kLimits,
               "pieces of one chunked body",
               [](O& o) { return F(&o.limits.chunks_max); },
               {},
               {},
               1,
               kCountMax},
    OptionSpec{"json-depth-max",
               K::kUint,
               kLimits,
               "nesting of a JSON body",
               [](O& o) { return F(&o.json_depth_max); },
               {},
               {},
               4,
               1024},
    OptionSpec{"queue-max",
               K::kUint,
               kLimits,
               "requests waiting for one model",
               [](O& o) { return F(&o.queue_max); },
               {},
               {},
               1,
               kCountMax},
    OptionSpec{"connections-max",
               K::kUint,
               kLimits,
               "open connections",
               [](O& o) { return F(&o.limits.connections_max); },
               {},
               {},
               1,
               kCountMax},
    OptionSpec{"streams-max",
               K::kUint,
               kLimits,
               "concurrent streams of one HTTP/2 connection",
               [](O& o) { return F(&o.limits.streams_max); },
               {},
               {},
               1,
               1 << 20},
    OptionSpec{"pipeline-max",
               K::kUint,
               kLimits,
               "unanswered requests of one HTTP/1.1 connection",
               [](O& o) { return F(&o.limits.pipeline_max); },
               {},
               {},
               1,
               1 << 20},
    OptionSpec{"output-bytes-max",
               K::kBytes,
               kLimits,
               "unsent bytes after which a connection is not read",
               [](O& o) { return F(&o.limits.output_bytes_max); },
               {},
               {},
               1 << 12,
               kTiB},
    OptionSpec{"header-time-max",
               K::kDuration,
               kLimits,
               "first byte to the end of the head",
               [](O& o) { return F(&o.limits.header_time_max); },
               {},
               {},
               1,
               kDayMs},
    OptionSpec{"body-idle-max",
               K::kDuration,
               kLimits,
               "silence inside a body, or of a client that does not read",
               [](O& o) { return F(&o.limits.body_idle_max); },
               {},
               {},
               1,
               kDayMs},
    OptionSpec{"idle-time-max",
               K::kDuration,
               kLimits,
               "a kept-alive connection without requests",
               [](O& o) { return F(&o.limits.idle_time_max); },
               {},
               {},
               1,
               kDayMs},

    OptionSpec{"log-level",
               K::kEnum,
               kLogs,
               "least severe lines written",
               [](O& o) { return F(&o.log_level); },
               {},
               "debug|info|warning|error|off"},
    OptionSpec{"log-format",
               K::kEnum,
               kLogs,
               "one JSON object a line, or text for people",
               [](O& o) { return F(&o.log_format); },
               {},
               "json|text"},
    OptionSpec{"access-log",
               K::kEnum,
               kLogs,
               "requests that get a line",
               [](O& o) { return F(&o.access_log); },
               {},
               "off|errors|all"},

    OptionSpec{"config",
               K::kPath,
               kOther,
               "read options from a TOML file",
               [](O& o) { return F(&o.config); },
               "none",
               {},
               0,
               0,
               OptionScope::kFlagOrEnvironment},
    OptionSpec{"print-config",
               K::kBool,
               kOther,
               "print every value and where it came from, then exit",
               [](O& o) { return F(&o.action); },
               {},
               {},
               0,
               0,
               OptionScope::kFlagOnly},
    OptionSpec{"help",
               K::kBool,
               kOther,
               "print this text, then exit",
               [](O& o) { return F(&o.action); },
               {},
               {},
               0,
               0,
               OptionScope::kFlagOnly},
    OptionSpec{"version",
               K::kBool,
               kOther,
               "print the version, then exit",
               [](O& o) { return F(&o.action); },
               {},
               {},
               0,
               0,
               OptionScope::kFlagOnly},
};

}  // namespace

std::span<const OptionSpec> option_table() noexcept { return kTable; }

std::string flag_name(const OptionSpec& option) { return "--" + std::string(option.name); }

std::string variable_name(const OptionSpec& option) {
  std::string name = "PROTEAN_" + key_name(option);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

std::string key_name(const OptionSpec& option) {
  std::string name(option.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string suggestion(std::string_view name, std::string (*spelling)(const OptionSpec&), OptionScope scope_max) {
  std::vector<std::string> names;
  for (const auto& option : kTable) {
    if (option.scope <= scope_max) names.push_back(spelling(option));
  }
  const auto nearest = nearest_name(name, names);
  return nearest ? ": did you mean '" + *nearest + "'?" : std::string();
}

}  // namespace protean
