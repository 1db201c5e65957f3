// SPDX-License-Identifier: Apache-2.0
// Field numbers of the ONNX format that this backend looks at, and where in it tensors can hide.
// Source: https://github.com/onnx/onnx/blob/v1.18.0/onnx/onnx-ml.proto (IR version 11).
#pragma once

#include <cstdint>

namespace protean::onnx {

namespace model {
inline constexpr std::uint32_t kIrVersion = 1, kProducerName = 2, kProducerVersion = 3, kDomain = 4, kModelVersion = 5,
                               kDocString = 6, kGraph = 7, kOpsetImport = 8, kMetadata = 14, kTraining = 20,
                               kFunctions = 25, kConfiguration = 26;
}
namespace graph {
inline constexpr std::uint32_t kNode = 1, kName = 2, kInitializer = 5, kDocString = 10, kInput = 11, kOutput = 12,
                               kValueInfo = 13, kQuantization = 14, kSparseInitializer = 15, kMetadata = 16;
}
namespace node {
inline constexpr std::uint32_t kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7;
inline constexpr std::uint32_t kFieldMax = 10;
}  // namespace node
namespace attribute {
inline constexpr std::uint32_t kName = 1, kTensor = 5, kGraph = 6, kInts = 8, kStrings = 9, kTensors = 10, kGraphs = 11,
                               kSparseTensor = 22, kSparseTensors = 23;
}
namespace tensor {
inline constexpr std::uint32_t kDims = 1, kDataType = 2, kName = 8, kRawData = 9, kExternalData = 13,
                               kDataLocation = 14;
}
namespace sparse_tensor {
inline constexpr std::uint32_t kValues = 1, kIndices = 2;
}
namespace training {
inline constexpr std::uint32_t kInitialization = 1, kAlgorithm = 2;
}
namespace function {
inline constexpr std::uint32_t kNode = 7, kAttributeProto = 11;
}
namespace opset {
inline constexpr std::uint32_t kDomain = 1, kVersion = 2;
}
namespace value_info {
inline constexpr std::uint32_t kName = 1, kType = 2;
}
namespace type {
inline constexpr std::uint32_t kTensor = 1;
}
namespace tensor_type {
inline constexpr std::uint32_t kElementType = 1, kShape = 2;
}
namespace shape {
inline constexpr std::uint32_t kDim = 1;
}
namespace dim {
inline constexpr std::uint32_t kValue = 1;
}
namespace key_value {
inline constexpr std::uint32_t kKey = 1, kValue = 2;
}

/// TensorProto.DataType of FLOAT and STRING.
inline constexpr std::uint64_t kFloat = 1, kString = 8;
/// TensorProto.DataLocation.
inline constexpr std::uint64_t kInFile = 0, kExternal = 1;

/// Messages that hold tensors, directly or further down.
enum class Message : unsigned char {
  kNone,
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kTraining,
  kFunction
};

/// What field `number` of `parent` is. `singular`: protobuf would merge a second one into the first.
struct Child {
  Message message = Message::kNone;
  bool singular = false;
};
[[nodiscard]] Child child_of(Message parent, std::uint32_t number) noexcept;

}  // namespace protean::onnx
