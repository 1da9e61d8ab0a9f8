// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include <engagehub/base/simd.hpp>
#include <engagehub/ranking/block_search.hpp>

#include "tests/support/simd_paths.hpp"

namespace block_search = engagehub::block_search;
namespace simd = engagehub::simd;
using engagehub_tests::on_both_paths;

TEST_CASE("words below a value are counted the same by every path") {
    std::mt19937_64 random(3);
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
    for (int round = 0; round < 2'000; ++round) {
        std::vector<std::int64_t> words(64, block_search::kPad);
        const std::size_t count = random() % 65;
        for (std::size_t i = 0; i < count; ++i) {
            words[i] =
                round % 3 == 0 ? static_cast<std::int64_t>(random()) : static_cast<std::int64_t>(random() % 9) - 4;
            if (random() % 50 == 0) words[i] = random() % 2 == 0 ? kMost : kLeast;
        }
        std::sort(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
        for (int probe = 0; probe < 20; ++probe) {
            std::int64_t value = static_cast<std::int64_t>(random() % 11) - 5;
            if (probe == 0) value = kMost;
            if (probe == 1) value = kLeast;
            if (probe > 10 && count != 0) value = words[random() % count];
            const auto expected = static_cast<std::size_t>(
                std::lower_bound(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count), value) -
                words.begin());
            on_both_paths([&] { REQUIRE(block_search::count_below(words.data(), count, value) == expected); });
        }
    }
}

TEST_CASE("the plain path can be forced, by the environment too, and is left again") {
    const char* wanted = std::getenv("ENGAGEHUB_SIMD");
    const bool is_plain = wanted != nullptr && std::string_view(wanted) == "plain";
    const simd::Path before = is_plain ? simd::Path::kPlain : simd::best_path();
    CHECK(simd::path() == before);
    simd::force_plain(true);
    CHECK(simd::path() == simd::Path::kPlain);
    simd::force_plain(false);
    CHECK(simd::path() == before);
}
