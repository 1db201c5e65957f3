// SPDX-License-Identifier: Apache-2.0
// Rules shared by the two decoders, and the table of statuses.
#include "protocols/open_inference/limits.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace protean {

std::string Place::text(std::string_view member) const {
  std::string out;
  if (!list.empty()) out = fmt::format("{}[{}]", list, index);
  if (!name.empty()) out += fmt::format(" '{}'", printable(name));
  if (!out.empty() && !member.empty()) out += '.';
  return out.append(member);
}

Status check_supported(const InferRequest& request) {
  constexpr std::array<std::string_view, 2> kRefused = {"shared_memory_region", "classification"};
  for (const std::string_view name : kRefused) {
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      if (find_parameter(request.inputs[i].parameters, name) == nullptr) continue;
      return fail(Code::kUnimplemented, fmt::format("{}: the parameter '{}' is not supported",
                                                    (Place{"inputs", i, request.inputs[i].name}.text()), name));
    }
    for (std::size_t i = 0; i < request.outputs.size(); ++i) {
      if (find_parameter(request.outputs[i].parameters, name) == nullptr) continue;
      return fail(Code::kUnimplemented, fmt::format("{}: the parameter '{}' is not supported",
                                                    (Place{"outputs", i, request.outputs[i].name}.text()), name));
    }
  }
  return {};
}

Status check_repository_parameter(std::string_view name) {
  if (name == "unload_dependents") return {};
  return fail(Code::kUnimplemented,
              fmt::format("parameter '{}' is not supported: models are loaded as their files say", printable(name)));
}

Result<std::size_t> count_within(const Shape& shape, std::size_t bytes, const Place& place) {
  auto count = element_count(shape);
  if (!count) {
    return fail(count.error().code, fmt::format("{}: {}", place.text(), count.error().message), count.error().where);
  }
  if (*count > bytes) {
    return fail(Code::kInvalidArgument, fmt::format("{}: shape {} has {} elements, more than fit in {} bytes of data",
                                                    place.text(), format_shape(shape), *count, bytes));
  }
  return *count;
}

int http_status(Code code) noexcept {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition:
    case Code::kOutOfRange: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kAborted: return 409;
    case Code::kResourceExhausted: return 429;
    case Code::kCancelled: return 499;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss: return 500;
  }
  return 500;
}

}  // namespace protean
