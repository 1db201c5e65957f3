// SPDX-License-Identifier: Apache-2.0
// Eight rows down one tree: their nodes and their values are gathered, compared and stepped in one register each, and
// up to four such groups go side by side to hide the latency of the gathers. Compiled for AVX2 by attribute, so that
// the rest of the program runs anywhere; no FMA, which would round differently.
#include "trees/walk.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace protean {

#if defined(__x86_64__)

namespace {

constexpr std::size_t kLanes = 8;

__attribute__((target("avx2"), always_inline)) inline __m256i step8(const int* nodes, __m256i at, const float* rows,
                                                                    __m256i row_starts) noexcept {
  const __m256 threshold = _mm256_i32gather_ps(reinterpret_cast<const float*>(nodes), at, 8);
  const __m256i packed = _mm256_i32gather_epi32(nodes + 1, at, 8);
  const __m256i feature = _mm256_and_si256(packed, _mm256_set1_epi32(NarrowNode::kFeatureMask));
  const __m256 x = _mm256_i32gather_ps(rows, _mm256_add_epi32(row_starts, feature), 4);
  // Bit 15 of the node, moved to the sign: where NaN goes.
  const __m256 nan_right = _mm256_castsi256_ps(_mm256_srai_epi32(_mm256_slli_epi32(packed, 16), 31));
  const __m256 unordered = _mm256_and_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q), nan_right);
  const __m256 right = _mm256_or_ps(_mm256_cmp_ps(x, threshold, _CMP_GE_OQ), unordered);
  const __m256i stepped = _mm256_add_epi32(at, _mm256_srli_epi32(packed, 16));
  return _mm256_sub_epi32(stepped, _mm256_castps_si256(right));  // true is -1
}

__attribute__((target("avx2"), always_inline)) inline void add8(const float* values, __m256i at, float* sums) noexcept {
  _mm256_storeu_ps(sums, _mm256_add_ps(_mm256_loadu_ps(sums), _mm256_i32gather_ps(values, at, 4)));
}

__attribute__((target("avx2"), always_inline)) inline void add8(const double* values, __m256i at,
                                                                double* sums) noexcept {
  const __m256d low = _mm256_i32gather_pd(values, _mm256_castsi256_si128(at), 8);
  const __m256d high = _mm256_i32gather_pd(values, _mm256_extracti128_si256(at, 1), 8);
  _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
  _mm256_storeu_pd(sums + 4, _mm256_add_pd(_mm256_loadu_pd(sums + 4), high));
}

template <std::size_t kGroups, typename Sum>
__attribute__((target("avx2"))) void add_trees(const TreeEnsemble::Layout& layout, const Sum* values, const float* rows,
                                               Sum* sums) noexcept {
  const auto features = static_cast<int>(layout.features);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i row_starts = _mm256_mullo_epi32(lanes, _mm256_set1_epi32(features));
  const std::size_t stride = kLanes * layout.features;
  for (const auto& tree : layout.trees) {
    const int* nodes = reinterpret_cast<const int*>(layout.narrow.data() + tree.root);
    __m256i at[kGroups];
    for (auto& group : at) group = _mm256_setzero_si256();
    for (std::uint32_t depth = tree.depth; depth > 0; --depth) {
      const auto* group_rows = rows;
      __m256i moved = _mm256_setzero_si256();
#pragma GCC unroll 4
      for (auto& group : at) {
        const __m256i next = step8(nodes, group, group_rows, row_starts);
        moved = _mm256_or_si256(moved, _mm256_xor_si256(next, group));
        group = next;
        group_rows += stride;
      }
      if (_mm256_testz_si256(moved, moved) != 0) break;
    }
    Sum* tree_sums = sums + tree.output * kGroups * kLanes;
#pragma GCC unroll 4
    for (std::size_t g = 0; g < kGroups; ++g) add8(values + tree.root, at[g], tree_sums + g * kLanes);
  }
}

template <typename Sum>
void add_groups(const TreeEnsemble::Layout& layout, const Sum* values, const float* rows, std::size_t groups,
                Sum* sums) noexcept {
  switch (groups) {
    case 1: return add_trees<1>(layout, values, rows, sums);
    case 2: return add_trees<2>(layout, values, rows, sums);
    case 3: return add_trees<3>(layout, values, rows, sums);
    default: return add_trees<4>(layout, values, rows, sums);
  }
}

}  // namespace

bool have_avx2() noexcept {
  static const bool found = __builtin_cpu_supports("avx2") != 0;
  return found;
}

void add_trees_avx2(const TreeEnsemble::Layout& layout, const float* rows, std::size_t groups, float* sums) noexcept {
  add_groups(layout, layout.floats.data(), rows, groups, sums);
}

void add_trees_avx2(const TreeEnsemble::Layout& layout, const float* rows, std::size_t groups, double* sums) noexcept {
  add_groups(layout, layout.doubles.data(), rows, groups, sums);
}

#else

bool have_avx2() noexcept { return false; }
void add_trees_avx2(const TreeEnsemble::Layout&, const float*, std::size_t, float*) noexcept {}
void add_trees_avx2(const TreeEnsemble::Layout&, const float*, std::size_t, double*) noexcept {}

#endif

}  // namespace protean
