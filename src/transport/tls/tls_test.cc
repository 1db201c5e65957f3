// SPDX-License-Identifier: Apache-2.0
// TLS end to end with certificates made on the spot: handshake, ALPN, large bodies, exchange of the files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "transport/server.h"
#include "transport/session_test_support.h"
#include "transport/socket_test_support.h"
#include "transport/tls/tls_context.h"

namespace protean {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TestClient;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;

/// Writes a self-signed certificate for `name` and its key.
void write_pair(const TlsFiles& files, const std::string& name) {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const Owned<X509, X509_free> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), subject);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  const Owned<std::FILE, std::fclose> certificate_file(std::fopen(files.certificate.c_str(), "w"));
  const Owned<std::FILE, std::fclose> key_file(std::fopen(files.key.c_str(), "w"));
  ASSERT_EQ(PEM_write_X509(certificate_file.get(), certificate.get()), 1);
  ASSERT_EQ(PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("protean_tls_" + std::to_string(::getpid()) + "_" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    files_ = {folder_ / "certificate.pem", folder_ / "key.pem"};
    write_pair(files_, "first");
  }
  ~TlsTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  TlsFiles files_;
};

/// A client's end of TLS on a TestClient.
class TlsClient {
 public:
  /// `protocols`: as ALPN has them, each with its length in front; empty for none.
  TlsClient(std::uint16_t port, std::string_view protocols, int version = 0)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method())) {
    if (version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), version);
      SSL_CTX_set_max_proto_version(context_.get(), version);
    }
    ssl_.reset(SSL_new(context_.get()));
    if (!protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    SSL_set_fd(ssl_.get(), socket_.descriptor());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  [[nodiscard]] std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  [[nodiscard]] std::string server_name() const {
    const Owned<X509, X509_free> certificate(SSL_get1_peer_certificate(ssl_.get()));
    std::array<char, 64> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name.data(), name.size());
    return name.data();
  }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const int count = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      ASSERT_GT(count, 0);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  [[nodiscard]] std::string receive(std::size_t count) const {
    std::string all;
    std::array<char, 16384> block;
    while (all.size() < count) {
      const int received = SSL_read(ssl_.get(), block.data(), static_cast<int>(block.size()));
      if (received <= 0) break;
      all.append(block.data(), static_cast<std::size_t>(received));
    }
    return all;
  }
  [[nodiscard]] std::string receive_until(std::string_view end) const {
    std::string all;
    while (!all.ends_with(end)) {
      const std::string block = receive(1);
      if (block.empty()) break;
      all += block;
    }
    return all;
  }

 private:
  TestClient socket_;
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
  bool connected_ = false;
};

class TlsServerTest : public TlsTest {
 protected:
  TlsServerTest() {
    handler_.answer = testing::answer_with_request;
    TransportServer::Options options;
    options.listeners.push_back({"127.0.0.1", 0, files_});
    options.context.handler = &handler_;
    options.context.memory = &memory_;
    options.context.metrics = &metrics_;
    auto made = TransportServer::make(std::move(options));
    EXPECT_TRUE(made) << made.error().message;
    server_ = *std::move(made);
    port_ = server_->bound_addresses().at(0).port;
    server_->start();
  }

  metrics::Registry registry_;
  TransportMetrics metrics_{registry_};
  MemoryBudget memory_{std::size_t{1} << 30};
  testing::TestHandler handler_;
  std::unique_ptr<TransportServer> server_;
  std::uint16_t port_ = 0;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(TlsServerTest, SpeaksHttp1WhenNegotiated) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsClient client(port_, "\x08http/1.1", version);
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.protocol(), "http/1.1");
    for (int i = 0; i < 3; ++i) {
      client.send(kGet);
      EXPECT_THAT(client.receive_until("GET /a"), StartsWith("HTTP/1.1 200 OK\r\n"));
    }
  }
}

TEST_F(TlsServerTest, PrefersHttp2) {
  const TlsClient client(port_, "\x08http/1.1\x02h2");
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.protocol(), "h2");
  client.send(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  const std::string frame = client.receive(9);
  ASSERT_GE(frame.size(), 9U);
  EXPECT_EQ(frame[3], 4);  // SETTINGS
}

TEST_F(TlsServerTest, SniffsWithoutAlpn) {
  const TlsClient client(port_, "");
  ASSERT_TRUE(client.connected());
  client.send(kGet);
  EXPECT_THAT(client.receive_until("GET /a"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(TlsServerTest, RefusesOldVersions) { EXPECT_FALSE(TlsClient(port_, "", TLS1_1_VERSION).connected()); }

TEST_F(TlsServerTest, CarriesLargeBodiesBothWays) {
  const TlsClient client(port_, "");
  ASSERT_TRUE(client.connected());
  const std::string body(3U << 20, 'b');
  client.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  client.send(body);
  const std::string answer = client.receive(body.size() + 100);
  EXPECT_THAT(answer, EndsWith("POST /e " + body));
}

TEST_F(TlsServerTest, HangsUpOnPlainText) {
  const TestClient client(port_);
  client.send(kGet);
  client.receive_all();
  EXPECT_EQ(metrics_.tls_handshake_failures->value(), 1U);
}

TEST_F(TlsServerTest, DrainsWithAProperGoodbye) {
  const TlsClient client(port_, "");
  ASSERT_TRUE(client.connected());
  client.send(kGet);
  EXPECT_THAT(client.receive_until("GET /a"), EndsWith("GET /a"));
  EXPECT_TRUE(server_->drain(Clock::system().now() + std::chrono::seconds(10)));
  EXPECT_EQ(client.receive(1), "");
}

/// A client whose records a test delivers itself, in portions of its choice.
class ManualTlsClient {
 public:
  ManualTlsClient() : context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_.get())) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }
  [[nodiscard]] bool shake_hands() { return SSL_do_handshake(ssl_.get()) == 1; }
  void write(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
  }
  [[nodiscard]] std::string take_records() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &data);
    std::string records(data, static_cast<std::size_t>(size));
    BIO_reset(SSL_get_wbio(ssl_.get()));
    return records;
  }
  void give_records(std::string_view records) {
    BIO_write(SSL_get_rbio(ssl_.get()), records.data(), static_cast<int>(records.size()));
  }

 private:
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
};

TEST_F(TlsTest, WaitsForTheSocketWhenARecordIsIncomplete) {
  auto made = TlsContext::make(files_);
  ASSERT_TRUE(made) << made.error().message;
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
  const auto server = (*made)->accept(ends[0]);
  ManualTlsClient client;
  const auto deliver = [&](std::string_view records) {
    ASSERT_EQ(::send(ends[1], records.data(), records.size(), 0), static_cast<ssize_t>(records.size()));
  };
  bool client_done = false;
  bool server_done = false;
  for (int flight = 0; flight < 4 && !(client_done && server_done); ++flight) {
    client_done = client.shake_hands();
    if (const std::string records = client.take_records(); !records.empty()) deliver(records);
    if (!server_done) server_done = server->handshake().kind == IoResult::Kind::kMoved;
    std::array<char, 16384> block;
    const ssize_t count = ::recv(ends[1], block.data(), block.size(), 0);
    if (count > 0) client.give_records({block.data(), static_cast<std::size_t>(count)});
  }
  ASSERT_TRUE(client_done && server_done);

  client.write("hello");
  const std::string record = client.take_records();
  std::array<std::byte, 100> into;
  deliver(record.substr(0, 10));
  EXPECT_EQ(server->read(into).kind, IoResult::Kind::kWouldBlock);
  EXPECT_FALSE(server->has_pending());
  deliver(record.substr(10));
  const IoResult outcome = server->read(into);
  EXPECT_EQ(outcome.kind, IoResult::Kind::kMoved);
  EXPECT_EQ(outcome.count, 5U);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(TlsTest, ExchangesThePairWhenTheFilesChange) {
  auto made = TlsContext::make(files_);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE((*made)->reload_if_changed());
  write_pair(files_, "second");
  EXPECT_TRUE((*made)->reload_if_changed());
  EXPECT_FALSE((*made)->reload_if_changed());
}

TEST_F(TlsTest, KeepsTheOldPairWhenTheNewOneIsBroken) {
  auto made = TlsContext::make(files_);
  ASSERT_TRUE(made) << made.error().message;
  std::ofstream(files_.certificate) << "nonsense";
  EXPECT_FALSE((*made)->reload_if_changed());
  write_pair(files_, "second");
  EXPECT_TRUE((*made)->reload_if_changed());
}

TEST_F(TlsTest, SaysWhichFileIsMissing) {
  const auto made = TlsContext::make({"/nowhere/certificate.pem", files_.key});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kNotFound);
  EXPECT_THAT(made.error().message, HasSubstr("'/nowhere/certificate.pem': cannot be read: No such file"));
}

TEST_F(TlsTest, SaysWhenKeyAndCertificateDoNotBelongTogether) {
  const TlsFiles other = {folder_ / "other.pem", folder_ / "other_key.pem"};
  write_pair(other, "other");
  const auto made = TlsContext::make({files_.certificate, other.key});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kInvalidArgument);
}

TEST_F(TlsServerTest, ServesTheNewCertificateToNewConnections) {
  EXPECT_EQ(TlsClient(port_, "").server_name(), "first");
  write_pair(files_, "second");
  // The server looks at its files once a second.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string name = "first";
  while (name == "first" && std::chrono::steady_clock::now() < patience) name = TlsClient(port_, "").server_name();
  EXPECT_EQ(name, "second");
}

}  // namespace
}  // namespace protean
