// SPDX-License-Identifier: Apache-2.0
// Admin requests: the first line is METHOD PATH[?QUERY], the rest the body. Nothing crashes, every refusal has a
// message and an answer, and accepted changes are within their bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "protocols/admin/json_value.h"
#include "protocols/admin/protocol.h"
#include "protocols/admin/requests.h"

namespace {

using namespace protean;

RequestHead head_of(std::string_view line) {
  RequestHead head;
  const auto space = std::min(line.find(' '), line.size());
  head.method = line.substr(0, space);
  const std::string_view target = line.substr(std::min(space + 1, line.size()));
  const auto mark = std::min(target.find('?'), target.size());
  head.path = target.substr(0, mark);
  head.query = target.substr(std::min(mark + 1, target.size()));
  head.headers.add("x-protean-actor", line.substr(0, 70));
  head.peer = "127.0.0.1:1";
  return head;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kAdmin = make_admin();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(text.find('\n'), text.size());
  const RequestHead head = head_of(text.substr(0, end));
  const Slice body = Slice::of(std::string(text.substr(std::min(end + 1, text.size()))));
  const RequestView view{head, body};
  const auto operation = kAdmin->decode(view);
  if (!operation) {
    PROTEAN_CHECK(!operation.error().message.empty());
    const auto answer = kAdmin->encode_error(view, operation.error());
    PROTEAN_CHECK(answer.status >= 400 && parse_admin_json(answer.body.at(0).text()));
    return 0;
  }
  if (const auto* change = std::get_if<ChangeAliases>(&*operation)) {
    PROTEAN_CHECK(!change->changes.empty() && change->changes.size() <= kAliasChangesMax);
    for (const auto& one : change->changes) PROTEAN_CHECK(check_alias_name(one.alias));
    const auto answer = kAdmin->encode(view, *operation, std::monostate());
    PROTEAN_CHECK(answer &&
                  (answer->body.at(0).size() > kAdminBytesMax || parse_admin_json(answer->body.at(0).text())));
  }
  return 0;
}
