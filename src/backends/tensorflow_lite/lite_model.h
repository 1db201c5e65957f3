// SPDX-License-Identifier: Apache-2.0
// A .tflite file with as many interpreters as runs go on at one time: an interpreter has one set of tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backends/tensorflow_lite/library.h"
#include "backends/tensorflow_lite/lite_facts.h"
#include "base/buffer.h"
#include "core/model.h"

namespace protean {

/// The file as the library holds it, and how its interpreters are made.  Constant after construction.
class LiteFile {
 public:
  /// `bytes` live as long as it. Errors: kInvalidArgument when the library refuses the file.
  static Result<std::shared_ptr<const LiteFile>> make(std::shared_ptr<const LiteRuntime> runtime, Buffer bytes,
                                                      std::uint32_t threads);
  ~LiteFile();
  LiteFile(const LiteFile&) = delete;
  LiteFile& operator=(const LiteFile&) = delete;
  [[nodiscard]] const LiteApi& api() const noexcept { return runtime_->api(); }
  [[nodiscard]] const LiteModelHandle* get() const noexcept { return model_; }
  [[nodiscard]] std::uint32_t threads() const noexcept { return threads_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.size(); }

 private:
  LiteFile(std::shared_ptr<const LiteRuntime> runtime, Buffer bytes, std::uint32_t threads)
      : runtime_(std::move(runtime)), bytes_(std::move(bytes)), threads_(threads) {}
  const std::shared_ptr<const LiteRuntime> runtime_;
  const Buffer bytes_;
  const std::uint32_t threads_;
  LiteModelHandle* model_ = nullptr;
};

/// One interpreter, its last error and the shapes that it is made up for. One thread at a time.
class LiteRun {
 public:
  /// Errors: kInvalidArgument with the library's words, such as an operation that it does not know.
  static Result<std::unique_ptr<LiteRun>> make(std::shared_ptr<const LiteFile> file);
  ~LiteRun();
  LiteRun(const LiteRun&) = delete;
  LiteRun& operator=(const LiteRun&) = delete;

  [[nodiscard]] const LiteApi& api() const noexcept { return file_->api(); }
  [[nodiscard]] LiteInterpreter* get() const noexcept { return interpreter_; }
  /// Makes room for inputs of these shapes, by place. Errors: kInvalidArgument with the library's words.
  [[nodiscard]] Status fit(const std::vector<std::vector<int>>& shapes);
  /// `status`: of a call. Errors: `code` with what the library reported meanwhile.
  [[nodiscard]] Status check(int status, Code code, const char* what);

 private:
  explicit LiteRun(std::shared_ptr<const LiteFile> file) : file_(std::move(file)) {}
  const std::shared_ptr<const LiteFile> file_;
  LiteOptions* options_ = nullptr;
  LiteInterpreter* interpreter_ = nullptr;
  std::string reported_;
  std::vector<std::vector<int>> shapes_;
};

/// run() is thread-safe and computes on the calling thread.
class LiteModel final : public Model {
 public:
  /// Errors: kInvalidArgument when the file is broken, or has tensors that no protocol here carries.
  static Result<std::unique_ptr<Model>> make(std::shared_ptr<const LiteFile> file, LiteFacts facts);

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] ModelMemory memory() const noexcept override { return {file_->bytes(), 0}; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return notes_; }

 private:
  LiteModel(std::shared_ptr<const LiteFile> file, LiteFacts facts) : file_(std::move(file)), facts_(std::move(facts)) {}
  Status describe(const LiteRun& run);
  Result<std::unique_ptr<LiteRun>> take();
  void give_back(std::unique_ptr<LiteRun> run);
  Result<std::vector<Tensor>> run_in(LiteRun& run, const RunRequest& request) const;

  const std::shared_ptr<const LiteFile> file_;
  const LiteFacts facts_;
  Signature signature_;             // constant after make()
  std::vector<std::string> notes_;  // constant after make()
  std::mutex mutex_;
  std::vector<std::unique_ptr<LiteRun>> free_;  // guarded by mutex_
};

}  // namespace protean
