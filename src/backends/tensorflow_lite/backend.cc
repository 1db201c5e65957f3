// SPDX-License-Identifier: Apache-2.0
// The backend's contract, put together from the parts of this folder.
#include "backends/tensorflow_lite/backend.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

#include "backends/tensorflow_lite/library.h"
#include "backends/tensorflow_lite/lite_facts.h"
#include "backends/tensorflow_lite/lite_model.h"
#include "base/text.h"
#include "core/library_search.h"
#include "core/model_file.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibraryVariable = "PROTEAN_TENSORFLOW_LITE_LIBRARY";
constexpr std::uint64_t kFileBytesMax = (std::uint64_t{1} << 31) - 1;  // offsets of FlatBuffers

/// TensorFlow's converter writes such files since then, and its release notes name the kernels with it.
struct Version {
  std::uint64_t major;
  std::uint64_t minor;
};
constexpr Version kDenseByChannelSince{2, 17};

bool at_least(std::string_view version, const Version& wanted) {
  const auto parts = split(version, '.');
  if (parts.size() < 2) return false;
  const std::uint64_t major = parse_uint64(parts[0]).value_or(0);
  return major > wanted.major || (major == wanted.major && parse_uint64(parts[1]).value_or(0) >= wanted.minor);
}

Result<std::shared_ptr<const LiteRuntime>> load_library(const std::string& path) {
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error).parent_path();
  return LiteRuntime::load(lite_library_candidates(path, environment_text(kLibraryVariable), program,
                                                   system_library_folders(environment_text("LD_LIBRARY_PATH"))));
}

class TensorflowLiteBackend final : public Backend {
 public:
  explicit TensorflowLiteBackend(const TensorflowLiteOptions& options)
      : options_(options), runtime_(load_library(options.library_path)) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "tensorflow_lite"; }
  [[nodiscard]] std::string description() const override {
    return runtime_ ? "tensorflow_lite " + (*runtime_)->version() : runtime_.error().message;
  }

  [[nodiscard]] Result<bool> recognises(const fs::path& path) const override {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return false;
    TRY(const auto file, ModelFile::open(path));
    std::array<std::byte, 8> head{};
    if (file.size() < head.size()) return false;
    TRY_STATUS(file.read(0, head));
    return looks_like_lite_model({reinterpret_cast<const char*>(head.data()), head.size()});
  }

  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override {
    auto model = [&]() -> Result<std::unique_ptr<Model>> {
      try {
        return load_checked(files, options);
      } catch (const std::bad_alloc&) {
        return fail(Code::kResourceExhausted, "no memory left to load it");
      }
    }();
    if (model) return model;
    auto error = std::move(model).error();
    error.message += fmt::format(" (model {}, version {})", printable(files.model), printable(files.version));
    return tl::unexpected<Error>(std::move(error));
  }

 private:
  Result<std::unique_ptr<Model>> load_checked(const ModelFiles& files, const LoadOptions& options) const {
    if (!runtime_) return tl::unexpected<Error>(runtime_.error());
    TRY(const auto file, ModelFile::open(files.path));
    if (file.size() > kFileBytesMax) return fail(Code::kInvalidArgument, "the file is larger than 2 GiB");
    TRY(auto bytes, file.read_all());
    TRY(auto facts, read_lite_facts(bytes.text()));
    if (facts.dense_by_channel && !at_least((*runtime_)->version(), kDenseByChannelSince)) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("dense layers are quantised channel by channel, of which TensorFlow Lite {} knows nothing: it "
                      "would answer wrong numbers. Give --tensorflow-lite-library one of version {}.{} or later, "
                      "or convert the model with a scale a tensor",
                      (*runtime_)->version(), kDenseByChannelSince.major, kDenseByChannelSince.minor));
    }
    const auto threads = options.intra_op_threads == 0 ? options_.threads : options.intra_op_threads;
    TRY(auto opened, LiteFile::make(*runtime_, std::move(bytes), threads));
    return LiteModel::make(std::move(opened), std::move(facts));
  }

  const TensorflowLiteOptions options_;
  const Result<std::shared_ptr<const LiteRuntime>> runtime_;
};

}  // namespace

std::unique_ptr<Backend> make_tensorflow_lite_backend(const TensorflowLiteOptions& options) {
  return std::make_unique<TensorflowLiteBackend>(options);
}

}  // namespace protean
