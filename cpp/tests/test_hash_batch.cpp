// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/sketch/hash_batch.hpp>

using engagehub::ItemHash;
using engagehub::ItemView;

namespace {

struct Numbers {
    std::vector<std::int64_t> values;
    template <class Body>
    void with_values(Body&& body) const {
        body(values.data());
    }
};

struct Texts {
    std::vector<std::string_view> values;
    template <class Body>
    void with_values(Body&& body) const {
        body(values.data());
    }
};

// As a caller does that may or may not have hashed its items before.
struct Hashed {
    std::vector<std::uint64_t> values;
    const std::uint64_t* hashes() const { return values.data(); }
    ItemView operator[](std::size_t /*i*/) const { return ItemView::of(std::int64_t{0}); }
};

template <class Items>
std::vector<std::uint64_t> hashes_of(const ItemHash& hash, const Items& items, std::size_t size) {
    std::vector<std::uint64_t> all;
    engagehub::each_hash_piece(
        hash, items, size, [&](const std::uint64_t* hashes, std::size_t first, std::size_t count) {
            REQUIRE(first == all.size());
            REQUIRE(count != 0);
            REQUIRE(count <= engagehub::kMostHashes);
            all.insert(all.end(), hashes, hashes + count);
        });
    return all;
}

}  // namespace

TEST_CASE("each_hash_piece gives every hash of a batch, in order, whatever the batch offers") {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < 600; ++i) names.push_back("name-" + std::to_string(i));
    for (const ItemHash& hash :
         {ItemHash::redis(), ItemHash::redis_decimal(), ItemHash::postgresql(), ItemHash::keyed({1, 2})}) {
        for (const std::size_t size : {0U, 1U, 255U, 256U, 257U, 512U, 600U}) {
            Numbers numbers;
            Texts texts;
            std::vector<ItemView> views;
            std::vector<std::uint64_t> of_numbers;
            std::vector<std::uint64_t> of_texts;
            for (std::size_t i = 0; i < size; ++i) {
                numbers.values.push_back(static_cast<std::int64_t>(i) - 300);
                texts.values.emplace_back(names[i]);
                views.push_back(ItemView::of(texts.values.back()));
                of_numbers.push_back(hash(ItemView::of(numbers.values.back())));
                of_texts.push_back(hash(views.back()));
            }
            CHECK(hashes_of(hash, numbers, size) == of_numbers);
            CHECK(hashes_of(hash, texts, size) == of_texts);
            CHECK(hashes_of(hash, views, size) == of_texts);
            CHECK(hashes_of(hash, Hashed{of_texts}, size) == of_texts);
        }
    }
}
