// SPDX-License-Identifier: MIT
// Purpose: runs a test's body with the vectors of this processor and without them.
#pragma once

#include <doctest/doctest.h>

#include <engagehub/ranking/block_search.hpp>

namespace engagehub_tests {

template <class Body>
void on_both_paths(Body&& body) {
    for (const bool plain : {false, true}) {
        engagehub::block_search::force_plain(plain);
        CAPTURE(engagehub::block_search::name_of(engagehub::block_search::path()));
        body();
    }
    engagehub::block_search::force_plain(false);
}

}  // namespace engagehub_tests
