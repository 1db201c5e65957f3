// SPDX-License-Identifier: Apache-2.0
// Two protobuf messages of the same type, field by field through their descriptors, with room for types that have an
// equality of their own (tensors). Order of map entries does not matter; fields that we do not know are compared as
// bytes.
#pragma once

#include <functional>

#include "migrate/difference.h"

namespace google::protobuf {
class Message;
}

namespace protean::migrate {

/// Compares two messages of one type itself and returns true, or leaves them to the general rules.
class MessageWalk;
using OwnRule =
    std::function<bool(MessageWalk&, const Path&, const google::protobuf::Message&, const google::protobuf::Message&)>;

/// Floats and doubles within `tolerance`, everything else exactly. A field named `error_message` that differs is of
/// kind kText, whatever lies below or in a field named `version` of kind kVersion.
class MessageWalk {
 public:
  /// Both outlive the walk.
  MessageWalk(Comparison& out, double tolerance, const OwnRule& rule) : out_(out), tolerance_(tolerance), rule_(rule) {}

  /// Requires the same type.  As deep as protobuf's parser allows.
  void compare(const Path& path, const google::protobuf::Message& from, const google::protobuf::Message& to);

  [[nodiscard]] Comparison& out() noexcept { return out_; }
  [[nodiscard]] double tolerance() const noexcept { return tolerance_; }

 private:
  Comparison& out_;
  const double tolerance_;
  const OwnRule& rule_;
};

}  // namespace protean::migrate
