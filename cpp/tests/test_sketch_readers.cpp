// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/support/bytes.hpp"
#include "tests/support/sketch_readers.hpp"

using namespace engagehub;

namespace {

std::vector<std::string> valid_bytes() {
    HyperLogLog list;
    HyperLogLog packed(4);
    CountMinSketch counts({3, 2});
    TopK trends(3, HalfLife::of_micros(1'000'000), {4, 2});
    TopK grows(2, {HalfLife::of_micros(1'000'000), HalfLife::of_micros(5'000'000)}, {3, 2});
    DistinctWindow window(4'000'000, 1'000'000, 4);
    for (std::int64_t i = 0; i < 12; ++i) {
        const std::string name = "member-" + std::to_string(i);
        const auto item = ItemView::of(std::string_view(name));
        if (i < 4) list.add(item);
        packed.add(item);
        counts.add(ItemView::of(i), static_cast<std::uint64_t>(i));
        trends.add(item, 1.0, i * 500'000);
        grows.add(ItemView::of(i % 5), 1.0, i * 500'000);
        window.add(item, i * 500'000);
    }
    // docs/formats/top-k.md
    const std::string first_top_k = engagehub_tests::from_hex(
        "4548544b0102000000030000000102000140420f00000000000300000000000000000000000000124040420f0000000000000000000000"
        "0000020000000700000067656e6572616c000000000000084000000000000008400400000068656c700000000000000040000000000000"
        "0040000000000000f03f000000000000000000000000000000004222eedb");
    return {list.to_bytes(),  packed.to_bytes(), counts.to_bytes(), trends.to_bytes(),
            grows.to_bytes(), first_top_k,       window.to_bytes(), to_redis(list)};
}

}  // namespace

TEST_CASE("readers take valid bytes") {
    for (const std::string& bytes : valid_bytes()) CHECK(engagehub_tests::read_all(bytes) == 1);
}

TEST_CASE("readers survive mutated bytes with and without a right checksum") {
    std::mt19937_64 random(1);
    const auto seeds = valid_bytes();
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes = seeds[random() % seeds.size()];
        for (std::uint64_t change = random() % 4; change-- > 0;) {
            const std::size_t at = random() % (bytes.size() + 1);
            switch (random() % 4) {
                case 0: bytes.insert(at, 1, static_cast<char>(random())); break;
                case 1: bytes.erase(at, 1 + random() % 8); break;
                case 2:
                    bytes = bytes.substr(0, at) + seeds[random() % seeds.size()].substr(0, random() % 40) +
                        bytes.substr(at);
                    break;
                default:
                    if (at < bytes.size()) bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
            }
        }
        CHECK_NOTHROW(engagehub_tests::read_any(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
    }
}
