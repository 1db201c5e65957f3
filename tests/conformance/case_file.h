// SPDX-License-Identifier: Apache-2.0
// Reads *.case files: README.md of this folder has the format.
#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/http.h"

namespace protean::conformance {

/// `sections`: as between the separators, without the newline before one; a second one that starts with `signature` is
/// `signature` instead.  `settings`: the words in brackets at the title's end.
struct Case {
  std::string protocol;  // the folder's name
  std::string file;
  std::string title;
  std::string settings = {};
  std::optional<std::string> signature = {};
  std::vector<std::string> sections = {};
};

/// How GoogleTest names the parameter of a failed test.
inline void PrintTo(const Case& one, std::ostream* out) { *out << one.file << ": " << one.title; }

/// All cases of all *.case files below `folder`, in the order of their names. Throws std::runtime_error.
[[nodiscard]] std::vector<Case> read_cases(const std::filesystem::path& folder);

/// The first section of a case, as the transport would hand it over.
struct CaseRequest {
  RequestHead head;
  Slice body;
};
[[nodiscard]] CaseRequest parse_request(const std::string& section);

/// `\xNN` becomes a byte.
[[nodiscard]] std::string unescape(std::string_view text);
/// Bytes that are neither printable ASCII, newlines nor part of valid UTF-8 become `\xNN`.
[[nodiscard]] std::string escape(std::string_view bytes);

/// A protobuf message of the method's request or response type, named `/package.Service/Method`.
[[nodiscard]] std::string message_from_text(std::string_view path, std::string_view text);
[[nodiscard]] std::string message_to_text(std::string_view path, const std::string& bytes);

}  // namespace protean::conformance
