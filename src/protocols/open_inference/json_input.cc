// SPDX-License-Identifier: Apache-2.0
// One element of `inputs`. `data` ahead of its shape or type needs a second look: its text is remembered and read when
// the input is complete.
#include "protocols/open_inference/json_input.h"

#include <array>

#include "protocols/open_inference/json_tensor.h"

namespace protean {
namespace {

namespace ondemand = simdjson::ondemand;

/// One element of `inputs`, put together member by member.
class InputReader {
 public:
  InputReader(Members& members, std::size_t index, InferInput& input)
      : members_(members), input_(input), place_{"inputs", index, {}} {}

  Status read(ondemand::object object, BinaryPart& binary) {
    static constexpr std::array<std::string_view, 5> kNames = {"name", "shape", "datatype", "data", "parameters"};
    TRY_STATUS(members_.each(object, kNames, place_, [&](std::size_t member, ondemand::value value) {
      return is_json_null(value) && member < kNames.size() ? members_.skip(value, 3) : this->member(member, value);
    }));
    return finish(binary);
  }

 private:
  enum : std::size_t { kName, kShape, kDatatype, kData, kParameters };

  Status member(std::size_t member, ondemand::value value) {
    switch (member) {
      case kName:
        TRY_STATUS(members_.string(value, input_.name, place_, "name"));
        place_.name = input_.name;
        return {};
      case kShape: has_shape_ = true; return members_.shape(value, input_.tensor.shape, place_);
      case kDatatype: return datatype(value);
      case kData: return data(value);
      case kParameters: return members_.parameters(value, input_.parameters, place_);
      default: return members_.skip(value, 3);
    }
  }

  Status datatype(ondemand::value value) {
    std::string name;
    TRY_STATUS(members_.string(value, name, place_, "datatype"));
    const auto type = parse_data_type(name);
    if (!type) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: unknown datatype '{}', expected BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, "
                              "FP32, FP64 or BYTES",
                              place_.text(), printable(name)));
    }
    input_.tensor.type = *type;
    has_type_ = true;
    return {};
  }

  Status data(ondemand::value value) {
    has_data_ = true;
    if (!has_shape_ || !has_type_) {
      if (const auto error = take_raw(value).get(later_)) return members_.text().malformed(error);
      return {};
    }
    const char* start = value.raw_json_token().data();
    const JsonText& text = members_.text();
    const auto left = text.text.size() - static_cast<std::size_t>(start - text.text.data());
    TRY(const JsonTensor tensor, target(left));
    TRY(input_.tensor.data, read_json_tensor(text, value, tensor));
    return {};
  }

  Result<JsonTensor> target(std::size_t bytes) {
    const std::size_t enclosing = 3;
    if (enclosing + input_.tensor.shape.size() > members_.text().depth_max) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: {} dimensions, expected fewer: JSON may be nested {} levels deep", place_.text(),
                              input_.tensor.shape.size(), members_.text().depth_max));
    }
    TRY(const std::size_t count, count_within(input_.tensor.shape, bytes, place_));
    return JsonTensor{input_.tensor.type, input_.tensor.shape, count, place_, &input_.nulls};
  }

  Status finish(BinaryPart& binary) {
    if (input_.name.empty()) return missing("name");
    if (!has_shape_) return missing("shape");
    if (!has_type_) return missing("datatype");
    const auto size = std::ranges::find(input_.parameters, "binary_data_size", &Parameters::value_type::first);
    const bool is_binary = size != input_.parameters.end();
    if (has_data_ && is_binary) {
      return fail(Code::kInvalidArgument, place_.text() + ": both 'data' and the parameter 'binary_data_size'");
    }
    if (is_binary) return take_binary(size, binary);
    if (!has_data_) {
      TRY_STATUS(check_region());
      return fail(Code::kInvalidArgument, place_.text() + ": neither 'data' nor the parameter 'binary_data_size'");
    }
    if (later_.empty()) return {};
    TRY(const JsonTensor tensor, target(later_.size()));
    TRY(input_.tensor.data, read_json_tensor(members_.text(), later_, tensor));
    return {};
  }

  Status check_region() const {
    if (find_parameter(input_.parameters, "shared_memory_region") == nullptr) return {};
    return fail(Code::kUnimplemented, place_.text() + ": the parameter 'shared_memory_region' is not supported");
  }

  Status take_binary(Parameters::iterator size, BinaryPart& binary) {
    const auto* wanted = std::get_if<std::int64_t>(&size->second);
    if (wanted == nullptr || *wanted < 0) {
      return fail(Code::kInvalidArgument,
                  place_.text() + ".parameters.binary_data_size: expected an integer of 0 or more");
    }
    const std::size_t left = binary.body.size() - binary.next;
    if (static_cast<std::uint64_t>(*wanted) > left) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: binary_data_size is {}, but {} bytes are left behind the JSON (the header "
                              "Inference-Header-Content-Length says where it ends)",
                              place_.text(), *wanted, left));
    }
    input_.tensor.data = binary.body.part(binary.next, static_cast<std::size_t>(*wanted));
    binary.next += static_cast<std::size_t>(*wanted);
    input_.parameters.erase(size);
    return check_data(input_.tensor, input_.name);
  }

  Status missing(std::string_view member) const {
    return fail(Code::kInvalidArgument, fmt::format("{}: missing '{}'", place_.text(), member));
  }

  Members& members_;
  InferInput& input_;
  Place place_;
  bool has_shape_ = false;
  bool has_type_ = false;
  bool has_data_ = false;
  std::string_view later_;  // `data` that came before shape or type
};

}  // namespace

Status read_json_input(Members& members, ondemand::object object, const InputPlace& place, BinaryPart& binary) {
  return InputReader(members, place.index, place.input).read(object, binary);
}

}  // namespace protean
