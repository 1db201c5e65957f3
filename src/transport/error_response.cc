// SPDX-License-Identifier: Apache-2.0
// One shape for all answers that transports make themselves.
#include "transport/error_response.h"

#include <string>

#include "base/text.h"

namespace protean {

Response error_response(int status, std::string_view message) {
  std::string body = "{\"error\":";
  append_json_string(body, message);
  body += '}';
  return make_response(status, "application/json", Slice::of(std::move(body)));
}

}  // namespace protean
