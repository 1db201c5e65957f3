// SPDX-License-Identifier: Apache-2.0
// The way in: makes the ONNX Runtime backend. The only header of this folder that others include.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `library_path`: the shared library to use and no other; empty to look for one (docs/backends/onnxruntime.md).
/// `intra_op_threads`: threads that one run may use where the model asks for none; 0 and 1 mean the caller's own.
/// `pool_threads`: size, the caller included, of the pool that all models share which ask for so many; 0: as many as
/// `intra_op_threads`.
/// `memory_arena`: keep large blocks of memory between runs, which saves their page faults; one pool serves
/// all models. `kept_bytes_max`: how much may lie unused in it.
/// `cache_folder`: where optimised graphs are kept for the next start (0700, of this user); empty: nowhere. When it
/// cannot be used, models load without it and their load_notes() say why. `cache_bytes_max`: beyond it the least
/// recently used go. `cache_model_bytes_min`: smaller models are not kept; optimising them takes a few milliseconds.
/// `pack_weights`: let kernels lay weights out for themselves while loading. Without it dense layers load from the
/// cache 15 times faster and take up to twice as long for 2 to 16 rows; results may differ in the last bits.
struct OnnxRuntimeOptions {
  std::string library_path = {};
  int intra_op_threads = 0;
  int pool_threads = 0;
  bool memory_arena = true;
  std::size_t kept_bytes_max = std::size_t{512} << 20;
  std::string cache_folder = {};
  std::uint64_t cache_bytes_max = std::uint64_t{10} << 30;
  std::uint64_t cache_model_bytes_min = std::uint64_t{1} << 20;
  bool pack_weights = true;
};

/// Looks for the library, loads it and turns its telemetry off; call before there are other threads, for it
/// sets an environment variable. Without a library the backend exists all the same: it recognises models, its
/// description() says what was tried, and load() fails with kFailedPrecondition.
/// Errors: kInvalidArgument for options out of range.
[[nodiscard]] Result<std::unique_ptr<Backend>> make_onnxruntime_backend(const OnnxRuntimeOptions& options);

}  // namespace protean
