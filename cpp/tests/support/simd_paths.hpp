// SPDX-License-Identifier: MIT
// Purpose: runs a test's body with the vectors of this processor and without them.
#pragma once

#include <doctest/doctest.h>

#include <engagehub/base/simd.hpp>

namespace engagehub_tests {

template <class Body>
void on_both_paths(Body&& body) {
    for (const bool plain : {false, true}) {
        engagehub::simd::force_plain(plain);
        CAPTURE(engagehub::simd::name_of(engagehub::simd::path()));
        body();
    }
    engagehub::simd::force_plain(false);
}

}  // namespace engagehub_tests
