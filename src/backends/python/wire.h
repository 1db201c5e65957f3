// SPDX-License-Identifier: Apache-2.0
// The layout of the control memory that server and worker share: the request in its first half, the answer in its
// second, little-endian. Tensor bytes lie in two further regions. python/protean_worker/channel.py has the other end.
//
//   server: tensors -> request region, RequestHeader, id, TensorRecord..., u32 outputs...;  a byte into the pipe `wake`
//   worker: tensors -> answer region, AnswerHeader, message, TensorRecord...;               a byte into `reply`
//
// A worker whose answer does not fit says kNeedsSpace, is sent a larger region over the socket and asked kSendAgain.
// The answer to kRunParts is any number of kPart, each followed by kNextPart from the server (with `stop` when no more
// is wanted), and then kOk without tensors. Nothing that the worker wrote is believed: see answer_reader.h.
#pragma once

#include <signal.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace protean::python {

static_assert(std::endian::native == std::endian::little, "the layout is written as it lies in memory");

inline constexpr std::size_t kHalfBytes = std::size_t{1} << 20;
inline constexpr std::size_t kControlBytes = 2 * kHalfBytes;
inline constexpr std::size_t kTensorsMax = 4096;
inline constexpr std::size_t kRankMax = 16;
inline constexpr std::size_t kTensorAlignment = 64;

enum class Op : std::uint32_t { kLoad = 1, kRun = 2, kExplain = 3, kSendAgain = 4, kRunParts = 5, kNextPart = 6 };
enum class AnswerStatus : std::uint32_t { kOk = 0, kError = 1, kNeedsSpace = 2, kPart = 3 };

/// `descriptor_messages`: sent over the socket so far; the worker receives until it has as many.
/// `stop`: 0 at first; 1 before kStopSignal is sent to ask the worker to leave this request's run, and in a kNextPart
/// that means so.
struct RequestHeader {
  std::uint64_t sequence;
  Op op;
  std::uint32_t descriptor_messages;
  std::uint32_t tensors;
  std::uint32_t outputs;
  std::uint32_t id_bytes;
  std::uint32_t stop;
};
static_assert(sizeof(RequestHeader) == 32);

/// `code`: of gRPC, with kError.
struct AnswerHeader {
  std::uint64_t sequence;
  AnswerStatus status;
  std::uint32_t tensors;
  std::uint64_t bytes_needed;
  std::uint32_t code;
  std::uint32_t message_bytes;
};
static_assert(sizeof(AnswerHeader) == 32);

/// `index`: in the signature.  `type`: DataType.  `offset`, `bytes`: in the region.
struct TensorRecord {
  std::uint32_t index;
  std::uint8_t type;
  std::uint8_t rank;
  std::uint16_t unused;
  std::uint64_t offset;
  std::uint64_t bytes;
  std::int64_t shape[kRankMax];
};
static_assert(sizeof(TensorRecord) == 152);

inline constexpr std::size_t kIdAt = sizeof(RequestHeader);
inline constexpr std::size_t kIdBytesMax = 256;
inline constexpr std::size_t kRequestRecordsAt = 320;
inline constexpr std::size_t kMessageAt = sizeof(AnswerHeader);  // from the second half
inline constexpr std::size_t kMessageBytesMax = 4096;
inline constexpr std::size_t kAnswerRecordsAt = 4160;
static_assert(kRequestRecordsAt + kTensorsMax * (sizeof(TensorRecord) + sizeof(std::uint32_t)) <= kHalfBytes);
static_assert(kAnswerRecordsAt + kTensorsMax * sizeof(TensorRecord) <= kHalfBytes);

/// First byte of a message on the socket: what its descriptors are.
inline constexpr char kStartMessage = 'S';          // control, requests, answers, wake, reply
inline constexpr char kRequestRegionMessage = 'Q';  // a larger region for requests
inline constexpr char kAnswerRegionMessage = 'A';   // a larger region for answers
/// To a process that models share, u32 number behind it: the worker's end of a further channel's socket.
inline constexpr char kJoinMessage = 'J';

/// Raises an exception inside the runs whose `stop` is 1, and means nothing at any other time.
inline constexpr int kStopSignal = SIGUSR1;

/// Descriptors of a worker when it starts, after standard input, output and error.
inline constexpr int kChannelDescriptor = 3;
inline constexpr int kBundleDescriptor = 4;

}  // namespace protean::python
