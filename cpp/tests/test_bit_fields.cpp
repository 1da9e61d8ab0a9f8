// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/codec/bit_fields.hpp>

#include "tests/support/bytes.hpp"

using engagehub::BitReader;
using engagehub::BitWriter;
using engagehub_tests::to_hex;

TEST_CASE("bit fields stand from the highest bit on, and zeros fill the last byte") {
    BitWriter writer;
    writer.put(0b10110, 5);
    writer.put(0b0111, 4);
    writer.put(1, 1);
    CHECK(to_hex(writer.take()) == "b3c0");
    CHECK(BitWriter().take().empty());

    BitReader reader(std::string_view("\xb3\xc0", 2));
    CHECK(reader.remaining() == 16);
    CHECK(reader.get(5) == 0b10110);
    CHECK(reader.offset() == 1);
    CHECK(reader.get(4) == 0b0111);
    CHECK_FALSE(reader.at_padding());
    CHECK(reader.get(1) == 1);
    CHECK(reader.remaining() == 6);
    CHECK(reader.at_padding());
    CHECK(reader.get(6) == 0);
    CHECK(reader.at_padding());
    CHECK(BitReader("").at_padding());
    CHECK_FALSE(BitReader(std::string_view("\0", 1)).at_padding());  // a whole byte fills nothing
}

TEST_CASE("bit fields of every width read back") {
    std::mt19937_64 random(1);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::pair<std::uint32_t, unsigned>> fields(random() % 40);
        BitWriter writer;
        std::size_t bits = 0;
        for (auto& [value, width] : fields) {
            width = static_cast<unsigned>(1 + random() % 32);
            value = static_cast<std::uint32_t>(random() & ((std::uint64_t{1} << width) - 1));
            writer.put(value, width);
            bits += width;
        }
        const std::string bytes = writer.take();
        REQUIRE(bytes.size() == (bits + 7) / 8);
        BitReader reader(bytes);
        for (const auto& [value, width] : fields) REQUIRE(reader.get(width) == value);
        REQUIRE(reader.at_padding());
        REQUIRE(reader.remaining() == bytes.size() * 8 - bits);
    }
}
