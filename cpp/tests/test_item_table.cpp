// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

#include <engagehub/base/item_table.hpp>
#include <engagehub/codec/siphash.hpp>

using engagehub::InvalidType;
using engagehub::ItemTable;
using engagehub::ItemView;

TEST_CASE("an item table agrees with a map under random insertions and erasures") {
    std::mt19937_64 random(11);
    ItemTable table;
    std::map<std::int64_t, ItemTable::Slot> model;
    for (int i = 0; i < 200'000; ++i) {
        const auto key = static_cast<std::int64_t>(random() % 700) - 350;
        if (random() % 3 != 0) {
            const auto [slot, is_new] = table.insert(ItemView::of(key));
            const auto known = model.find(key);
            REQUIRE(is_new == (known == model.end()));
            if (!is_new) REQUIRE(slot == known->second);
            model[key] = slot;
        } else if (const auto known = model.find(key); known != model.end()) {
            table.erase(known->second);
            model.erase(known);
        }
        REQUIRE(table.size() == model.size());
        const auto probe = static_cast<std::int64_t>(random() % 700) - 350;
        const auto found = table.find(ItemView::of(probe));
        REQUIRE(found.has_value() == (model.count(probe) != 0));
    }
    for (const auto& [key, slot] : model) {
        CHECK(table.find(ItemView::of(key)) == slot);
        CHECK(table[slot] == ItemView::of(key));
    }
    CHECK(table.slots() <= 700);
}

TEST_CASE("an item table tells texts apart, the empty one and ones with zero bytes too") {
    ItemTable table;
    const std::string zero("a\0b", 3);
    const auto empty = table.insert(ItemView::of(std::string_view(""))).first;
    const auto with_zero = table.insert(ItemView::of(std::string_view(zero))).first;
    const auto plain = table.insert(ItemView::of(std::string_view("a"))).first;
    CHECK(empty != with_zero);
    CHECK(with_zero != plain);
    CHECK(table[with_zero].text == zero);
}

TEST_CASE("an item table refuses the other kind and keeps what it has") {
    ItemTable table;
    table.insert(ItemView::of(std::string_view("ada")));
    CHECK_THROWS_AS(table.insert(ItemView::of(7)), InvalidType);
    CHECK(table.size() == 1);
    CHECK_FALSE(table.find(ItemView::of(7)).has_value());
    table.clear();
    CHECK(table.insert(ItemView::of(7)).second);
}

TEST_CASE("siphash gives the published value of SipHash-2-4 (its paper, appendix A)") {
    unsigned char input[15];
    for (unsigned i = 0; i < sizeof input; ++i) input[i] = static_cast<unsigned char>(i);
    const engagehub::SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    CHECK(engagehub::siphash<2, 4>(key, input, sizeof input) == 0xa129ca6149be45e5ULL);
    CHECK(engagehub::siphash<1, 3>(key, input, sizeof input) != engagehub::siphash<1, 3>({1, 2}, input, sizeof input));
}
