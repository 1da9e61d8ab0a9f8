// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/sketch/item_hash.hpp>

using engagehub::ByteReader;
using engagehub::ByteWriter;
using engagehub::Incompatible;
using engagehub::ItemHash;
using engagehub::ItemView;

namespace {

ItemView text(std::string_view value) { return ItemView::of(value); }
ItemView number(std::int64_t value) { return ItemView::of(value); }

ItemHash read_back(const ItemHash& hash, const ItemHash& given = {}) {
    ByteWriter writer;
    hash.write(writer);
    ByteReader reader(writer.bytes());
    const ItemHash result = ItemHash::read(reader, given);
    reader.require_end();
    return result;
}

}  // namespace

TEST_CASE("murmur64a reads a text of any length as its definition does, and no byte beyond it") {
    std::mt19937_64 random(1);
    for (std::size_t length = 0; length < 40; ++length) {
        std::vector<unsigned char> bytes(length);  // of its own size, so that a sanitizer sees the end
        for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
        constexpr std::uint64_t kMultiplier = 0xc6a4a7935bd1e995ULL;
        std::uint64_t hash = engagehub::kRedisHashSeed ^ (length * kMultiplier);
        for (std::size_t word = 0; word < length; word += 8) {
            std::uint64_t value = 0;
            for (std::size_t i = word; i < std::min(word + 8, length); ++i)
                value |= std::uint64_t{bytes[i]} << (8 * (i - word));
            if (word + 8 <= length) {
                value *= kMultiplier;
                value = (value ^ (value >> 47U)) * kMultiplier;
            }
            hash = (hash ^ value) * kMultiplier;
        }
        hash = (hash ^ (hash >> 47U)) * kMultiplier;
        hash ^= hash >> 47U;
        REQUIRE(engagehub::murmur64a(bytes.data(), length) == hash);
        if (length == 8) REQUIRE(engagehub::murmur64a_of_word(engagehub::load_le64(bytes.data())) == hash);
    }
}

TEST_CASE("murmur3_low gives the published hashes") {
    const auto hash = [](const std::string& bytes) { return engagehub::murmur3_low(bytes.data(), bytes.size()); };
    CHECK(hash("") == 0);
    CHECK(hash("hello") == 0xcbd8a7b341bd9b02ULL);
    CHECK(hash("hello, world") == 0x342fac623a5ebc8eULL);
    CHECK(hash("The quick brown fox jumps over the lazy dog.") == 0xcd99481f9ee902c9ULL);
}

TEST_CASE("siphash gives the hashes of its paper, and reads no byte beyond the text") {
    const engagehub::SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    const auto hash = [&](std::size_t length) {
        std::vector<unsigned char> bytes(length);  // of its own size, so that a sanitizer sees the end
        for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<unsigned char>(i);
        return engagehub::siphash<2, 4>(key, bytes.data(), length);
    };
    CHECK(hash(0) == 0x726fdb47dd0e0e31ULL);
    CHECK(hash(1) == 0x74f839c593dc67fdULL);
    CHECK(hash(15) == 0xa129ca6149be45e5ULL);
    std::set<std::uint64_t> hashes;
    for (std::size_t length = 0; length < 64; ++length) hashes.insert(hash(length));
    CHECK(hashes.size() == 64);
}

TEST_CASE("an item's hash is the one that the scheme names") {
    CHECK(ItemHash::redis()(text("user:123")) == 0x58bc286e21d8c7f9ULL);
    CHECK(ItemHash::redis()(number(0x6867666564636261)) == ItemHash::redis()(text("abcdefgh")));
    CHECK(ItemHash::redis_decimal()(text("-7")) == ItemHash::redis()(text("-7")));
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{-7}, std::int64_t{9'007'199'254'740'993},
          std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
        CHECK(ItemHash::redis_decimal()(number(value)) == ItemHash::redis()(text(std::to_string(value))));
    }
    CHECK(ItemHash::postgresql()(text("hello")) == 0xcbd8a7b341bd9b02ULL);
    CHECK(ItemHash::postgresql()(number(0x6867666564636261)) == ItemHash::postgresql()(text("abcdefgh")));
    CHECK(ItemHash::keyed({1, 2})(text("abcdefgh")) == engagehub::siphash<1, 3>({1, 2}, "abcdefgh", 8));
    CHECK(ItemHash::keyed({1, 2})(number(0x6867666564636261)) == engagehub::siphash<1, 3>({1, 2}, "abcdefgh", 8));
}

TEST_CASE("a hash is written without its key and read back with it") {
    for (const ItemHash& hash : {ItemHash::redis(), ItemHash::redis_decimal(), ItemHash::postgresql()})
        CHECK(read_back(hash) == hash);
    const ItemHash keyed = ItemHash::keyed({1, 2});
    CHECK(read_back(keyed, keyed) == keyed);
    CHECK_THROWS_WITH_AS(
        read_back(keyed), ("key must be that of the sketch, " + keyed.name() + ", got none").c_str(), Incompatible);
    const ItemHash other = ItemHash::keyed({1, 3});
    CHECK_THROWS_WITH_AS(
        read_back(keyed, other), ("key must be that of the sketch, " + keyed.name() + ", got " + other.name()).c_str(),
        Incompatible);
    CHECK_THROWS_WITH_AS(
        read_back(ItemHash::postgresql(), keyed),
        ("key must be none for a sketch of the hash postgresql, got " + keyed.name()).c_str(), Incompatible);
    ByteWriter writer;
    ItemHash::postgresql().write(writer);
    ByteReader chosen(writer.bytes());
    CHECK_THROWS_AS(ItemHash::read_redis_or_keyed(chosen), engagehub::Corrupted);
    ByteReader reader(std::string_view("\x04", 1));
    CHECK_THROWS_AS(ItemHash::read(reader), Incompatible);
}

TEST_CASE("hashes and keys are told apart by name") {
    CHECK_NOTHROW(ItemHash::keyed({1, 2}).require_same(ItemHash::keyed({1, 2})));
    CHECK_THROWS_WITH_AS(
        ItemHash::redis().require_same(ItemHash::postgresql()),
        "sketches of the same hash and key are required, got redis and postgresql", Incompatible);
    CHECK(ItemHash::keyed({1, 2}).name() != ItemHash::keyed({1, 3}).name());
    CHECK(ItemHash::keyed({1, 2}).name() != ItemHash::keyed({2, 2}).name());
}
