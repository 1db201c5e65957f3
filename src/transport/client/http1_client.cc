// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1: writes the prepared head and body in one gather-write, and lets Boost.Beast's parser read the answer
// without storing what nobody wants.
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <utility>

#include "transport/client/client_connection.h"

namespace protean {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr std::uint32_t kHeadBytesMax = 64 << 10;

/// For one response; make a new one for the next.
class ResponseParser final : public http::basic_parser<false> {
 public:
  ResponseParser(ClientReply& reply, const SendOptions& options, bool head_only) : reply_(reply), options_(options) {
    eager(true);
    skip(head_only);
    body_limit(boost::none);
    header_limit(kHeadBytesMax);
  }

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int status, string_view, int, error_code&) override { reply_.status = status; }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (!options_.keep_fields) return;
    auto& kept = in_body_ ? reply_.trailers : reply_.fields;
    kept.emplace_back(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override { in_body_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    add_body(reply_, {bytes.data(), bytes.size()}, options_.keep_max);
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(error_code&) override {}

  ClientReply& reply_;
  const SendOptions options_;
  bool in_body_ = false;
};

class Http1Client final : public ClientConnection {
 public:
  using ClientConnection::ClientConnection;

  [[nodiscard]] std::size_t room() const noexcept override { return usable() && !done_ ? 1 : 0; }

  void send(std::shared_ptr<const ClientRequest> request, SendOptions options, Done done) override {
    if (room() == 0) return done(no_room());
    options_ = options;
    done_ = std::move(done);
    head_only_ = request->head_only;
    begin_reply();
    const auto& head = request->http1_head;
    Slice first{request, std::as_bytes(std::span(head)), 0};
    write(std::move(first), request->body);
  }

  void expire(TimePoint now) override {
    ClientConnection::expire(now);
    // HTTP/1.1 has no other way to give one request up.
    if (done_ && now >= options_.deadline) break_off({Code::kDeadlineExceeded, "no answer in time", {}, {}});
  }

 private:
  void begin_reply() {
    reply_ = empty_reply(options_);
    rest_.clear();
    parser_.emplace(reply_, options_, head_only_);
  }

  void on_bytes(std::span<const std::byte> bytes) override {
    if (!done_) return break_off({Code::kInternal, "bytes that nobody asked for", {}, {}});
    // What the parser left of an unfinished line comes again with more behind it.
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!rest_.empty()) text = rest_.append(text);
    std::size_t used = 0;
    while (used < text.size() && !parser_->is_done()) {
      error_code error;
      const std::size_t count = parser_->put({text.data() + used, text.size() - used}, error);
      used += count;
      if (error && error != http::error::need_more) return malformed(error);
      if (count == 0) break;
      if (parser_->is_done() && reply_.status < 200) begin_interim();
    }
    if (!parser_->is_done()) {
      rest_ = std::string(text.substr(used));
      return;
    }
    if (used < text.size()) return break_off({Code::kInternal, "bytes behind the answer", {}, {}});
    finish();
  }

  /// A 1xx answer is followed by the real one.
  void begin_interim() {
    reply_ = empty_reply(options_);
    parser_.emplace(reply_, options_, head_only_);
  }

  void on_end() override {
    error_code error;
    if (done_ && parser_->got_some()) parser_->put_eof(error);
    if (done_ && !error && parser_->is_done()) return finish();
    ClientConnection::on_end();
  }

  void malformed(const error_code& error) {
    break_off({Code::kInternal, "not an HTTP/1.1 answer: " + error.message(), {}, {}});
  }

  void finish() {
    const bool stays = parser_->keep_alive();
    const auto done = std::exchange(done_, nullptr);
    if (!stays) break_off({Code::kUnavailable, "the server closed the connection", {}, {}});
    done(std::move(reply_));
  }

  void on_broken(const Error& error) override {
    if (!done_) return;
    reply_ = {};
    reply_.error = error;
    std::exchange(done_, nullptr)(std::move(reply_));
  }

  SendOptions options_;
  bool head_only_ = false;
  Done done_;
  ClientReply reply_;
  std::optional<ResponseParser> parser_;
  std::string rest_;
};

}  // namespace

std::shared_ptr<ClientConnection> make_http1_client(ClientLoop& loop) { return std::make_shared<Http1Client>(loop); }

}  // namespace protean
