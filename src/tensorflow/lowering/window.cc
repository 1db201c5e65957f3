// SPDX-License-Identifier: Apache-2.0
// TensorFlow's SAME pads so that only the stride makes things smaller, the odd element behind.
#include "tensorflow/lowering/window.h"

#include <algorithm>
#include <numeric>

namespace protean {
namespace {

constexpr std::int64_t kExtentMax = std::int64_t{1} << 20U;

/// Entries of the dimensions of space out of a list of one for every dimension.
Result<std::vector<std::int64_t>> of_space(std::vector<std::int64_t> all, std::size_t rank, bool channels_last) {
  const auto space = rank - 2;
  if (all.empty()) all.assign(rank, 1);
  if (all.size() == 1 || all.size() == space) all.resize(space, all.front());
  if (all.size() == rank) {
    all.erase(channels_last ? all.end() - 1 : all.begin() + 1);
    if (all.front() != 1) return does_not_lower("a window over the batch");
    all.erase(all.begin());
  }
  const bool good = all.size() == space &&
                    std::all_of(all.begin(), all.end(), [](auto value) { return value > 0 && value < kExtentMax; });
  if (!good) return fail(Code::kInvalidArgument, "a window without " + std::to_string(space) + " positive sizes");
  return all;
}

}  // namespace

Result<Window> read_window(const Operation& op, std::size_t rank) {
  if (rank < 3)
    return fail(Code::kInvalidArgument, "a window over an input of " + std::to_string(rank) + " dimensions");
  Window window;
  const auto format = op.text("data_format", "NHWC");
  window.channels_last = !format.empty() && format.back() == 'C';
  TRY(window.strides, of_space(op.integers("strides"), rank, window.channels_last));
  TRY(window.dilations, of_space(op.integers("dilations"), rank, window.channels_last));
  const auto padding = op.text("padding", "VALID");
  window.same = padding == "SAME" || padding == "SAME_UPPER";
  window.pads.assign(2 * (rank - 2), 0);
  if (padding == "EXPLICIT") {
    const auto explicit_pads = op.integers("explicit_paddings");
    if (explicit_pads.size() != 2 * rank) return fail(Code::kInvalidArgument, "explicit paddings of another length");
    for (std::size_t i = 0; i + 2 < rank; ++i) {
      const auto axis = window.channels_last ? i + 1 : i + 2;
      window.pads[i] = explicit_pads[2 * axis];
      window.pads[rank - 2 + i] = explicit_pads[2 * axis + 1];
    }
  }
  return window;
}

Value to_channels_first(Build& build, const Value& x, const Window& window, std::size_t rank) {
  if (!window.channels_last) return x;
  std::vector<std::int64_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return build.transpose(x, order);
}

Value from_channels_first(Build& build, const Value& x, const Window& window, std::size_t rank) {
  if (!window.channels_last) return x;
  std::vector<std::int64_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return build.transpose(x, order);
}

Result<OnnxAttributes> window_attributes(const Window& window, const Value& x) {
  const auto space = window.strides.size();
  OnnxAttributes attributes{{"strides", window.strides}};
  const bool dilated =
      std::any_of(window.dilations.begin(), window.dilations.end(), [](auto value) { return value != 1; });
  if (dilated) attributes.push_back({"dilations", window.dilations});
  if (!window.same) {
    attributes.push_back({"pads", window.pads});
    return attributes;
  }
  if (!dilated) {
    attributes.push_back({"auto_pad", std::string("SAME_UPPER")});
    return attributes;
  }
  // Runtimes do not work the padding of dilated windows out.
  std::vector<std::int64_t> pads(2 * space);
  for (std::size_t i = 0; i < space; ++i) {
    const auto reach = (window.size[i] - 1) * window.dilations[i];
    auto total = reach;
    if (window.strides[i] != 1) {
      const auto in = x.dims.size(i + 2);
      if (in < 0) return does_not_lower("padding of a dilated window with strides over a free dimension");
      const auto out = (in + window.strides[i] - 1) / window.strides[i];
      total = std::max<std::int64_t>((out - 1) * window.strides[i] + reach + 1 - in, 0);
    }
    pads[i] = total / 2;
    pads[space + i] = total - total / 2;
  }
  attributes.push_back({"pads", pads});
  return attributes;
}

Dims window_dims(const Window& window, const Value& x, std::int64_t channels) {
  const auto space = window.strides.size();
  Shape sizes{x.dims.size(0), channels};
  for (std::size_t i = 0; i < space; ++i) {
    const auto in = x.dims.size(i + 2);
    const auto reach = (window.size[i] - 1) * window.dilations[i] + 1;
    const auto padded = in + window.pads[i] + window.pads[space + i];
    const auto valid = padded < reach ? 0 : (padded - reach) / window.strides[i] + 1;
    const auto same = (in + window.strides[i] - 1) / window.strides[i];
    sizes.push_back(in < 0 ? -1 : window.same ? same : valid);
  }
  return Dims::of(std::move(sizes));
}

Margins margins_of(Operation& op, std::size_t index) {
  if (const auto known = op.constant(index, "margins"); known && known->size() % 2 == 0) {
    std::vector<std::int64_t> before;
    std::vector<std::int64_t> after;
    for (std::size_t i = 0; i < known->size(); i += 2) {
      before.push_back((*known)[i]);
      after.push_back((*known)[i + 1]);
    }
    return {Build::integers(before), Build::integers(after)};
  }
  const auto wide = op.build().as_int64(op.in(index));
  return {op.build().gather(wide, Build::integer(0), 1), op.build().gather(wide, Build::integer(1), 1)};
}

}  // namespace protean
