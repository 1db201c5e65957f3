// SPDX-License-Identifier: Apache-2.0
// Calls of the C interface, each with its status taken apart at once.
#include "backends/tensorflow/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "backends/tensorflow/element_type.h"
#include "base/text.h"
#include "base/unused_memory.h"

namespace protean {
namespace {

constexpr std::size_t kMessageBytesMax = 16 * 1024;
constexpr int kCodeMax = 16;
constexpr std::uint64_t kGrowthFactor = 4;
constexpr std::uint64_t kGrowthSlack = std::uint64_t{16} << 20;

/// RunOptions with inter_op_thread_pool (field 3) = -1: operations run one after another on the calling thread, which
/// saves the hand-over to another and back (docs/backends/tensorflow.md has the figures).
constexpr std::array<unsigned char, 11> kOnCallersThread = {0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                                            0xFF, 0xFF, 0xFF, 0xFF, 0x01};

class StatusOwner {
 public:
  explicit StatusOwner(const TensorflowApi& api) : api_(api), status_(api.new_status()) {}
  ~StatusOwner() { api_.delete_status(status_); }
  StatusOwner(const StatusOwner&) = delete;
  StatusOwner& operator=(const StatusOwner&) = delete;
  [[nodiscard]] TfStatus* get() const noexcept { return status_; }
  [[nodiscard]] bool good() const { return api_.get_code(status_) == 0; }
  /// TensorFlow's codes are those of gRPC.
  [[nodiscard]] Status check() const {
    const int code = api_.get_code(status_);
    if (code == 0) return {};
    const auto ours = code > 0 && code <= kCodeMax ? static_cast<Code>(code) : Code::kInternal;
    const std::string text = api_.message(status_);
    // As it is, lines and all: clients know these texts.
    return fail(ours, text.size() <= kMessageBytesMax && is_utf8(text) ? text : printable(text, kMessageBytesMax));
  }

 private:
  const TensorflowApi& api_;
  TfStatus* status_;
};

void append_field(std::string& message, unsigned number, std::uint64_t value) {
  for (std::uint64_t part : {std::uint64_t{number} << 3, value}) {
    for (; part >= 0x80; part >>= 7) message.push_back(static_cast<char>(part | 0x80));
    message.push_back(static_cast<char>(part));
  }
}

/// A ConfigProto: intra_op_parallelism_threads (2) and inter_op_parallelism_threads (5).
std::string session_config(std::uint32_t threads) {
  std::string config;
  append_field(config, 2, threads);
  append_field(config, 5, 1);
  return config;
}

/// What loading reports is the model's fault, but for what may pass.
Status as_load_error(Status status) {
  if (status) return status;
  auto error = std::move(status).error();
  if (error.code != Code::kResourceExhausted && error.code != Code::kUnavailable) error.code = Code::kInvalidArgument;
  error.message = "TensorFlow refuses the model: " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Result<std::shared_ptr<const TensorflowSession>> TensorflowSession::load(
    std::shared_ptr<const TensorflowRuntime> runtime, const SessionSource& source) {
  const auto& api = runtime->api();
  const auto before = private_resident_bytes();
  const StatusOwner status(api);
  const std::unique_ptr<TfSessionOptions, void (*)(TfSessionOptions*)> options(api.new_session_options(),
                                                                               api.delete_session_options);
  const auto config = session_config(source.threads);
  api.set_config(options.get(), config.data(), config.size(), status.get());
  TRY_STATUS(status.check());
  std::vector<const char*> tags;
  for (const auto& tag : source.tags) tags.push_back(tag.c_str());
  std::shared_ptr<TensorflowSession> session(new TensorflowSession(std::move(runtime), api.new_graph()));
  session->session_ =
      api.load_session_from_saved_model(options.get(), nullptr, source.folder.c_str(), tags.data(),
                                        static_cast<int>(tags.size()), session->graph_, nullptr, status.get());
  TRY_STATUS(as_load_error(status.check()));
  const auto after = private_resident_bytes();
  const std::uint64_t growth = after > before ? after - before : 0;
  session->memory_.private_bytes =
      std::clamp(growth, source.weights_bytes, source.weights_bytes * kGrowthFactor + kGrowthSlack);
  return session;
}

TensorflowSession::~TensorflowSession() {
  const auto& api = runtime_->api();
  const StatusOwner status(api);
  if (session_ != nullptr) {
    api.close_session(session_, status.get());
    api.delete_session(session_, status.get());
  }
  api.delete_graph(graph_);
  give_back_unused_memory();
}

Result<TfOutput> TensorflowSession::find(const std::string& name, DataType type) const {
  const auto& api = runtime_->api();
  const auto colon = name.rfind(':');
  TfOutput output;
  if (colon != std::string::npos) {
    const char* end = name.data() + name.size();
    if (std::from_chars(name.data() + colon + 1, end, output.index).ptr != end) output.index = -1;
  }
  output.operation = api.graph_operation_by_name(graph_, name.substr(0, colon).c_str());
  if (output.operation == nullptr || output.index < 0 || output.index >= api.operation_num_outputs(output.operation)) {
    return fail(Code::kInvalidArgument,
                fmt::format("the graph has no tensor '{}', which a signature names", printable(name)));
  }
  const int found = api.operation_output_type(output);
  if (from_tensorflow(found) != type) {
    return fail(Code::kInvalidArgument,
                fmt::format("tensor '{}' has elements of type {}, its signature says {}", printable(name),
                            tensorflow_type_name(found), data_type_name(type)));
  }
  return output;
}

Result<std::vector<TfTensorOwner>> TensorflowSession::run(std::span<const TfOutput> inputs,
                                                          std::span<TfTensor* const> values,
                                                          std::span<const TfOutput> outputs) const {
  const auto& api = runtime_->api();
  const StatusOwner status(api);
  const TfBuffer options{kOnCallersThread.data(), kOnCallersThread.size(), nullptr};
  std::vector<TfTensor*> made(outputs.size(), nullptr);
  api.session_run(session_, &options, inputs.data(), values.data(), static_cast<int>(inputs.size()), outputs.data(),
                  made.data(), static_cast<int>(outputs.size()), nullptr, 0, nullptr, status.get());
  std::vector<TfTensorOwner> owners;
  owners.reserve(made.size());
  for (auto* tensor : made) {
    if (tensor != nullptr) owners.emplace_back(tensor, TfTensorDeleter{&api});
  }
  TRY_STATUS(status.check());
  if (owners.size() != outputs.size()) return fail(Code::kInternal, "TensorFlow gave fewer outputs than asked for");
  return owners;
}

}  // namespace protean
