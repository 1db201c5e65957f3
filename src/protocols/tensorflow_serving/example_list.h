// SPDX-License-Identifier: Apache-2.0
// The examples of a classify or regress request, each a serialized tensorflow.Example: from the Input message of gRPC,
// or from JSON objects of features.
#pragma once

#include <protozero/data_view.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"

namespace protean::tfserving {

/// A context stands before each example's own bytes, which protobuf reads as one message merged from both.
using ExampleList = std::vector<std::string>;

/// tensorflow.serving.Input.  Errors: kInvalidArgument for no examples.  Throws protozero::exception.
[[nodiscard]] Result<ExampleList> read_input(protozero::data_view message);

/// `{"examples": [...], "context": {...}}`.
/// Errors: kInvalidArgument in the original's words, those of the syntax first.  Thread-safe, as all here.
[[nodiscard]] Result<ExampleList> read_json_examples(const Slice& body, std::size_t depth_max);

}  // namespace protean::tfserving
