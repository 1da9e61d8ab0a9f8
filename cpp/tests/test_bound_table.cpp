// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>

#include <engagehub/sketch/bound_table.hpp>

using engagehub::BoundTable;

TEST_CASE("a cell rounds up, by at most 2^-36, and keeps whole numbers up to 2^37 and the order") {
    const auto rounded = [](double bound) { return BoundTable::value_of(BoundTable::bits_of(bound)); };
    std::mt19937_64 random(1);
    double last = 0.0;
    for (int i = 0; i < 100'000; ++i) {
        const double bound =
            std::ldexp(static_cast<double>(random() >> 11U), static_cast<int>(random() % 1'600) - 1'074);
        const double cell = rounded(bound);
        REQUIRE(cell >= bound);
        if (bound >= DBL_MIN) REQUIRE(cell <= bound * (1.0 + 0x1p-36));
        REQUIRE(rounded(cell) == cell);
        REQUIRE((BoundTable::bits_of(bound) < BoundTable::bits_of(last)) == (cell < rounded(last)));
        const auto whole = static_cast<double>(random() >> 27U);
        REQUIRE(rounded(whole) == whole);
        last = bound;
    }
    CHECK(rounded(0.0) == 0.0);
    CHECK(rounded(DBL_MIN) == DBL_MIN);
    CHECK(rounded(0x1p37 + 1.0) == 0x1p37 + 2.0);
    CHECK(rounded(0x1p700) == 0x1p700);
}

TEST_CASE("a table's bounds are never below what was raised, and exact for one that shares no cell") {
    BoundTable table({40, 3});
    std::mt19937_64 random(2);
    std::map<std::uint64_t, double> bounds;
    BoundTable::Columns columns;
    for (int i = 0; i < 500; ++i) {
        const std::uint64_t hash = random() % 60;
        const auto bound = static_cast<double>(random() % 1'000);
        table.locate(hash, columns);
        table.raise(columns, bound);
        bounds[hash] = std::max(bounds[hash], bound);
        for (const auto& [other, least] : bounds) {
            table.locate(other, columns);
            REQUIRE(table.least(columns) >= least);
        }
    }
    BoundTable empty({40, 3});
    empty.locate(7, columns);
    CHECK(empty.least(columns) == 0.0);
    empty.raise(columns, 5.5);
    CHECK(empty.least(columns) == 5.5);
    empty.raise(columns, 4.0);
    CHECK(empty.least(columns) == 5.5);
    CHECK(empty.level(columns) == 0.0);
}

TEST_CASE("a table's level is the mean bound of four strangers, around the end of a row too") {
    BoundTable table({6, 2});
    for (std::size_t i = 0; i < 12; ++i) table.store(i, BoundTable::bits_of(static_cast<double>(i < 6 ? i : 100 + i)));
    BoundTable::Columns columns;
    columns[0] = 0;
    columns[1] = 3;
    CHECK(table.level(columns) == 2.5);  // columns 1 to 4 of the first row
    columns[0] = 4;
    CHECK(table.level(columns) == 2.0);  // 5, 0, 1, 2
    BoundTable narrow({1, 1});
    columns[0] = 0;
    narrow.raise(columns, 3.0);
    CHECK(narrow.level(columns) == 3.0);
}
