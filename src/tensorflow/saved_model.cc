// SPDX-License-Identifier: Apache-2.0
// From saved_model.pb to facts. Maps of protobuf have no order; everything that leaves here is sorted.
#include "tensorflow/saved_model.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "core/model_file.h"
#include "tensorflow/literal.h"
#include "tensorflow/meta_graph.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr std::uint64_t kFileBytesMax = std::numeric_limits<int>::max();

tl::unexpected<Error> too_large(const std::string& where) {
  return fail(Code::kInvalidArgument, "'" + where + "' is larger than 2 GiB, which no SavedModel is");
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ",") + printable(word);
  return text;
}

std::vector<std::string> tags_of(const tf::MetaGraphDef& graph) {
  return {graph.meta_info_def().tags().begin(), graph.meta_info_def().tags().end()};
}

bool has_all(const std::vector<std::string>& tags, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const auto& tag) { return std::find(tags.begin(), tags.end(), tag) != tags.end(); });
}

/// Index of the meta graph whose tags are exactly `tags`, else of the first that has them all; -1 for none.
int find_meta_graph(const tf::SavedModel& model, const std::vector<std::string>& tags) {
  int found = -1;
  for (int i = 0; i < model.meta_graphs_size(); ++i) {
    const auto present = tags_of(model.meta_graphs(i));
    if (!has_all(present, tags)) continue;
    if (has_all(tags, present)) return i;
    if (found < 0) found = i;
  }
  return found;
}

std::vector<SavedModelTensor> tensors_of(const google::protobuf::Map<std::string, tf::TensorInfo>& infos) {
  std::vector<SavedModelTensor> tensors;
  for (const auto& [key, info] : infos) {
    SavedModelTensor tensor;
    tensor.key = key;
    tensor.node = info.name();
    tensor.dtype = info.dtype();
    tensor.shape = shape_of(info.tensor_shape());
    tensor.unknown_rank = info.tensor_shape().unknown_rank();
    tensors.push_back(std::move(tensor));
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return tensors;
}

}  // namespace

Result<MetaGraph> MetaGraph::parse(std::string_view bytes, const std::string& where,
                                   const std::vector<std::string>& tags) {
  if (bytes.size() > kFileBytesMax) return too_large(where);
  auto model = std::make_unique<tf::SavedModel>();
  if (!model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kInvalidArgument, "'" + where + "' is no SavedModel or is damaged: copy the model again");
  }
  const int index = find_meta_graph(*model, tags);
  if (index < 0) {
    std::string present;
    for (const auto& graph : model->meta_graphs()) present += " {" + join(tags_of(graph)) + "}";
    return fail(Code::kNotFound, "'" + where + "' has no meta graph with the tags {" + join(tags) + "}; it has" +
                                     (present.empty() ? " none" : present));
  }
  return MetaGraph(std::move(model), index);
}

Result<MetaGraph> MetaGraph::read(const std::filesystem::path& folder, const std::vector<std::string>& tags) {
  const auto path = folder / "saved_model.pb";
  TRY(const auto file, ModelFile::open(path));
  if (file.size() > kFileBytesMax) return too_large(printable(path.native()));
  TRY(const auto bytes, file.read_all());
  return parse(bytes.text(), printable(path.native()), tags);
}

SavedModelSignature describe_signature(const std::string& name, const tf::SignatureDef& signature) {
  SavedModelSignature described;
  described.name = name;
  described.method_name = signature.method_name();
  described.inputs = tensors_of(signature.inputs());
  described.outputs = tensors_of(signature.outputs());
  described.serialized = signature.SerializeAsString();
  return described;
}

std::vector<std::pair<std::string, std::string>> assets_of(const tf::MetaGraphDef& graph) {
  std::vector<std::pair<std::string, std::string>> assets;
  for (const auto& asset : graph.asset_file_def()) assets.emplace_back(asset.tensor_info().name(), asset.filename());
  const auto collection = graph.collection_def().find("saved_model_assets");
  if (!assets.empty() || collection == graph.collection_def().end()) return assets;
  for (const auto& any : collection->second.any_list().value()) {
    tf::AssetFileDef asset;
    if (asset.ParseFromString(any.value())) assets.emplace_back(asset.tensor_info().name(), asset.filename());
  }
  return assets;
}

SavedModelFacts facts_of(const tf::MetaGraphDef& graph) {
  SavedModelFacts facts;
  facts.tags = tags_of(graph);
  facts.tensorflow_version = graph.meta_info_def().tensorflow_version();
  for (const auto& [name, signature] : graph.signature_def()) {
    facts.signatures.push_back(describe_signature(name, signature));
  }
  std::sort(facts.signatures.begin(), facts.signatures.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  facts.assets = assets_of(graph);
  return facts;
}

Result<SavedModelFacts> read_saved_model_facts(const std::filesystem::path& folder,
                                               const std::vector<std::string>& tags) {
  TRY(const auto graph, MetaGraph::read(folder, tags));
  return facts_of(graph.def());
}

}  // namespace protean
