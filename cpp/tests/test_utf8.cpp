// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include <engagehub/codec/utf8.hpp>

using engagehub::is_utf8;

namespace {

// The encoding of a code point by the bit pattern alone, be it allowed or not.
std::string encoded(std::uint32_t point, int length) {
    if (length == 1) return std::string(1, static_cast<char>(point));
    std::string bytes;
    for (int i = 1; i < length; ++i, point >>= 6U)
        bytes.insert(bytes.begin(), static_cast<char>(0x80U | (point & 63U)));
    const std::uint32_t lead = length == 2 ? 0xc0U : length == 3 ? 0xe0U : 0xf0U;
    bytes.insert(bytes.begin(), static_cast<char>(lead | point));
    return bytes;
}

int shortest(std::uint32_t point) { return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4; }

}  // namespace

TEST_CASE("every code point is well-formed in its shortest form only, surrogates and what is above U+10FFFF never") {
    for (std::uint32_t point = 0; point < 0x200000; ++point) {
        const bool is_scalar = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        for (int length = shortest(point); length <= 4; ++length) {
            REQUIRE(is_utf8(encoded(point, length)) == (is_scalar && length == shortest(point)));
        }
    }
}

TEST_CASE("every pair of bytes is judged as table 3-7 of the Unicode Standard does") {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const std::string pair{static_cast<char>(first), static_cast<char>(second)};
            const bool both_ascii = first < 0x80 && second < 0x80;
            const bool one_point = first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf;
            REQUIRE(is_utf8(pair) == (both_ascii || one_point));
        }
    }
}

TEST_CASE("a cut or broken sequence spoils the text wherever it stands") {
    const std::string four = encoded(0x1f600, 4);
    CHECK(is_utf8("ab" + four + "c"));
    for (std::size_t length = 1; length < 4; ++length) {
        CHECK_FALSE(is_utf8("ab" + four.substr(0, length)));
        CHECK_FALSE(is_utf8(four.substr(0, length) + "ab"));
        CHECK_FALSE(is_utf8(four.substr(length)));
        std::string broken = four;
        broken[length] = 'a';
        CHECK_FALSE(is_utf8(broken));
    }
    CHECK(is_utf8(""));
    CHECK(is_utf8(std::string("\0", 1)));
}
