// SPDX-License-Identifier: Apache-2.0
// A backend for tests of this room: a model file is text starting with `MODEL`; words after it say how
// it behaves: `broken` (does not load), `flaky` (fails to load, may be tried again), `cold` (cannot run), `picky`
// (refuses every input), `fails` (on bytes above 1), `streams` (answers each byte as a part),
// `stateful` (says so), `counter` (has a stateful function `count` beside). Its memory is its size,
// its batch dimension is unknown. Runs answer the input's first byte plus the file's size.
#pragma once

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/model.h"

namespace protean::testing {

class FakeModel final : public Model {
 public:
  FakeModel(std::string content, std::atomic<int>& alive) : content_(std::move(content)), alive_(alive) {
    ++alive_;
    signature_.platform = "fake";
    signature_.inputs = {{"x", DataType::kUint8, {-1}, {}, false, false}};
    signature_.outputs = {{"y", DataType::kUint8, {-1}, {}, false, false}};
    if (content_ == "stateful function") signature_.function = "count";
    signature_.stateful = content_.find("stateful") != std::string::npos;
    signature_.streams = content_.find("streams") != std::string::npos;
  }
  ~FakeModel() override { --alive_; }

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    ++runs;
    if (request.parts != nullptr) return run_in_parts(request);
    const Tensor& input = *request.inputs.front();
    // Generated inputs hold zeros and ones: such a model passes its warm-up.
    const bool live = std::any_of(input.data.bytes.begin(), input.data.bytes.end(),
                                  [](std::byte value) { return std::to_integer<int>(value) > 1; });
    if (live && content_.find("fails") != std::string::npos) return fail(Code::kInternal, "the model failed");
    if (content_.find("cold") != std::string::npos) return fail(Code::kInternal, "the model cannot run");
    if (content_.find("picky") != std::string::npos) return fail(Code::kInvalidArgument, "index out of range");
    Buffer out(input.data.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      out.data()[i] = static_cast<std::byte>(std::to_integer<std::size_t>(input.data.bytes[i]) + content_.size());
    }
    std::vector<Tensor> outputs;
    outputs.push_back({DataType::kUint8, input.shape, std::move(out).share()});
    return outputs;
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {content_.size(), 0}; }

  [[nodiscard]] std::vector<std::unique_ptr<Model>> take_functions() override {
    std::vector<std::unique_ptr<Model>> functions;
    if (content_.find("counter") == std::string::npos) return functions;
    functions.push_back(std::make_unique<FakeModel>("stateful function", alive_));
    return functions;
  }

  std::atomic<int> runs{0};

 private:
  Result<std::vector<Tensor>> run_in_parts(const RunRequest& request) {
    for (std::size_t i = 0; i < request.inputs.front()->data.size(); ++i) {
      const Tensor one{DataType::kUint8, {1}, request.inputs.front()->data.part(i, 1)};
      const Tensor* const input = &one;
      TRY(auto outputs, run({std::span(&input, 1), request.outputs, request.cancel}));
      TRY_STATUS(request.parts->part(std::move(outputs)));
    }
    return std::vector<Tensor>();
  }

  const std::string content_;
  std::atomic<int>& alive_;
  Signature signature_;
};

class FakeBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view id() const noexcept override { return "fake"; }
  [[nodiscard]] std::string description() const override { return "fake 1.0"; }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    return std::filesystem::is_regular_file(path) && read(path).starts_with("MODEL");
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions&) override {
    ++loads;
    if (gate) gate(files);
    const std::string content = read(files.path);
    if (content.find("flaky") != std::string::npos) return fail(Code::kUnavailable, "the disk is slow today");
    if (content.find("throws") != std::string::npos) throw std::runtime_error("a surprise");
    if (content.find("broken") != std::string::npos) {
      return fail(Code::kInvalidArgument, "the file is broken; write it again");
    }
    return std::make_unique<FakeModel>(content, alive);
  }

  /// Called at the beginning of each load, on the loader's thread; set before there are loads.
  std::function<void(const ModelFiles&)> gate;
  std::atomic<int> loads{0};
  std::atomic<int> alive{0};

 private:
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace protean::testing
