// SPDX-License-Identifier: Apache-2.0
// Operations, outcomes and responses as the text of *.case files.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "core/http.h"
#include "core/operation.h"

namespace protean::conformance {

/// One line for most: `server live`, `watch ready`, `model ready iris/3`, `models ready only`, `load iris`,
/// `immediate`, `history MODEL before ID count N`, `change aliases` with one line `MODEL ALIAS VERSION` for each
/// change; who asked stands behind ` by `, where it is known. An inference is `infer MODEL[/VERSION] [id "ID"]` with
/// one line for each parameter, input (`input x FP32 [1,2] 1.5 2`, with ` null POSITIONS` and ` untyped` where that is
/// so) and requested output; parameters of tensors stand indented behind them. FP16 and BF16 are shown as hexadecimal
/// bits.
[[nodiscard]] std::string format_operation(const Operation& operation);

/// `signature none` is no signature; else `signature [FUNCTION [METHOD]]` and lines as of a `model` (see below), those
/// of inputs with `optional` behind the shape where that is so, `[?]` being any rank.  Throws std::runtime_error.
[[nodiscard]] std::shared_ptr<const Signature> parse_signature(const std::string& section);

/// `true`, `false`, `done`, or lines of one kind:
///   result MODEL VERSION [ID], then `output NAME TYPE SHAPE DATA` with DATA in JSON or `hex 01 ff` as the bytes,
///     each followed by `parameter NAME JSON` lines; such lines before the first output belong to the result
///   model NAME VERSION,VERSION PLATFORM, then `input NAME TYPE SHAPE` and `output NAME TYPE SHAPE`
///     and `column NAME TYPE NULLABLE [CATEGORY,CATEGORY]`
///   explanation MODEL VERSION METHOD SCALE ERROR [ID], then `features A,B`, `output NAME BASE`, `row TOTAL VALUE...`
///   server [NAME VERSION EXTENSION,EXTENSION]
///   versions, then `version MODEL VERSION STATE REASON` with `-` for an empty VERSION; REASON may start with `error
///   CODE` results, then results with `next` between them aliases, then `alias MODEL ALIAS VERSION` history, then
///   `record ID MILLISECONDS ACTOR ACTION MODEL OUTCOME DETAIL` error CODE MESSAGE, or error CODE reason=REASON MESSAGE
/// Throws std::runtime_error.
[[nodiscard]] std::variant<Outcome, Error> parse_outcome(const std::string& section);

/// `200 application/json` (the type is left out for JSON), other headers, an empty line and the body; for gRPC the
/// message in text format or `CODE message`.
[[nodiscard]] std::string format_response(const RequestHead& head, const Response& response);

}  // namespace protean::conformance
