// SPDX-License-Identifier: Apache-2.0
// What the control listener answers: the live report, the figures, and the one thing that can be changed, the weight.
#pragma once

#include "core/http.h"
#include "migrate/migration.h"

namespace protean::migrate {

/// GET `/` (HTML), GET `/status` (JSON), PUT `/weight` with `{"to": 0.25}` (JSON of the new weight).
/// POST `/report`: the report's files are written soon (202).  Requests that a web page makes (they carry `origin`) may
/// not change anything.  Thread-safe.
[[nodiscard]] Response answer_control(Migration& migration, const RequestHead& head, const Slice& body);

/// The weight in such a body.  Errors: kInvalidArgument.
[[nodiscard]] Result<double> parse_weight(std::string_view json);

}  // namespace protean::migrate
