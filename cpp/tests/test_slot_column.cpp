// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <utility>

#include <engagehub/base/slot_column.hpp>

using engagehub::SlotColumn;

TEST_CASE("a column keeps its values while it grows, and begins with zeros") {
    SlotColumn<std::uint64_t> column;
    CHECK(column.capacity() == 0);
    column.prefetch(0);
    for (std::uint32_t slot = 0; slot < 5'000; ++slot) {
        column.ensure(slot);
        REQUIRE(column[slot] == 0);
        column[slot] = slot * 7ULL;
    }
    for (std::uint32_t slot = 0; slot < 5'000; ++slot) REQUIRE(column[slot] == slot * 7ULL);
    CHECK(column.capacity() < 5'000 + 1'024);
    column.ensure(20'000);  // over several chunks at once
    CHECK(column[20'000] == 0);
    CHECK(column[4'999] == 4'999 * 7);
}

TEST_CASE("a column of few values is small") {
    SlotColumn<std::uint64_t> column;
    column.ensure(0);
    CHECK(column.capacity() == 4);
    column.ensure(4);
    CHECK(column.capacity() == 8);
}

TEST_CASE("columns are copied, moved, swapped and cleared") {
    for (const std::uint32_t size : {0U, 3U, 1'024U, 1'025U, 3'000U}) {
        CAPTURE(size);
        SlotColumn<std::uint32_t> column;
        for (std::uint32_t slot = 0; slot < size; ++slot) {
            column.ensure(slot);
            column[slot] = slot + 1;
        }
        SlotColumn<std::uint32_t> copy(column);
        if (size != 0) column[size - 1] = 0;
        for (std::uint32_t slot = 0; slot < size; ++slot) REQUIRE(copy[slot] == slot + 1);
        SlotColumn<std::uint32_t> moved(std::move(copy));
        CHECK(copy.capacity() == 0);
        copy.ensure(0);
        copy[0] = 99;
        std::swap(copy, moved);
        CHECK(moved[0] == 99);
        for (std::uint32_t slot = 0; slot < size; ++slot) REQUIRE(copy[slot] == slot + 1);
        copy.clear();
        CHECK(copy.capacity() == 0);
    }
}
