// SPDX-License-Identifier: MIT
// The reader of leaderboards, from any bytes. Seeds are in cpp/fuzz/corpus/leaderboard_reader.
#include <cstddef>
#include <cstdint>

#include "tests/support/leaderboard_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    engagehub_tests::read_any_leaderboard(data, size);
    return 0;
}
