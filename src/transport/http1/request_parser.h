// SPDX-License-Identifier: Apache-2.0
// The head of one HTTP/1.1 request out of Boost.Beast's parser, straight into a RequestHead, and what the head says
// about the body and the connection. Beast checks the grammar; what it leaves to its user is checked here.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/http.h"
#include "transport/limits.h"

namespace protean {

/// Why a request is refused: the answer's status and sentence, and the cause for TransportMetrics::refused().
/// kNoAnswer: the client speaks something else, which an HTTP/1.1 answer would only confuse.
struct Refusal {
  static constexpr int kNoAnswer = 0;

  int status = 400;
  std::string message;
  std::string_view cause = "malformed";
};

/// Where the pieces of a chunked body go.
class ChunkSink {
 public:
  virtual ~ChunkSink() = default;
  [[nodiscard]] virtual std::optional<Refusal> on_chunk_size(std::uint64_t size) = 0;
  [[nodiscard]] virtual std::optional<Refusal> on_chunk_bytes(std::string_view bytes) = 0;
};

/// For one request; make a new one for the next.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  /// `is_tls` decides the scheme of RequestHead::scheme_host.  Limits and sink outlive the parser.
  RequestParser(const Limits& limits, ChunkSink& sink, bool is_tls);

  /// Parses from the front of `bytes` and returns how many it consumed. What was not consumed comes again with
  /// more behind it. Stops at the end of the head, and at the end of a chunked body.
  std::size_t put(std::span<const std::byte> bytes);

  [[nodiscard]] const std::optional<Refusal>& refusal() const noexcept { return refusal_; }
  [[nodiscard]] bool head_done() { return is_header_done(); }
  [[nodiscard]] bool body_done() { return is_done(); }

  // The rest requires head_done().
  [[nodiscard]] RequestHead& head() noexcept { return head_; }
  [[nodiscard]] std::uint64_t announced_bytes() { return content_length().value_or(0); }
  [[nodiscard]] bool is_chunked() { return chunked(); }
  [[nodiscard]] bool stays_open() { return keep_alive(); }
  [[nodiscard]] bool is_http10() const noexcept { return version_ == 10; }
  /// As far as the request line has been read.
  [[nodiscard]] bool is_head_request() const noexcept { return is_head_request_; }
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb verb, string_view method, string_view target, int version,
                       error_code& error) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field field, string_view name, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t size, string_view extension, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t rest, string_view body, error_code& error) override;
  void on_finish_impl(error_code&) override {}

  void refuse(Refusal refusal, error_code& error);
  void set_target(std::string_view target, error_code& error);
  void set_host(std::string_view host, error_code& error);
  void check_framing(std::span<const std::byte> unfinished);
  void refuse_grammar(const error_code& error, std::span<const std::byte> line);

  const Limits& limits_;
  ChunkSink& sink_;
  RequestHead head_;
  std::optional<Refusal> refusal_;
  std::size_t framing_bytes_ = 0;  // of the head so far
  int version_ = 11;
  bool is_head_request_ = false;
  const bool is_tls_;
  bool has_host_ = false;
  bool target_names_host_ = false;
  bool expects_continue_ = false;
  bool in_head_ = true;
};

}  // namespace protean
