// SPDX-License-Identifier: MIT
// A stream of operations on a leaderboard beside a model. Seeds are in cpp/fuzz/corpus/leaderboard_operations.
#include <cstddef>
#include <cstdint>

#include "tests/support/leaderboard_operations.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    engagehub_tests::operate_on_board(data, size);
    return 0;
}
