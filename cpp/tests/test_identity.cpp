// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/pipeline/identity.hpp>

using engagehub::Identity;
using engagehub::identity_of;
using engagehub::ItemView;

namespace {

ItemView text(std::string_view value) { return ItemView::of(value); }
ItemView number(std::int64_t value) { return ItemView::of(value); }

}  // namespace

TEST_CASE("siphash gives the published hashes of 128 bits") {
    const engagehub::SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    auto of_nothing = engagehub::SipState<2, 4>::wide(key);
    of_nothing.absorb(0);
    const auto nothing = of_nothing.finish_wide();
    CHECK(nothing.low == 0xe6a825ba047f81a3ULL);
    CHECK(nothing.high == 0x930255c71472f66dULL);
    auto of_zero = engagehub::SipState<2, 4>::wide(key);
    of_zero.absorb(std::uint64_t{1} << 56U);
    const auto zero = of_zero.finish_wide();
    CHECK(zero.low == 0x44af996bd8c187daULL);
    CHECK(zero.high == 0x45fc229b11597634ULL);
}

TEST_CASE("an identity is the same in every process") {
    const std::string hundred(100, 'x');
    const std::vector<std::pair<Identity, Identity>> golden{
        {identity_of(number(1), number(1)), {0xc25c2c8339f73a71ULL, 0x05ced02876603274ULL}},
        {identity_of(number(1), text("1")), {0xcaf412991b02503dULL, 0x46404357dcebd53bULL}},
        {identity_of(text("1"), number(1)), {0x70a40c11c07d9dc1ULL, 0x250fb77242d056ffULL}},
        {identity_of(text("1"), text("1")), {0x872396cd5bf1ac17ULL, 0x8ec3580ab3d5ca53ULL}},
        {identity_of(text("ab"), text("c")), {0x6bc3029e637bd192ULL, 0x479f389970595f94ULL}},
        {identity_of(text("a"), text("bc")), {0x5b2a0be3251cb76eULL, 0x8b5b6bf2de1e72c4ULL}},
        {identity_of(text(""), text("")), {0xe64210e0e87fa5e8ULL, 0x6645128c3c31e967ULL}},
        {identity_of(number(81384788765712384), number(1200000000000000000)),
         {0x2b61a1493fca2bcbULL, 0x2e92c12b46462275ULL}},
        {identity_of(number(-1), text("message-1234567890123")), {0x7ba1aae2007d0305ULL, 0x844b8097b5c69128ULL}},
        {identity_of(
             text(
                 "\xc3\x9c"
                 "berschule"),
             text(hundred)),
         {0x847e919946205ee9ULL, 0xf3fbb2f5bbae46a2ULL}},
    };
    for (const auto& [identity, expected] : golden) {
        CHECK(identity.low == expected.low);
        CHECK(identity.high == expected.high);
    }
}

TEST_CASE("no two pairs of a community and an id have one identity") {
    const std::string zeros(40, '\0');
    std::vector<ItemView> items{
        number(0), number(1), number(-1), number(97), number(std::numeric_limits<std::int64_t>::min()),
        text("1"), text("a"), text("ab"), text("b")};
    for (std::size_t length = 0; length <= zeros.size(); ++length)
        items.push_back(text(std::string_view(zeros).substr(0, length)));
    std::set<std::pair<std::uint64_t, std::uint64_t>> identities;
    for (const ItemView& community : items) {
        for (const ItemView& id : items) {
            const Identity identity = identity_of(community, id);
            identities.emplace(identity.low, identity.high);
            CHECK(identity_of(community, id) == identity);
            CHECK(identity_of(community, id, {1, 2}) != identity);
        }
    }
    CHECK(identities.size() == items.size() * items.size());
}

TEST_CASE("an identity reads no byte beyond its texts") {
    for (std::size_t length = 0; length < 40; ++length) {
        const std::vector<char> bytes(length, 'x');  // of its own size, so that a sanitizer sees the end
        const std::string copy(length, 'x');
        const std::string_view view(bytes.data(), length);
        CHECK(identity_of(text(view), text(view)) == identity_of(text(copy), text(copy)));
    }
}
