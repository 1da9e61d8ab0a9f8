// SPDX-License-Identifier: MIT
// Purpose: a check for bodies that run as unit tests and as fuzz targets, where doctest isn't there.
// Failure: throws std::logic_error.
#pragma once

#include <stdexcept>

namespace engagehub_tests {

inline void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

}  // namespace engagehub_tests
