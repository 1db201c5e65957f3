// SPDX-License-Identifier: Apache-2.0
// Which coding is used when; the codecs themselves are in codecs.cc.
#include "transport/content_coding.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "transport/codecs.h"

namespace protean {
namespace {

constexpr std::size_t kCodedBytesMin = 1024;  // below this a coded body saves no packet
constexpr std::array kPreference = {Coding::kZstd, Coding::kGzip, Coding::kDeflate};

bool has_header(const Response& response, std::string_view name) noexcept {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& header) { return equals_ignore_case(header.first, name); });
}

/// Text in one dress or another; tensors and images do not shrink enough to pay for the time.
bool is_compressible(std::string_view content_type) noexcept {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (type.size() >= 5 && equals_ignore_case(type.substr(0, 5), "text/")) return true;
  constexpr std::array kTypes = {"application/json",        "application/javascript",       "application/xml",
                                 "application/x-ndjson",    "application/openmetrics-text", "image/svg+xml",
                                 "application/problem+json"};
  return std::any_of(kTypes.begin(), kTypes.end(), [&](const char* t) { return equals_ignore_case(type, t); });
}

bool is_compressible(const Response& response) noexcept {
  const auto& headers = response.headers;
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [](const auto& h) { return equals_ignore_case(h.first, "content-type"); });
  return found != headers.end() && is_compressible(found->second);
}

/// `0.5` as 500; nullopt when it is no weight.  Source: RFC 9110 12.4.2.
std::optional<int> parse_weight(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int unit = 100;
  for (const char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') return std::nullopt;
    weight += (digit - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

/// One member of an accept-encoding field.
struct Preference {
  std::string_view name;
  int weight = 1000;
};

std::optional<Preference> parse_preference(std::string_view member) noexcept {
  const std::size_t semicolon = member.find(';');
  Preference preference{trim(member.substr(0, semicolon))};
  if (preference.name.empty()) return std::nullopt;
  if (semicolon == std::string_view::npos) return preference;
  const std::string_view parameter = trim(member.substr(semicolon + 1));
  if (parameter.size() < 3 || !equals_ignore_case(parameter.substr(0, 2), "q=")) return std::nullopt;
  const auto weight = parse_weight(parameter.substr(2));
  if (!weight) return std::nullopt;
  preference.weight = *weight;
  return preference;
}

std::optional<Coding> find_coding(std::string_view name) noexcept {
  for (const Coding coding : kPreference) {
    if (equals_ignore_case(name, coding_name(coding))) return coding;
  }
  if (equals_ignore_case(name, "x-gzip")) return Coding::kGzip;  // RFC 9110 8.4.1.3
  return std::nullopt;
}

}  // namespace

std::string_view coding_name(Coding coding) noexcept {
  switch (coding) {
    case Coding::kGzip: return "gzip";
    case Coding::kDeflate: return "deflate";
    case Coding::kZstd: return "zstd";
  }
  return "identity";
}

Result<std::optional<Coding>> parse_content_encoding(std::string_view field) {
  std::optional<Coding> coding;
  while (!field.empty()) {
    const std::size_t comma = field.find(',');
    const std::string_view name = trim(field.substr(0, comma));
    field.remove_prefix(comma == std::string_view::npos ? field.size() : comma + 1);
    if (name.empty() || equals_ignore_case(name, "identity")) continue;
    const auto found = find_coding(name);
    if (!found) {
      return fail(Code::kUnimplemented,
                  "content-encoding '" + printable(name) + "': expected one of " + std::string(kAcceptedCodings));
    }
    if (coding) return fail(Code::kUnimplemented, "content-encoding: more than one coding, expected at most one");
    coding = found;
  }
  return coding;
}

Result<Slice> decode_body(Coding coding, const Slice& body, std::size_t size_max, Reservation* memory) {
  return coding == Coding::kZstd ? zstd_decode(body.bytes, size_max, memory)
                                 : zlib_decode(coding == Coding::kGzip, body.bytes, size_max, memory);
}

int content_coding_status(Code code) noexcept {
  switch (code) {
    case Code::kUnimplemented: return 415;
    case Code::kResourceExhausted: return 413;
    case Code::kUnavailable: return 503;
    default: return 400;
  }
}

Slice encode_body(Coding coding, std::span<const Slice> parts) {
  return coding == Coding::kZstd ? zstd_encode(parts) : zlib_encode(coding == Coding::kGzip, parts);
}

std::optional<Coding> choose_coding(std::string_view accept_encoding) noexcept {
  std::array<int, kPreference.size()> weights;
  weights.fill(-1);  // not mentioned
  int others = 0;
  int identity = -1;
  while (!accept_encoding.empty()) {
    const std::size_t comma = accept_encoding.find(',');
    const std::string_view member = trim(accept_encoding.substr(0, comma));
    accept_encoding.remove_prefix(comma == std::string_view::npos ? accept_encoding.size() : comma + 1);
    if (member.empty()) continue;
    const auto preference = parse_preference(member);
    if (!preference) return std::nullopt;
    if (preference->name == "*") others = preference->weight;
    if (equals_ignore_case(preference->name, "identity")) identity = preference->weight;
    if (const auto coding = find_coding(preference->name)) {
      weights[static_cast<std::size_t>(std::find(kPreference.begin(), kPreference.end(), *coding) -
                                       kPreference.begin())] = preference->weight;
    }
  }
  std::optional<Coding> best;
  int best_weight = 0;
  for (std::size_t i = 0; i < kPreference.size(); ++i) {
    const int weight = weights[i] >= 0 ? weights[i] : others;
    if (weight <= best_weight) continue;
    best = kPreference[i];
    best_weight = weight;
  }
  if (identity > best_weight) return std::nullopt;
  return best;
}

void encode_response(const RequestHead& request, Response& response) {
  if (request.dialect == Dialect::kTensorflowServing) return;
  const std::size_t size = response.body_size();
  if (size < kCodedBytesMin || has_header(response, "content-encoding") || !is_compressible(response)) return;
  response.headers.emplace_back("vary", "accept-encoding");
  const auto accepted = request.headers.find("accept-encoding");
  const auto coding = accepted ? choose_coding(*accepted) : std::nullopt;
  if (!coding) return;
  Slice coded = encode_body(*coding, response.body);
  if (coded.size() >= size) return;
  response.body.clear();
  response.body.push_back(std::move(coded));
  response.headers.emplace_back("content-encoding", coding_name(*coding));
}

}  // namespace protean
