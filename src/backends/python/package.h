// SPDX-License-Identifier: Apache-2.0
// The worker's Python package, carried inside the program, so that it is there wherever the program is and fits it.
#pragma once

#include <string_view>

namespace protean::python {

/// Each file's name, its size, each on a line, and its bytes; bootstrap.py first. Lives for ever.
[[nodiscard]] std::string_view worker_bundle() noexcept;

/// What `python -c` runs: it reads the first file of the bundle and hands it the rest.
inline constexpr std::string_view kStartCode =
    "import os;f=os.fdopen(4,'rb');f.readline();"
    "c=compile(f.read(int(f.readline())),'<protean_worker>/bootstrap.py','exec');"
    "n={'__name__':'protean_bootstrap'};exec(c,n);n['start'](f,3)";

}  // namespace protean::python
