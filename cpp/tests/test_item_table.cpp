// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

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

TEST_CASE("an item table keeps items apart whose cells fall together, while it grows and shifts back") {
    // A table filled to four fifths has long runs of cells, some of them over its end.
    std::mt19937_64 random(12);
    for (const bool has_texts : {false, true}) {
        CAPTURE(has_texts);
        ItemTable table;
        std::unordered_map<std::int64_t, ItemTable::Slot> model;
        std::string text;
        const auto item = [&](std::int64_t number) {
            if (!has_texts) return ItemView::of(number);
            text = std::string(static_cast<std::size_t>(number % 18), 'x') + std::to_string(number);
            return ItemView::of(std::string_view(text));
        };
        for (int i = 0; i < 60'000; ++i) {
            const auto number = static_cast<std::int64_t>(random() % (i < 20'000 ? 60 : 900));
            const auto known = model.find(number);
            if (random() % 5 < (i / 5'000 % 2 == 0 ? 3U : 2U)) {
                const auto [slot, is_new] = table.insert(item(number));
                REQUIRE(is_new == (known == model.end()));
                if (!is_new) REQUIRE(slot == known->second);
                model[number] = slot;
            } else if (known != model.end()) {
                table.erase(known->second);
                model.erase(known);
            }
            const auto probe = static_cast<std::int64_t>(random() % 900);
            const auto found = table.find(item(probe));
            REQUIRE(found.has_value() == (model.count(probe) != 0));
            if (found) REQUIRE(table[*found] == item(probe));
        }
        const ItemTable copy(table);
        table.clear();
        CHECK(table.size() == 0);
        CHECK(table.slots() == 0);
        for (const auto& [number, slot] : model) CHECK(copy.find(item(number)) == slot);
    }
}

TEST_CASE("an item table gives out freed slots again, the last freed first, in a copy too") {
    for (const bool has_texts : {false, true}) {
        const std::vector<std::string> texts{"a", "bb", "a text longer than a cell", "d", "e", "f"};
        const auto item = [&](std::size_t i) {
            return has_texts ? ItemView::of(std::string_view(texts[i])) : ItemView::of(static_cast<std::int64_t>(i));
        };
        ItemTable table;
        for (std::size_t i = 0; i < 4; ++i) CHECK(table.insert(item(i)).first == i);
        table.erase(2);
        table.erase(1);
        ItemTable copy(table);
        for (ItemTable* each : {&table, &copy}) {
            CHECK(each->insert(item(4)).first == 1);
            CHECK(each->insert(item(5)).first == 2);
            CHECK(each->insert(item(1)).first == 4);
        }
    }
}

TEST_CASE("an insertion that is withdrawn leaves the kind as it was") {
    ItemTable table;
    table.withdraw(table.insert(ItemView::of(7)).first, engagehub::ItemKind::kNone);
    CHECK(table.kind() == engagehub::ItemKind::kNone);
    const auto ada = table.insert(ItemView::of(std::string_view("ada"))).first;
    table.erase(ada);
    table.withdraw(table.insert(ItemView::of(std::string_view("bob"))).first, table.kind());
    CHECK(table.kind() == engagehub::ItemKind::kText);
    CHECK(table.size() == 0);
    CHECK(table.insert(ItemView::of(std::string_view("cy"))).first == 0);
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
