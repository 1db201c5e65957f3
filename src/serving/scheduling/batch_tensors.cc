// SPDX-License-Identifier: Apache-2.0
// One pass over the pieces an input, one pass over the pieces an output.
#include "serving/scheduling/batch_tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked_math.h"
#include "serving/loaded_version.h"
#include "serving/scheduling/request_group.h"
#include "serving/scheduling/tensor_rows.h"

namespace protean {
namespace {

constexpr std::size_t kAssembledBytesMax = std::size_t{1} << 30;

const BatchConfig& config_of_batch(const Batch& batch) { return config_of(*batch.version).batch; }

const Tensor* input_of(const Piece& piece, std::size_t i) { return piece.call->ticket.checked.inputs[i]; }

/// The shape of input `i` in this run: all rows, and each other dimension as large as the largest among the requests
/// or its bucket.
Shape run_shape(const Batch& batch, std::size_t i) {
  const BatchConfig& config = config_of_batch(batch);
  const TensorSpec& spec = batch.version->signature->inputs[i];
  Shape shape = input_of(batch.pieces.front(), i)->shape;
  if (shape.empty()) return shape;
  shape.front() = static_cast<std::int64_t>(batch.rows_run);
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    for (const Piece& piece : batch.pieces) shape[axis] = std::max(shape[axis], input_of(piece, i)->shape[axis]);
    const bool free = axis < spec.shape.size() && spec.shape[axis] < 0;
    if (config.pad_dims && free) shape[axis] = bucket_size(shape[axis], config);
  }
  return shape;
}

/// Appends input `i` of all pieces.
ByteRange append_input(Buffer& out, const Batch& batch, std::size_t i, const Shape& shape) {
  const std::size_t unaligned = out.size() % kBufferAlignment;
  if (unaligned != 0) out.resize(out.size() + kBufferAlignment - unaligned);
  const std::size_t start = out.size();
  for (const Piece& piece : batch.pieces) {
    const Tensor& tensor = *input_of(piece, i);
    RowFinder finder(tensor);
    if (piece.row_begin > 0) (void)finder.next(piece.row_begin);
    append_padded_rows(out, tensor, finder.next(piece.rows), piece.rows, shape);
  }
  if (batch.rows_run > batch.rows) {
    const Piece& last = batch.pieces.back();
    const Tensor& tensor = *input_of(last, i);
    RowFinder finder(tensor);
    if (last.row_begin + last.rows > 1) (void)finder.next(last.row_begin + last.rows - 1);
    const ByteRange row = finder.next(1);
    for (std::uint64_t n = batch.rows; n < batch.rows_run; ++n) append_padded_rows(out, tensor, row, 1, shape);
  }
  return {start, out.size() - start};
}

/// Bytes to reserve, with the check that padding stays within bounds.
Result<std::size_t> assembled_bytes(const Batch& batch, const AssembledInputs& inputs) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < inputs.tensors.size(); ++i) {
    const Piece& first = batch.pieces.front();
    if (input_of(first, i) == nullptr) continue;
    std::size_t bytes = 0;
    if (inputs.tensors[i].type == DataType::kBytes) {
      for (const Piece& piece : batch.pieces) bytes += input_of(piece, i)->data.size();
      const auto count = element_count(inputs.tensors[i].shape);
      const std::size_t padding = count ? std::min(*count, kAssembledBytesMax) : kAssembledBytesMax;
      bytes += padding * sizeof(std::uint32_t);
    } else {
      const auto size = byte_count(inputs.tensors[i].type, inputs.tensors[i].shape);
      bytes = size ? *size : kAssembledBytesMax + 1;
    }
    const auto sum = checked_add(total, bytes + kBufferAlignment);
    // What the requests themselves brought is never too large, only what padding makes of it.
    if (!sum || (*sum > kAssembledBytesMax && config_of_batch(batch).pad_dims)) {
      return fail(
          Code::kResourceExhausted,
          fmt::format("input '{}': padding to {} takes more than 1 GiB ({})", batch.version->signature->inputs[i].name,
                      format_shape(inputs.tensors[i].shape), label_of(*batch.version)));
    }
    total = *sum;
  }
  return total;
}

/// The dimension that an output has for this piece: the request's own where the run padded it.
std::int64_t own_size(const Piece& piece, const AssembledInputs& inputs, std::size_t axis, std::int64_t size) {
  std::int64_t elsewhere = size;
  for (std::size_t i = 0; i < inputs.tensors.size(); ++i) {
    const Tensor* own = input_of(piece, i);
    if (own == nullptr) continue;
    const Shape& run = inputs.tensors[i].shape;
    for (std::size_t at = 1; at < run.size(); ++at) {
      if (run[at] != size || own->shape[at] == size) continue;
      if (at == axis) return own->shape[at];
      if (elsewhere == size) elsewhere = own->shape[at];
    }
  }
  return elsewhere;
}

Tensor take_piece(const Piece& piece, const AssembledInputs& inputs, const TensorSpec& spec, Tensor rows) {
  Shape shape = rows.shape;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    const bool fixed = axis < spec.shape.size() && spec.shape[axis] >= 0;
    if (!fixed) shape[axis] = own_size(piece, inputs, axis, shape[axis]);
  }
  return shape == rows.shape ? std::move(rows) : cut_to(rows, shape);
}

}  // namespace

bool runs_as_it_is(const Batch& batch) {
  const Piece& only = batch.pieces.front();
  const CheckedRequest& checked = only.call->ticket.checked;
  if (batch.pieces.size() > 1 || only.rows != checked.rows || batch.rows_run != batch.rows) return false;
  if (!config_of_batch(batch).pad_dims || only.call->ticket.group == 0) return true;
  for (std::size_t i = 0; i < checked.inputs.size(); ++i) {
    if (checked.inputs[i] != nullptr && run_shape(batch, i) != checked.inputs[i]->shape) return false;
  }
  return true;
}

Result<AssembledInputs> assemble_inputs(const Batch& batch) {
  AssembledInputs inputs;
  const Piece& first = batch.pieces.front();
  const std::size_t count = first.call->ticket.checked.inputs.size();
  inputs.tensors.resize(count);
  inputs.pointers.resize(count, nullptr);
  bool padded = batch.rows_run != batch.rows;
  for (std::size_t i = 0; i < count; ++i) {
    if (input_of(first, i) == nullptr) continue;
    inputs.tensors[i].type = input_of(first, i)->type;
    inputs.tensors[i].shape = run_shape(batch, i);
    inputs.pointers[i] = &inputs.tensors[i];
    const Shape& own = input_of(first, i)->shape;
    padded = padded || !std::equal(own.begin() + 1, own.end(), inputs.tensors[i].shape.begin() + 1);
  }
  if (batch.pieces.size() == 1 && !padded) {
    for (std::size_t i = 0; i < count; ++i) {
      if (inputs.pointers[i] != nullptr)
        inputs.tensors[i] = view_rows(*input_of(first, i), first.row_begin, first.rows);
    }
    return inputs;
  }
  TRY(const std::size_t bytes, assembled_bytes(batch, inputs));
  Buffer out;
  out.reserve(bytes);
  std::vector<ByteRange> ranges(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (inputs.pointers[i] != nullptr) ranges[i] = append_input(out, batch, i, inputs.tensors[i].shape);
  }
  const Slice all = std::move(out).share();
  for (std::size_t i = 0; i < count; ++i) {
    if (inputs.pointers[i] != nullptr) inputs.tensors[i].data = all.part(ranges[i].offset, ranges[i].count);
  }
  return inputs;
}

Result<std::vector<PieceResult>> split_outputs(const Batch& batch, const AssembledInputs& inputs,
                                               std::vector<Tensor> outputs) {
  std::vector<PieceResult> results;
  results.reserve(batch.pieces.size());
  for (std::size_t i = 0; i < batch.pieces.size(); ++i) results.emplace_back(std::vector<Tensor>());
  const auto& chosen = batch.pieces.front().call->ticket.checked.outputs;
  const bool padded = config_of_batch(batch).pad_dims;
  for (std::size_t n = 0; n < outputs.size(); ++n) {
    const Tensor& output = outputs[n];
    const TensorSpec& spec = batch.version->signature->outputs[chosen[n]];
    if (output.shape.empty() || static_cast<std::uint64_t>(output.shape.front()) != batch.rows_run) {
      return fail(Code::kInternal,
                  fmt::format("output '{}': shape {}, expected {} rows, one for each of the run's ({})", spec.name,
                              format_shape(output.shape), batch.rows_run, label_of(*batch.version)));
    }
    RowFinder finder(output);
    for (std::size_t i = 0; i < batch.pieces.size(); ++i) {
      const Piece& piece = batch.pieces[i];
      const ByteRange range = finder.next(piece.rows);
      Tensor rows{output.type, output.shape, output.data.part(range.offset, range.count)};
      rows.shape.front() = static_cast<std::int64_t>(piece.rows);
      results[i]->push_back(padded ? take_piece(piece, inputs, spec, std::move(rows)) : std::move(rows));
    }
  }
  return results;
}

PieceResult join_parts(const std::vector<std::vector<Tensor>>& parts, const LoadedVersion& version) {
  std::vector<Tensor> joined;
  for (std::size_t n = 0; n < parts.front().size(); ++n) {
    Tensor whole{parts.front()[n].type, parts.front()[n].shape, {}};
    std::size_t bytes = 0;
    whole.shape.front() = 0;
    for (const auto& part : parts) {
      const Tensor& tensor = part[n];
      if (!std::equal(tensor.shape.begin() + 1, tensor.shape.end(), whole.shape.begin() + 1, whole.shape.end())) {
        return fail(Code::kInternal,
                    fmt::format("an output has shape {} in one piece of a split request, expected {} ({})",
                                format_shape(tensor.shape), format_shape(whole.shape), label_of(version)));
      }
      whole.shape.front() += tensor.shape.front();
      bytes += tensor.data.size();
    }
    Buffer out;
    out.reserve(bytes);
    for (const auto& part : parts) out.append(part[n].data.bytes);
    whole.data = std::move(out).share();
    joined.push_back(std::move(whole));
  }
  return joined;
}

}  // namespace protean
