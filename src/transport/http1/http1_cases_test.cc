// SPDX-License-Identifier: Apache-2.0
// Runs tests/conformance/http1/*.case: each three times, the bytes at once, one by one, and in pieces of seven.
// A case is
//   # why, in any number of lines          `#! name=value` sets a limit
//   request lines                          CRLF is added; `\` at the end of a line: no CRLF; \xHH, \\ as in C
//   ----
//   response lines                         as above; `date` fields are left out
//   [open] or [close]                      what the session wants when all is answered
// The handler answers 200 with `METHOD target body`, to /quiet 204, and to /stream in two pieces.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "transport/session_factories.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

struct Case {
  std::string name;
  Limits limits;
  std::string request;
  std::string response;
  bool closes = false;
};

std::vector<std::filesystem::path> case_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(PROTEAN_SOURCE_DIR "/tests/conformance/http1")) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// A line with its escapes undone, and CRLF unless it ends in a backslash.
std::string wire_line(std::string line) {
  std::string out;
  const bool joined = line.ends_with('\\') && !line.ends_with("\\\\");
  if (joined) line.pop_back();
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      out += line[i];
    } else if (line.compare(i, 2, "\\x") == 0) {
      out += static_cast<char>(std::stoi(line.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += '\\';
      i += 1;
    }
  }
  return joined ? out : out + "\r\n";
}

void set_limit(Case& c, const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::string name = setting.substr(0, equals);
  const std::size_t value = std::stoul(setting.substr(equals + 1));
  if (name == "body_bytes_max") {
    c.limits.body_bytes_max = value;
  } else if (name == "header_bytes_max") {
    c.limits.header_bytes_max = value;
  } else if (name == "chunks_max") {
    c.limits.chunks_max = value;
  } else {
    ADD_FAILURE() << c.name << ": no limit '" << name << "'";
  }
}

Case read_case(const std::filesystem::path& path) {
  Case c;
  c.name = path.stem().string();
  std::ifstream file(path);
  bool in_response = false;
  bool has_end = false;
  for (std::string line; std::getline(file, line);) {
    if (!in_response && line.starts_with("#")) {
      if (line.starts_with("#! ")) set_limit(c, line.substr(3));
    } else if (line == "----") {
      in_response = true;
    } else if (in_response && (line == "[open]" || line == "[close]")) {
      c.closes = line == "[close]";
      has_end = true;
    } else {
      (in_response ? c.response : c.request) += wire_line(line);
    }
  }
  EXPECT_TRUE(in_response && has_end) << c.name << ": expected `----` and [open] or [close]";
  return c;
}

std::string without_dates(const std::string& response) {
  std::string out;
  std::size_t at = 0;
  while (at < response.size()) {
    const std::size_t end = std::min(response.find("\r\n", at), response.size() - 2) + 2;
    if (response.compare(at, 6, "date: ") != 0) out.append(response, at, end - at);
    at = end;
  }
  return out;
}

void answer(Exchange& exchange) {
  if (exchange.head().path == "/quiet") {
    Response quiet;
    quiet.status = 204;
    return exchange.respond(std::move(quiet));
  }
  if (exchange.head().path != "/stream") return testing::answer_with_request(exchange);
  exchange.start(make_response(200, "text/plain", Slice::of("first")));
  exchange.write(Slice::of("second"), nullptr);
  exchange.finish();
}

void run_case(const Case& c, std::size_t piece_bytes) {
  testing::SessionRig rig(make_http1_session, c.limits);
  rig.handler.answer = answer;
  std::string received;
  const std::string_view request = c.request;
  for (std::size_t at = 0; at < request.size(); at += piece_bytes)
    received += rig.send(request.substr(at, piece_bytes));
  EXPECT_EQ(without_dates(received), c.response) << c.name << ", pieces of " << piece_bytes;
  EXPECT_EQ(rig.session->wants_close(), c.closes) << c.name << ", pieces of " << piece_bytes;
}

TEST(Http1Cases, AnswerAsWritten) {
  const auto files = case_files();
  EXPECT_GE(files.size(), 30U);
  for (const auto& file : files) {
    const Case c = read_case(file);
    for (const std::size_t piece_bytes : {c.request.size(), std::size_t{1}, std::size_t{7}}) run_case(c, piece_bytes);
  }
}

}  // namespace
}  // namespace protean
