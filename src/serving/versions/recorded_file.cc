// SPDX-License-Identifier: Apache-2.0
// Files that operators and MLflow put beside a model: bounded, decoded, and brought into the form of its inputs.
#include "serving/versions/recorded_file.h"

#include <fmt/format.h>

#include <fstream>
#include <system_error>
#include <utility>

#include "core/table.h"
#include "serving/check_request.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{64} << 20;

Result<Slice> read_file(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return fail(Code::kUnavailable, fmt::format("cannot be read: {}", error.message()));
  if (size > kFileBytesMax) {
    return fail(Code::kInvalidArgument, fmt::format("{} bytes, expected at most {}", size, kFileBytesMax));
  }
  Buffer buffer(static_cast<std::size_t>(size));
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(size));
  if (!file) return fail(Code::kUnavailable, "cannot be read to its end");
  return std::move(buffer).share();
}

}  // namespace

Result<InferRequest> read_recorded(const fs::path& file, const RequestDecoder& decode, const Signature& signature) {
  TRY(auto json, read_file(file));
  return decode_recorded(std::move(json), decode, signature);
}

Result<InferRequest> decode_recorded(Slice json, const RequestDecoder& decode, const Signature& signature) {
  TRY(auto request, decode(std::move(json)));
  TRY_STATUS(prepare_inputs(request, signature));
  return request;
}

Result<std::vector<InferInput>> read_background(std::span<const fs::path> folders, const RequestDecoder& decode,
                                                const Signature& signature) {
  for (const auto& folder : folders) {
    std::error_code ignored;
    const fs::path file = folder / "background.json";
    if (!decode || !fs::is_regular_file(file, ignored)) continue;
    auto inputs = read_recorded(file, decode, signature).and_then([&](InferRequest&& request) {
      return check_request(request, signature, "background").map([&](const auto&) {
        return std::move(request.inputs);
      });
    });
    if (!inputs) inputs.error().message = "'background.json': " + inputs.error().message;
    return inputs;
  }
  return std::vector<InferInput>();
}

}  // namespace protean
