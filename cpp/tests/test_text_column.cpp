// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/base/text_column.hpp>

using engagehub::TextColumn;

namespace {

std::string text_of(std::size_t length) {
    std::string text(length, '\0');  // zero bytes are text as any other
    for (std::size_t i = 1; i < length; i += 2) text[i] = static_cast<char>('a' + i % 26);
    return text;
}

}  // namespace

TEST_CASE("a column gives back texts of every length, at the borders of what lies inside too") {
    TextColumn column;
    const std::vector<std::size_t> lengths{0, 1, 7, 8, 15, 16, 22, 23, 24, 25, 127, 128, 255, 256, 65'536};
    for (std::uint32_t slot = 0; slot < lengths.size(); ++slot) column.set(slot, text_of(lengths[slot]));
    for (std::uint32_t slot = 0; slot < lengths.size(); ++slot) CHECK(column[slot] == text_of(lengths[slot]));
    CHECK(column.size() == lengths.size());
}

TEST_CASE("a column agrees with a vector of strings while slots are released and set again") {
    std::mt19937_64 random(41);
    TextColumn column;
    std::vector<std::string> model;
    for (int i = 0; i < 20'000; ++i) {
        const std::string text = text_of(random() % 40);
        if (model.size() < 50 || random() % 40 == 0) {
            column.set(static_cast<std::uint32_t>(model.size()), text);
            model.push_back(text);
        } else {
            const auto slot = static_cast<std::uint32_t>(random() % model.size());
            column.release(slot);
            REQUIRE(column[slot].empty());
            column.set_spare(slot, 0xfffffffeU);
            REQUIRE(column.spare(slot) == 0xfffffffeU);
            REQUIRE(column[slot].empty());
            column.set(slot, text);
            model[slot] = text;
        }
        const auto probe = static_cast<std::uint32_t>(random() % model.size());
        REQUIRE(column[probe] == model[probe]);
    }
}

TEST_CASE("text columns are copied, what released slots have to spare too, and moved") {
    TextColumn column;
    for (std::uint32_t slot = 0; slot < 40; ++slot) column.set(slot, text_of(slot));
    column.release(20);
    column.set_spare(20, 7);
    TextColumn copy(column);
    column.release(30);
    CHECK(copy[30] == text_of(30));
    CHECK(copy.spare(20) == 7);
    TextColumn moved(std::move(copy));
    CHECK(copy.size() == 0);
    CHECK(moved[39] == text_of(39));
    copy = moved;
    moved = TextColumn();
    CHECK(copy[15] == text_of(15));
}
