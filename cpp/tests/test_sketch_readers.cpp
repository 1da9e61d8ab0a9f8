// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/bytes.hpp"
#include "tests/support/sketch_readers.hpp"

using namespace engagehub;

namespace {

std::vector<std::string> valid_bytes() {
    HyperLogLog list;
    HyperLogLog packed(4);
    HyperLogLog asked(11, ItemHash::postgresql());
    CountMinSketch counts({3, 2});
    CountMinSketch narrow({3, 2}, 32);
    DecayedCountMin lately({3, 2}, HalfLife::of_micros(1'000'000));
    TopK trends(3, HalfLife::of_micros(1'000'000), {4, 2});
    TopK grows(2, {HalfLife::of_micros(1'000'000), HalfLife::of_micros(5'000'000)}, {3, 2});
    DistinctWindow window(4'000'000, 1'000'000, 4);
    DistinctWindow crowded = window;  // a bucket with more members than are kept one by one
    TotalWindow totals(4'000'000, 1'000'000);
    for (std::int64_t i = 0; i < 12; ++i) {
        const std::string name = "member-" + std::to_string(i);
        const auto item = ItemView::of(std::string_view(name));
        if (i < 4) list.add(item);
        packed.add(item);
        asked.add(item);
        counts.add(ItemView::of(i), static_cast<std::uint64_t>(i));
        narrow.add(item, i == 3 ? 0xffffffff : 1);
        lately.add(item, 1.0, i * 500'000);
        trends.add(item, 1.0, i * 500'000);
        grows.add(ItemView::of(i % 5), 1.0, i * 500'000);
        window.add(item, i * 500'000);
        crowded.add(item, 0);
        totals.add(i % 2 == 0 ? Total::of(i) : Total::of(0.1), i * 500'000);
    }
    // The first version of the counts.
    std::string first = counts.to_bytes();
    first[4] = 1;
    first.erase(11, 1);
    first.erase(first.size() - 4);
    ByteWriter writer;
    writer.put_raw(first);
    // docs/formats/top-k.md
    const std::string first_top_k = engagehub_tests::from_hex(
        "4548544b0102000000030000000102000140420f00000000000300000000000000000000000000124040420f0000000000000000000000"
        "0000020000000700000067656e6572616c000000000000084000000000000008400400000068656c700000000000000040000000000000"
        "0040000000000000f03f000000000000000000000000000000004222eedb");
    return {
        list.to_bytes(),
        packed.to_bytes(),
        counts.to_bytes(),
        seal(std::move(writer)),
        narrow.to_bytes(),
        lately.to_bytes(),
        trends.to_bytes(),
        grows.to_bytes(),
        first_top_k,
        window.to_bytes(),
        crowded.to_bytes(),
        totals.to_bytes(),
        to_redis(list),
        to_postgresql(asked),
        to_postgresql(asked, {4, 6, 0, true}),
        engagehub_tests::from_hex("128b7f85555565f65978898e38df6c4a1f74d77a98a957b1d3d1ee")};
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
