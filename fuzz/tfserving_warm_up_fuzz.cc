// SPDX-License-Identifier: Apache-2.0
// Warm-up files: records end where they say, and what libprotobuf cannot parse is no request.
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/tensorflow_serving.pb.h"
#include "protocols/tensorflow_serving/record_file.h"
#include "protocols/tensorflow_serving/warm_up_file.h"

namespace {

using namespace protean;
using namespace protean::tfserving;

void decode(const Slice& record) {
  tensorflow::serving::PredictionLog log;
  const bool valid = log.ParseFromArray(record.data(), static_cast<int>(record.size()));
  auto call = decode_prediction_log(record, {});
  if (!call || !valid) return;
  Signature signature;
  signature.inputs.push_back({"x", DataType::kFp32, {-1}, {}});
  signature.outputs.push_back({"y", DataType::kFp32, {-1}, {}});
  for (auto& request : call->requests) {
    if (call->bind(request, signature)) PROTEAN_CHECK(!request.inputs.empty());
  }
}

/// Checksums are beyond a fuzzer, so that a record is also tried without them.
void read_all(const std::uint8_t* data, std::size_t size) {
  FileDescriptor fd(::memfd_create("records", MFD_CLOEXEC));
  PROTEAN_CHECK(::pwrite(fd.get(), data, size, 0) == static_cast<ssize_t>(size));
  auto opened = ModelFile::adopt(std::move(fd), "records");
  PROTEAN_CHECK(opened);
  RecordFile file(*std::move(opened));
  while (true) {
    const auto record = file.next();
    if (!record || !*record) return;
    decode(**record);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_all(data, size);
  Buffer buffer;
  buffer.append(data, size);
  decode(std::move(buffer).share());
  return 0;
}
