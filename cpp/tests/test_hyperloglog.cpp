// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <engagehub/codec/crc32c.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/redis_hyperloglog.hpp>

#include "tests/support/bytes.hpp"

using engagehub::Answer;
using engagehub::Corrupted;
using engagehub::HyperLogLog;
using engagehub::hyperloglog_from_redis;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub_tests::check_damage;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

ItemView text(const std::string& value) { return ItemView::of(std::string_view(value)); }

HyperLogLog of_texts(const std::vector<std::string>& texts, unsigned p = 14) {
    HyperLogLog sketch(p);
    for (const auto& value : texts) sketch.add(text(value));
    return sketch;
}

HyperLogLog of_range(std::int64_t first, std::int64_t last, unsigned p = 14) {
    HyperLogLog sketch(p);
    for (std::int64_t i = first; i < last; ++i) sketch.add(ItemView::of(i));
    return sketch;
}

std::map<std::uint32_t, unsigned> registers_of(const HyperLogLog& sketch) {
    std::map<std::uint32_t, unsigned> result;
    sketch.each_register([&](std::uint32_t index, unsigned rank) { result[index] = rank; });
    return result;
}

// The definition, bit by bit.
void model_add(std::map<std::uint32_t, unsigned>& registers, std::uint64_t hash, unsigned p) {
    std::uint32_t index = 0;
    for (unsigned bit = 0; bit < p; ++bit) index |= static_cast<std::uint32_t>((hash >> bit) & 1U) << bit;
    unsigned rank = 1;
    for (unsigned bit = p; bit < 64 && ((hash >> bit) & 1U) == 0; ++bit) ++rank;
    registers[index] = std::max(registers[index], rank);
}

std::string dense_of(const std::vector<unsigned>& ranks) {
    std::string bytes = from_hex("48594c4c000000000000000000000080");
    std::string packed(12288, '\0');
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        for (unsigned bit = 0; bit < 6; ++bit) {
            if (((ranks[i] >> bit) & 1U) == 0) continue;
            auto& byte = packed[(i * 6 + bit) / 8];
            byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << ((i * 6 + bit) % 8)));
        }
    }
    return bytes + packed;
}

}  // namespace

TEST_CASE("HyperLogLog puts the hashes of Redis where Redis puts them") {
    const std::vector<std::tuple<std::string, std::uint32_t, unsigned>> golden = {
        {"", 5938, 2},        {"a", 12711, 2},       {"b", 15780, 1},        {"c", 8436, 1},
        {"abcdefg", 5634, 2}, {"abcdefgh", 1383, 1}, {"abcdefghi", 6903, 1}, {"user:123", 2041, 1},
    };
    for (const auto& [value, index, rank] : golden) {
        CHECK(registers_of(of_texts({value})) == std::map<std::uint32_t, unsigned>{{index, rank}});
    }
    HyperLogLog saturated(14);
    saturated.add_hash(0);
    CHECK(registers_of(saturated) == std::map<std::uint32_t, unsigned>{{0, 51}});
}

TEST_CASE("HyperLogLog holds the registers of the definition at every precision, sparse and dense") {
    std::mt19937_64 random(1);
    for (unsigned p = 4; p <= 18; ++p) {
        HyperLogLog sketch(p);
        std::map<std::uint32_t, unsigned> model;
        const std::size_t count = (std::size_t{1} << p) / 4 + 8;
        bool was_sparse = false;
        for (std::size_t i = 0; i < count; ++i) {
            // Long runs of zeros too.
            const std::uint64_t hash =
                i % 5 == 0 ? (random() << (p + random() % (64 - p))) | (random() & ((1U << p) - 1)) : random();
            sketch.add_hash(hash);
            model_add(model, hash, p);
            REQUIRE(sketch.is_sparse() == (model.size() <= (std::size_t{1} << p) / 16));
            was_sparse = was_sparse || sketch.is_sparse();
            if ((i & (i + 1)) == 0) REQUIRE(registers_of(sketch) == model);
        }
        CHECK(registers_of(sketch) == model);
        CHECK(was_sparse);
        CHECK_FALSE(sketch.is_sparse());
    }
}

TEST_CASE("HyperLogLog refuses a precision outside 4 to 18") {
    CHECK_THROWS_AS(HyperLogLog(3), InvalidArgument);
    CHECK_THROWS_AS(HyperLogLog(19), InvalidArgument);
    CHECK_THROWS_WITH(HyperLogLog(3), "p must be between 4 and 18, got 3");
}

TEST_CASE("HyperLogLog holds one kind of item and changes nothing when it refuses") {
    HyperLogLog sketch = of_texts({"a"});
    const HyperLogLog before = sketch;
    CHECK_THROWS_AS(sketch.add(ItemView::of(std::int64_t{1})), InvalidType);
    CHECK_THROWS_AS(sketch.merge(of_range(0, 1)), Incompatible);
    const std::vector<ItemView> mixed = {text("x"), ItemView::of(std::int64_t{1})};
    CHECK_THROWS_AS(sketch.update(mixed, mixed.size()), InvalidType);
    CHECK(sketch == before);
    sketch.clear();
    CHECK(sketch == HyperLogLog());
    sketch.add(ItemView::of(std::int64_t{1}));
    CHECK(sketch.kind() == ItemKind::kInteger);
}

TEST_CASE("HyperLogLog estimates what Redis estimates") {
    HyperLogLog sketch;
    CHECK(sketch.estimate() == 0.0);
    std::map<int, double> estimates;
    for (int i = 0; i < 100'000; ++i) {
        if (i == 1'000 || i == 5'000 || i == 20'000) estimates[i] = sketch.estimate();
        const std::string value = "item-" + std::to_string(i);
        sketch.add(text(value));
    }
    // What PFCOUNT of Redis 7.0.15 says; the first one before rounding.
    CHECK(estimates[1'000] == doctest::Approx(995.6622536366657).epsilon(1e-14));
    CHECK(std::llround(estimates[5'000]) == 4987);
    CHECK(std::llround(estimates[20'000]) == 19865);
    CHECK(std::llround(sketch.estimate()) == 100648);
}

// The relative RMSE over T streams has a standard deviation of 1 / sqrt(2 T) of itself: a gate of 1.1 times theory is
// crossed by a right estimator with probability below 4e-6 at T = 1000 (4.47 sd), 5e-10 at T = 1900 (6.2 sd).
TEST_CASE("HyperLogLog's error is the theory's") {
    const auto rmse = [](unsigned p, std::int64_t count, int streams) {
        double squares = 0.0;
        double sum = 0.0;
        for (int stream = 0; stream < streams; ++stream) {
            const std::int64_t first = std::int64_t{stream} << 32U;
            const double error = of_range(first, first + count, p).estimate() / static_cast<double>(count) - 1.0;
            squares += error * error;
            sum += error;
        }
        // A bias of zero: |mean| within 5 standard errors, false alarm below 6e-7.
        const double theory = 1.04 / std::sqrt(std::ldexp(1.0, static_cast<int>(p)));
        CHECK(std::abs(sum / streams) < 5.0 * theory / std::sqrt(static_cast<double>(streams)));
        return std::sqrt(squares / streams) / theory;
    };
    CHECK(rmse(14, 40'000, 1'000) < 1.1);
    CHECK(rmse(10, 5'000, 1'900) < 1.1);
    CHECK(rmse(10, 100, 1'900) < 1.1);
    // And it isn't smaller than plain HyperLogLog can be: the streams are no duplicates of each other.
    CHECK(rmse(10, 20'000, 1'900) > 0.9);
}

// Registers as n = 2^52 * 4096 items leave them, most of them saturated: drawn from their distribution, for no stream
// gets there. The mean over 400 draws of an estimate with an error of about 3 % is within 1 % of n but for 6 standard
// errors.
TEST_CASE("HyperLogLog's estimate holds where registers are saturated") {
    std::mt19937_64 random(4);
    const double load = std::ldexp(1.0, 52);  // items per register, at p = 12: rank 53 is the highest
    double sum = 0.0;
    for (int draw = 0; draw < 400; ++draw) {
        HyperLogLog sketch(12);
        for (std::uint32_t i = 0; i < 4'096; ++i) {
            const double uniform = std::ldexp(static_cast<double>(random() >> 11U) + 0.5, -53);
            int rank = 1;
            while (rank < 53 && std::exp(-std::ldexp(load, -rank)) < uniform) ++rank;
            sketch.raise(i, static_cast<unsigned>(rank));
        }
        sum += sketch.estimate();
    }
    CHECK(sum / 400.0 == doctest::Approx(load * 4'096.0).epsilon(0.01));
}

// Bounds of 2 sigma miss a right estimate in at most 4.6 % of streams: 1000 streams have 46 misses with sd 6.6; the
// gate of 80 has a false-alarm probability below 1e-6. A tenth of the width must miss far more.
TEST_CASE("HyperLogLog's bounds hold at their confidence") {
    int outside = 0;
    int outside_tenth = 0;
    for (int stream = 0; stream < 1'000; ++stream) {
        const std::int64_t first = std::int64_t{stream} << 32U;
        const HyperLogLog sketch = of_range(first, first + 8'000, 10);
        const Answer wide = sketch.answer(2.0);
        const Answer narrow = sketch.answer(0.2);
        outside += wide.low > 8'000.0 || wide.high < 8'000.0 ? 1 : 0;
        outside_tenth += narrow.low > 8'000.0 || narrow.high < 8'000.0 ? 1 : 0;
        REQUIRE(wide.low < narrow.low);
        REQUIRE(narrow.low < narrow.estimate);
        REQUIRE(narrow.estimate < narrow.high);
        REQUIRE(narrow.high < wide.high);
    }
    CHECK(outside < 80);
    CHECK(outside_tenth > 700);
    CHECK(HyperLogLog().answer() == Answer{0.0, 0.0, 0.0});
    CHECK_THROWS_AS(HyperLogLog().answer(0.0), InvalidArgument);
    CHECK_THROWS_AS(HyperLogLog().answer(std::nan("")), InvalidArgument);
    CHECK_THROWS_AS(HyperLogLog().answer(INFINITY), InvalidArgument);
    // One standard error is 0.26 at p = 4: there is no upper bound at 4 of them.
    CHECK(std::isinf(of_range(0, 10, 4).answer(4.0).high));
}

TEST_CASE("HyperLogLog's lower bound is never below the registers in use, and never above the estimate") {
    for (const unsigned p : {4U, 7U, 10U, 14U}) {
        HyperLogLog lowest(p);  // rank 1 in every register: the smallest estimate for so many registers
        for (std::uint32_t i = 0; i < (1U << p); ++i) {
            lowest.raise(i, 1);
            if (i % 7 != 0 && i + 1 != (1U << p)) continue;
            const Answer answer = lowest.answer(100.0);
            REQUIRE(answer.low == static_cast<double>(i + 1));
            REQUIRE(answer.estimate >= answer.low);
        }
    }
    HyperLogLog full(4);
    for (std::uint32_t i = 0; i < 16; ++i) full.raise(i, 61);
    CHECK(std::isinf(full.estimate()));
    CHECK(full.answer().low == 16.0);
}

TEST_CASE("HyperLogLog merges to the same bytes in any order, grouping and mix of precisions") {
    std::mt19937_64 random(2);
    for (int round = 0; round < 60; ++round) {
        const std::size_t parts = 2 + random() % 4;
        std::vector<HyperLogLog> sketches;
        unsigned least = 18;
        std::vector<std::uint64_t> hashes;
        for (std::size_t i = 0; i < parts; ++i) {
            const auto p = static_cast<unsigned>(4 + random() % 9);
            least = std::min(least, p);
            HyperLogLog sketch(p);
            const std::size_t count = random() % 3 == 0 ? random() % 5 : random() % 2'000;
            for (std::size_t k = 0; k < count; ++k) {
                const std::uint64_t hash = k % 3 == 0 ? random() << (random() % 64) : random();
                hashes.push_back(hash);
                sketch.add_hash(hash);
            }
            sketches.push_back(sketch);
        }
        HyperLogLog direct(least);
        for (const std::uint64_t hash : hashes) direct.add_hash(hash);
        std::vector<std::size_t> order(parts);
        for (std::size_t i = 0; i < parts; ++i) order[i] = i;
        for (int shuffle = 0; shuffle < 5; ++shuffle) {
            std::shuffle(order.begin(), order.end(), random);
            HyperLogLog left = sketches[order[0]];
            for (std::size_t i = 1; i < parts; ++i) left.merge(sketches[order[i]]);
            HyperLogLog right = sketches[order[parts - 1]];
            for (std::size_t i = parts - 1; i-- > 0;) {
                HyperLogLog next = sketches[order[i]];
                next.merge(right);
                right = next;
            }
            REQUIRE(left == direct);
            REQUIRE(left.to_bytes() == direct.to_bytes());
            REQUIRE(right.to_bytes() == direct.to_bytes());
        }
        HyperLogLog itself = direct;
        itself.merge(itself);
        REQUIRE(itself == direct);
    }
}

TEST_CASE("HyperLogLog keeps its kind in merges with empty sketches") {
    HyperLogLog empty(10);
    empty.merge(of_texts({"a"}));
    CHECK(empty.p() == 10);
    CHECK(empty.kind() == ItemKind::kText);
    HyperLogLog sketch = of_texts({"a"});
    sketch.merge(HyperLogLog(18));
    CHECK(sketch == of_texts({"a"}));
}

TEST_CASE("HyperLogLog's bytes are golden") {
    CHECK(to_hex(HyperLogLog().to_bytes()) == "4548484c010e00000000000000000ce0c296");
    CHECK(
        to_hex(of_texts({"a", "b", "c"}).to_bytes()) ==
        "4548484c010e0200000003000000"
        "01f4200002a7310001a43d00"
        "39cd4449");
    CHECK(to_hex(of_range(0, 12, 4).to_bytes()) == "4548484c01040100000140300cc02000000004020100a03ee6d6");
    CHECK(HyperLogLog::from_bytes(of_range(0, 12, 4).to_bytes()) == of_range(0, 12, 4));
}

TEST_CASE("HyperLogLog's bytes read back at every precision and size") {
    for (unsigned p = 4; p <= 18; ++p) {
        for (const std::int64_t count : {0, 1, 5, 100, 3'000, 40'000}) {
            const HyperLogLog sketch = of_range(0, count, p);
            REQUIRE(HyperLogLog::from_bytes(sketch.to_bytes()) == sketch);
        }
    }
}

TEST_CASE("HyperLogLog refuses every damage to its bytes") {
    check_damage(
        of_texts({"a", "b", "c"}).to_bytes(), [](const std::string& bytes) { HyperLogLog::from_bytes(bytes); });
    check_damage(of_range(0, 40, 4).to_bytes(), [](const std::string& bytes) { HyperLogLog::from_bytes(bytes); });
}

TEST_CASE("HyperLogLog refuses states that no sketch has, though the checksum is right") {
    const auto sealed = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return engagehub::seal(std::move(writer));
    };
    CHECK(
        HyperLogLog::from_bytes(sealed(
                                    "4548484c010e0200000001000000"
                                    "01f42000"))
            .kind() == ItemKind::kText);
    const auto refuse = [&](const std::string& hex) {
        CHECK_THROWS_AS(HyperLogLog::from_bytes(sealed(hex)), Corrupted);
    };
    refuse(
        "4548484c01030200000001000000"
        "01f42000");  // p
    refuse(
        "4548484c010e0300000001000000"
        "01f42000");                         // kind
    refuse("4548484c010e0200000200000000");  // form
    refuse("4548484c010e0200000000000000");  // a kind without items
    refuse(
        "4548484c010e0200000002000000"
        "01f42000");  // fewer registers than said
    refuse(
        "4548484c010e02000000ffffffff"
        "01f42000");  // an absurd number of them
    refuse(
        "4548484c010e0200000001000000"
        "01f4200000");  // more bytes
    refuse(
        "4548484c010e0200000001000000"
        "01004000");  // index 16384
    refuse(
        "4548484c010e0200000001000000"
        "00f42000");  // rank 0
    refuse(
        "4548484c010e0200000001000000"
        "34f42000");  // rank 52
    refuse(
        "4548484c010e0200000002000000"
        "01a43d0001f42000");  // descending
    refuse(
        "4548484c010e0200000002000000"
        "01f4200002f42000");  // one register twice
    refuse(
        "4548484c0104010000000200000001000000"
        "01010000");  // a list where registers are packed
    refuse(
        "4548484c01040100000101000000"
        "0000000000000000");  // packed where a list is held
    CHECK_THROWS_AS(
        HyperLogLog::from_bytes(sealed(
            "4548484c010e0200010001000000"
            "01f42000")),
        Incompatible);  // grade
    CHECK_THROWS_AS(
        HyperLogLog::from_bytes(sealed(
            "4548484c010e0201000001000000"
            "01f42000")),
        Incompatible);  // hash
    CHECK_THROWS_AS(
        HyperLogLog::from_bytes(sealed(
            "4548484c020e0200000001000000"
            "01f42000")),
        Incompatible);  // version
}

TEST_CASE("to_redis gives the bytes of a server") {
    CHECK(
        to_hex(engagehub::to_redis(of_texts({"a", "b", "c"}))) ==
        "48594c4c01000000000000000000008060f38050b1844bfb80425a");
    CHECK(to_hex(engagehub::to_redis(HyperLogLog())) == "48594c4c0100000000000000000000807fff");
    CHECK(engagehub::to_redis(of_texts({"a", "b", "c"}, 18)) == engagehub::to_redis(of_texts({"a", "b", "c"})));
    CHECK_THROWS_AS(engagehub::to_redis(HyperLogLog(13)), InvalidArgument);
    // Sparse up to 3,000 bytes, then dense; dense at once for a rank above 32.
    HyperLogLog sketch;
    std::size_t longest = 0;
    for (std::int64_t i = 0; sketch.is_sparse() || engagehub::to_redis(sketch)[4] == 1; ++i) {
        if (i >= 1'000) longest = std::max(longest, engagehub::to_redis(sketch).size());
        sketch.add(ItemView::of(i));
    }
    CHECK(longest <= 3'000);
    CHECK(longest >= 2'996);
    CHECK(engagehub::to_redis(sketch).size() == 12'304);
    HyperLogLog rare;
    rare.raise(5, 32);
    CHECK(to_hex(engagehub::to_redis(rare)).substr(8, 2) == "01");
    rare.raise(5, 33);
    CHECK(engagehub::to_redis(rare).size() == 12'304);
}

TEST_CASE("from_redis reads both forms, runs of every length") {
    std::mt19937_64 random(3);
    for (int round = 0; round < 40; ++round) {
        HyperLogLog sketch;
        std::vector<unsigned> ranks(16'384);
        const std::size_t runs = random() % 300;
        for (std::size_t run = 0; run < runs; ++run) {
            const std::size_t first = random() % 16'384;
            const std::size_t length = 1 + random() % 9;
            const auto rank = static_cast<unsigned>(1 + random() % (round % 2 == 0 ? 32 : 51));
            for (std::size_t i = first; i < std::min<std::size_t>(first + length, 16'384); ++i) {
                sketch.raise(static_cast<std::uint32_t>(i), rank);
                ranks[i] = std::max(ranks[i], rank);
            }
        }
        const std::string bytes = engagehub::to_redis(sketch);
        REQUIRE(hyperloglog_from_redis(bytes) == sketch);
        REQUIRE(hyperloglog_from_redis(dense_of(ranks)) == sketch);
        if (bytes[4] == 0) REQUIRE(bytes == dense_of(ranks));
    }
    const HyperLogLog read = hyperloglog_from_redis(from_hex("48594c4c01000000000000000000008060f38050b1844bfb80425a"));
    CHECK(registers_of(read) == registers_of(of_texts({"a", "b", "c"})));
    CHECK(read.kind() == ItemKind::kNone);
    // A cached cardinality is ignored.
    CHECK(
        hyperloglog_from_redis(from_hex(
            "48594c4c010000000300000000000000"
            "60f38050b1844bfb80425a")) == read);
}

TEST_CASE("from_redis refuses what no server writes") {
    const std::string header = "48594c4c010000000000000000000080";
    const auto refuse = [](const std::string& bytes) { CHECK_THROWS_AS(hyperloglog_from_redis(bytes), Corrupted); };
    const std::string good = from_hex(header + "60f38050b1844bfb80425a");
    for (std::size_t size = 0; size < good.size(); ++size) refuse(good.substr(0, size));
    refuse(from_hex("58594c4c0100000000000000000000807fff"));  // magic
    refuse(from_hex("48594c4c0200000000000000000000807fff"));  // encoding
    refuse(from_hex("48594c4c0101000000000000000000807fff"));  // reserved
    refuse(from_hex(header + "7ffe"));                         // 16,383 registers
    refuse(from_hex(header + "7fff00"));                       // 16,385 by ZERO
    refuse(from_hex(header + "7fff4000"));                     // by XZERO
    refuse(from_hex(header + "7fff80"));                       // by VAL
    refuse(from_hex(header + "7ffd83"));                       // a VAL of four where two are left
    refuse(from_hex(header + "7f"));                           // half an opcode
    // A run too long is refused before its registers are touched, dense or not.
    for (const std::string& too_many :
         {from_hex(header + "7ffe87"), from_hex(header) + std::string(4'096, '\x83') + '\x80'}) {
        CHECK_THROWS_WITH_AS(
            hyperloglog_from_redis(too_many), doctest::Contains("more than 16384 registers"), Corrupted);
    }
    std::vector<unsigned> ranks(16'384, 7);
    CHECK(hyperloglog_from_redis(dense_of(ranks)).estimate() > 0.0);
    refuse(dense_of(ranks) + '\0');
    refuse(dense_of(ranks).substr(0, 12'303));
    for (const unsigned rank : {52U, 63U}) {
        ranks[9'999] = rank;
        refuse(dense_of(ranks));
    }
}
