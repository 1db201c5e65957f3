// SPDX-License-Identifier: Apache-2.0
// The operations that no served model may reach. Those that save a checkpoint are among them: every SavedModel has
// them, but only the loader's caller could start them, and it does not. Source: the operations registered in
// TensorFlow 2.20 that take the name of a file, an address or a Python function.
#include <algorithm>
#include <array>

#include "backends/tensorflow/graph_check.h"

namespace protean {
namespace {

/// Sorted.
constexpr std::array<std::string_view, 80> kRefused = {
    "CSVDataset",
    "CSVDatasetV2",
    "CacheDataset",
    "CacheDatasetV2",
    "CalibrationStatisticsSaver",
    "CreateSummaryDbWriter",
    "CreateSummaryFileWriter",
    "DTensorRestoreV2",
    "DataServiceDataset",
    "DataServiceDatasetV2",
    "DataServiceDatasetV3",
    "DataServiceDatasetV4",
    "DatasetToTFRecord",
    "DebugIdentity",
    "DebugIdentityV2",
    "DebugIdentityV3",
    "DebugNanCount",
    "DebugNumericSummary",
    "DistributedSave",
    "DumpTensor",
    "EagerPyFunc",
    "ExperimentalCSVDataset",
    "ExperimentalDatasetToTFRecord",
    "ExperimentalLMDBDataset",
    "ExperimentalMatchingFilesDataset",
    "ExperimentalSqlDataset",
    "FileSystemSetConfiguration",
    "FixedLengthRecordDataset",
    "FixedLengthRecordDatasetV2",
    "FixedLengthRecordReader",
    "FixedLengthRecordReaderV2",
    "FixedUnigramCandidateSampler",
    "GenerateVocabRemapping",
    "IdentityReader",
    "IdentityReaderV2",
    "ImmutableConst",
    "ImportEvent",
    "LMDBDataset",
    "LMDBReader",
    "ListSnapshotChunksDataset",
    "LoadAndRemapMatrix",
    "LoadDataset",
    "MatchingFiles",
    "MatchingFilesDataset",
    "MergeV2Checkpoints",
    "PyFunc",
    "PyFuncStateless",
    "ReadFile",
    "RecordInput",
    "RegisterDataset",
    "RegisterDatasetV2",
    "RemoteCall",
    "RpcCall",
    "RpcClient",
    "RpcServer",
    "RpcServerRegister",
    "RpcServerStart",
    "Save",
    "SaveDataset",
    "SaveDatasetV2",
    "SaveSlices",
    "SaveV2",
    "Skipgram",
    "SnapshotChunkDataset",
    "SnapshotDataset",
    "SnapshotDatasetReader",
    "SnapshotDatasetV2",
    "SnapshotNestedDatasetReader",
    "SqlDataset",
    "SummaryWriter",
    "TFRecordDataset",
    "TFRecordDatasetV2",
    "TFRecordReader",
    "TFRecordReaderV2",
    "TextLineDataset",
    "TextLineReader",
    "TextLineReaderV2",
    "WholeFileReader",
    "WholeFileReaderV2",
    "WriteFile",
};

}  // namespace

bool is_refused_operation(std::string_view operation) noexcept {
  return std::ranges::binary_search(kRefused, operation);
}

}  // namespace protean
