// SPDX-License-Identifier: Apache-2.0
// The smallest model of each format: one tree with one split.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace protean::test {

inline constexpr std::string_view kXgboost =
    R"({"learner":{"attributes":{},"feature_names":["a","b"],"feature_types":["float","int"],"gradient_booster":)"
    R"({"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"1"},"iteration_indptr":[0,1],)"
    R"("tree_info":[0],"trees":[{"default_left":[1,0,0],"left_children":[1,-1,-1],"right_children":[2,-1,-1],)"
    R"("split_conditions":[0.5,-1,1],"split_indices":[1,0,0],"sum_hessian":[4,3,1],)"
    R"("tree_param":{"num_nodes":"3","size_leaf_vector":"1"}}]},"name":"gbtree"},)"
    R"("learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},)"
    R"("objective":{"name":"binary:logistic"}},"version":[3,2,0]})";

inline constexpr std::string_view kLightgbm =
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=regression\n"
    "feature_names=a b\nfeature_infos=[0:1] [0:1]\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=1\nthreshold=0.5\n"
    "decision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=1 2\nleaf_count=3 1\ninternal_count=4\nis_linear=0\n"
    "shrinkage=1\n\n\nend of trees\n\npandas_categorical:null\n";

inline constexpr std::string_view kCatboost =
    R"({"features_info":{"float_features":[{"feature_id":"a","feature_index":0,"flat_feature_index":0,)"
    R"("nan_value_treatment":"AsIs","borders":[0.5]}]},"model_info":{"params":{"loss_function":{"type":"RMSE"}}},)"
    R"("oblivious_trees":[{"leaf_values":[1,2],"leaf_weights":[3,1],"splits":[{"border":0.5,"float_feature_index":0,)"
    R"("split_index":0,"split_type":"FloatFeature"}]}],"scale_and_bias":[1,[0.25]]})";

/// Where the number of nodes stands in xgboost_binary().
inline constexpr std::size_t kBinaryNodesAt = 136 + 8 + 16 + 8 + 6 + 160 + 4;

/// reg:squarederror, gbtree, one tree of three nodes.
inline std::string xgboost_binary() {
  std::string bytes;
  const auto put = [&bytes](auto value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto pad = [&bytes](std::size_t size) { bytes.append(size, '\0'); };
  put(0.5F);
  put(std::uint32_t{2});
  pad(12);
  put(std::uint32_t{1});
  pad(136 - 24);
  for (const std::string_view name : {"reg:squarederror", "gbtree"}) {
    put(std::uint64_t{name.size()});
    bytes += name;
  }
  put(std::int32_t{1});
  pad(156);
  put(std::int32_t{1});
  put(std::int32_t{3});
  pad(140);
  const auto node = [&](std::int32_t left, std::int32_t right, std::uint32_t split, float value) {
    put(std::int32_t{-1});
    put(left);
    put(right);
    put(split);
    put(value);
  };
  node(1, 2, 0x80000001, 0.5F);
  node(-1, -1, 0, -1.0F);
  node(-1, -1, 0, 1.0F);
  for (const float cover : {4.0F, 3.0F, 1.0F}) {
    put(0.0F);
    put(cover);
    pad(8);
  }
  put(std::uint32_t{0});
  return bytes;
}

}  // namespace protean::test
