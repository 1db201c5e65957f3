// SPDX-License-Identifier: Apache-2.0
// What became of each thing that TensorFlow Serving was told: nothing is dropped in silence.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/tensorflow_serving/model_server_flags.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace protean {

/// kMapped: does the same here.  kApproximated: does something like it; the remark says what differs.
/// kUnsupported: has no effect here.
enum class Fate : unsigned char { kMapped, kApproximated, kUnsupported };

/// `mapped` and so on.
[[nodiscard]] std::string_view fate_name(Fate fate) noexcept;

/// `source`: `command line`, or a file.  `field`: `--port`, or `config[0].base_path`.
struct Finding {
  std::string source;
  std::string field;
  std::string value;
  Fate fate = Fate::kMapped;
  std::string remark;
};

/// One for each flag that was given.
[[nodiscard]] std::vector<Finding> flag_findings(const ModelServerFlags& flags);

/// One for each field that is set in `message` and the messages in it. `source`: the file.
[[nodiscard]] std::vector<Finding> message_findings(const google::protobuf::Message& message, std::string_view source);

/// A table for people; `least`: findings of better fate are left out.
[[nodiscard]] std::string format_findings(std::span<const Finding> findings, Fate least);

}  // namespace protean
