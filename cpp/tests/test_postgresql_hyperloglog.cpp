// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/postgresql_hyperloglog.hpp>

#include "tests/support/bytes.hpp"

using engagehub::Corrupted;
using engagehub::HyperLogLog;
using engagehub::hyperloglog_from_postgresql;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::ItemHash;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::PostgresqlType;
using engagehub::to_postgresql;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

using Registers = std::map<std::uint32_t, unsigned>;

HyperLogLog of_texts(const std::vector<std::string>& texts, unsigned p) {
    HyperLogLog sketch(p, ItemHash::postgresql());
    for (const auto& value : texts) sketch.add(ItemView::of(std::string_view(value)));
    return sketch;
}

HyperLogLog of_range(std::int64_t first, std::int64_t last, unsigned p) {
    HyperLogLog sketch(p, ItemHash::postgresql());
    for (std::int64_t i = first; i < last; ++i) sketch.add(ItemView::of(i));
    return sketch;
}

PostgresqlType type(
    std::optional<std::int64_t> log2m, std::int64_t regwidth = 5, std::int64_t expthresh = -1, bool sparse = true) {
    return {log2m, regwidth, expthresh, sparse};
}

// The extension's rule, bit by bit.
void model_add(Registers& registers, std::uint64_t hash, unsigned log2m, unsigned regwidth) {
    unsigned value = 0;
    for (unsigned bit = log2m; bit < 64; ++bit) {
        if (((hash >> bit) & 1U) != 0) {
            value = bit - log2m + 1;
            break;
        }
    }
    value = std::min(value, (1U << regwidth) - 1);
    auto& held = registers[static_cast<std::uint32_t>(hash & ((std::uint64_t{1} << log2m) - 1))];
    held = std::max(held, value);
}

std::string bits_of(std::uint64_t value, unsigned width) {
    std::string bits;
    for (unsigned i = width; i-- > 0;) bits += ((value >> i) & 1U) != 0 ? '1' : '0';
    return bits;
}

std::string packed(std::string bits) {
    while (bits.size() % 8 != 0) bits += '0';
    std::string bytes;
    for (std::size_t i = 0; i < bits.size(); i += 8)
        bytes += static_cast<char>(std::stoi(bits.substr(i, 8), nullptr, 2));
    return bytes;
}

// The specification, bit by bit.
std::string model_bytes(
    const Registers& registers, unsigned log2m, unsigned regwidth, unsigned threshold_code, bool sparse) {
    std::string listed;
    std::string all;
    for (std::uint32_t i = 0; i < (1U << log2m); ++i) {
        const auto found = registers.find(i);
        const unsigned value = found == registers.end() ? 0 : found->second;
        if (value != 0) listed += bits_of(i, log2m) + bits_of(value, regwidth);
        all += bits_of(value, regwidth);
    }
    // Zeros at the end must not pass for an entry.
    const bool is_ambiguous = packed(listed).size() * 8 - listed.size() >= log2m + regwidth;
    const bool is_sparse = sparse && listed.size() < all.size() && !is_ambiguous;
    std::string bytes;
    bytes += static_cast<char>(is_sparse ? 0x13 : 0x14);
    bytes += static_cast<char>((regwidth - 1) * 32 + log2m);
    bytes += static_cast<char>((sparse ? 64 : 0) + threshold_code);
    return bytes + packed(is_sparse ? listed : all);
}

std::string refusal(const std::string& bytes) {
    try {
        hyperloglog_from_postgresql(bytes);
    } catch (const Corrupted& error) {
        REQUIRE(error.offset <= bytes.size());
        return error.what();
    } catch (const Incompatible& error) {
        return error.what();
    }
    return "";
}

}  // namespace

// What hll 2.17 on PostgreSQL 15 holds.
TEST_CASE("to_postgresql gives the bytes of a server") {
    const HyperLogLog abc = of_texts({"a", "b", "c"}, 14);
    CHECK(to_hex(to_postgresql(abc, type(std::nullopt, 5, 0))) == "138e4047b83a6b87889080");
    CHECK(to_hex(to_postgresql(abc, type(11, 5, 0))) == "138b4011213dc29ae2");
    CHECK(to_hex(to_postgresql(abc, type(11))) == "138b7f11213dc29ae2");
    CHECK(to_hex(to_postgresql(HyperLogLog(14, ItemHash::postgresql()), type(11, 5, 8192, false))) == "118b0e");
    CHECK(to_hex(to_postgresql(of_range(0, 12, 4), type(4, 5, 0))) == "14844000c21000401046328000");
    CHECK(to_hex(to_postgresql(of_range(0, 12, 14), type(4, 5, 0, false))) == "14840000c21000401046328000");
    CHECK(to_hex(to_postgresql(of_range(0, 12, 4), type(4, 2, 0))) == "14244035089fc0");
    CHECK(to_hex(to_postgresql(of_range(0, 2, 4), type(4, 3, 0))) == "134440a76c");
}

TEST_CASE("from_postgresql reads what a server writes, hashes as items") {
    const HyperLogLog abc = of_texts({"a", "b", "c"}, 11);
    const HyperLogLog read = hyperloglog_from_postgresql(from_hex(
        "128b7f85555565f6597889"
        "8e38df6c4a1f74d7"
        "7a98a957b1d3d1ee"));
    CHECK(read.p() == 11);
    CHECK(read.hash() == ItemHash::postgresql());
    CHECK(read.kind() == ItemKind::kNone);
    HyperLogLog added = read;
    added.add(ItemView::of(std::string_view("a")));
    CHECK(added == abc);  // the hashes are all there, so nothing of the sketch is missing
    for (const char* hex : {"138b4011213dc29ae2", "138b7f11213dc29ae2"}) {
        const HyperLogLog registers = hyperloglog_from_postgresql(from_hex(hex));
        CHECK(to_postgresql(registers) == to_postgresql(abc));
        CHECK(registers.estimate() == doctest::Approx(3.0).epsilon(0.01));
    }
    const HyperLogLog empty = hyperloglog_from_postgresql(from_hex("11917f"));
    CHECK(empty.is_empty());
    CHECK(empty.p() == 17);
    CHECK(hyperloglog_from_postgresql(from_hex("138b40")).is_empty());  // one item, of which nothing was left
    CHECK(hyperloglog_from_postgresql(from_hex("11927f")).p() == 18);   // servers don't go so far, the format does
}

TEST_CASE("to_postgresql is the extension's rule at every precision and width") {
    std::mt19937_64 random(1);
    int sparse = 0;
    int full = 0;
    int ambiguous = 0;
    for (int round = 0; round < 600; ++round) {
        const auto p = static_cast<unsigned>(4 + random() % 9);
        const bool is_narrow = round % 4 == 0;  // so that an entry may be shorter than a byte
        const auto log2m = static_cast<unsigned>(4 + random() % (is_narrow ? 1 : p - 3));
        const auto regwidth = static_cast<unsigned>(1 + random() % (is_narrow ? 3 : 7));
        const bool sparse_enabled = random() % 4 != 0;
        HyperLogLog sketch(p, ItemHash::postgresql());
        Registers model;
        const std::uint64_t most = std::uint64_t{2} << (random() % p);
        for (std::uint64_t count = random() % most; count-- > 0;) {
            std::uint64_t hash = random();
            if (random() % 5 == 0) hash = (hash >> p << (p + random() % (60 - p))) | (hash & ((1U << p) - 1));
            if (hash >> log2m == 0) continue;
            sketch.add_hash(hash);
            model_add(model, hash, log2m, regwidth);
        }
        const std::string bytes = to_postgresql(sketch, type(log2m, regwidth, 4, sparse_enabled));
        if (model.empty()) {
            REQUIRE(bytes.size() == 3);
            continue;
        }
        REQUIRE(bytes == model_bytes(model, log2m, regwidth, 3, sparse_enabled));
        const HyperLogLog read = hyperloglog_from_postgresql(bytes);
        REQUIRE(read.p() == log2m);
        REQUIRE(to_postgresql(read, type(log2m, regwidth, 4, sparse_enabled)) == bytes);
        Registers held;
        read.each_rank([&](std::uint32_t index, unsigned rank) { held[index] = rank; });
        REQUIRE(held == model);
        sparse += bytes[0] == 0x13 ? 1 : 0;
        full += bytes[0] == 0x14 ? 1 : 0;
        const std::size_t bits = model.size() * (log2m + regwidth);
        const bool is_short = sparse_enabled && bits < std::size_t{regwidth} << log2m;
        ambiguous += bytes[0] == 0x14 && is_short ? 1 : 0;
    }
    CHECK(sparse > 100);
    CHECK(full > 100);
    CHECK(ambiguous > 10);
}

TEST_CASE("an item whose hash has nothing above the index leaves no trace, as in the extension") {
    HyperLogLog sketch(14, ItemHash::postgresql());
    sketch.add_hash(5);
    CHECK(to_hex(to_postgresql(sketch, type(11))) == "138b7f");
    // At a lower precision the bits in between count.
    CHECK(to_hex(to_postgresql(sketch, type(4))) == "13847f");
    sketch.clear();
    sketch.add_hash(0x30);
    CHECK(to_hex(to_postgresql(sketch, type(4))) == "13847f0080");
    CHECK(to_hex(to_postgresql(sketch, type(14))) == "138e7f");
}

TEST_CASE("to_postgresql refuses other hashes and types that no column has") {
    CHECK_THROWS_WITH_AS(
        to_postgresql(HyperLogLog()), "sketches of the same hash and key are required, got postgresql and redis",
        Incompatible);
    const HyperLogLog sketch = of_range(0, 3, 12);
    CHECK_THROWS_WITH_AS(
        to_postgresql(sketch, type(13)), "log2m must be between 4 and 12 for a sketch of p = 12, got 13",
        InvalidArgument);
    CHECK_THROWS_AS(to_postgresql(sketch, type(3)), InvalidArgument);
    CHECK_THROWS_WITH_AS(
        to_postgresql(sketch, type(11, 8)), "regwidth must be between 1 and 7, got 8", InvalidArgument);
    CHECK_THROWS_AS(to_postgresql(sketch, type(11, 0)), InvalidArgument);
    for (const std::int64_t expthresh : {-2, 3, 12, 16'384}) {
        CHECK_THROWS_WITH_AS(
            to_postgresql(sketch, type(11, 5, expthresh)),
            ("expthresh must be -1, 0 or a power of two up to 8192, got " + std::to_string(expthresh)).c_str(),
            InvalidArgument);
    }
    // A server has room for 2^17 registers.
    const HyperLogLog fine = of_range(0, 3, 18);
    CHECK(to_postgresql(fine) == to_postgresql(fine, type(17)));
    CHECK_THROWS_AS(to_postgresql(fine, type(18)), InvalidArgument);
}

TEST_CASE("from_postgresql says what is wrong") {
    CHECK(refusal("") == "data ends early at offset 0");
    CHECK(refusal(from_hex("118b")) == "data ends early at offset 2");
    CHECK(refusal(from_hex("018b7f")) == "schema version must be 1, got 0");
    CHECK(refusal(from_hex("218b7f")) == "schema version must be 1, got 2");
    CHECK(refusal(from_hex("108b7f")) == "data must be a set, got the undefined value");
    CHECK(refusal(from_hex("158b7f")) == "data has an unknown form at offset 0");
    CHECK(refusal(from_hex("118bff")) == "data has a reserved bit that isn't zero at offset 2");
    CHECK(refusal(from_hex("118b60")) == "data has an impossible threshold at offset 2");
    CHECK(refusal(from_hex("11837f")) == "log2m of the data must be between 4 and 18, got 3");
    CHECK(refusal(from_hex("11937f")) == "log2m of the data must be between 4 and 18, got 19");
    CHECK(refusal(from_hex("118b7f00")) == "data has bytes left over at offset 3");
    // Hashes: too short, twice, descending (as signed numbers).
    CHECK(refusal(from_hex("128b7f00000000000000")) == "data ends early at offset 3");
    CHECK(refusal(from_hex("128b7f00000000000000010000000000000001")) == "data has hashes out of order at offset 19");
    CHECK(refusal(from_hex("128b7f0000000000000001ffffffffffffffff")) == "data has hashes out of order at offset 19");
    CHECK(refusal(from_hex("128b7fffffffffffffffff0000000000000001")).empty());
    // Registers at log2m = 11, width 5: the first index is 137.
    CHECK(refusal(from_hex("138b401120")) == "data lists a register of zero at offset 5");
    CHECK(refusal(from_hex("138b4011211121")) == "data has registers out of order at offset 7");
    CHECK(refusal(from_hex("138b4011213dc29ae200")) == "data ends within a register at offset 9");
    CHECK(refusal(from_hex("138e4047b83a6b87889081")) == "data ends within a register at offset 11");
    CHECK(refusal(from_hex("14844000c210004010463280")) == "data must have 10 bytes of registers, has 9 at offset 3");
    CHECK(
        refusal(from_hex("14844000c2100040104632800000")) ==
        "data must have 10 bytes of registers, has 11 at offset 3");
    // Rank 61 at log2m = 4, of which 60 is the highest.
    CHECK(refusal(from_hex("13a4400f40")) == "data has an impossible rank at offset 5");
    CHECK(refusal(from_hex("13a4400f00")).empty());
}

TEST_CASE("from_postgresql refuses every truncation and turned bit, or reads what the bytes then say") {
    const HyperLogLog abc = of_texts({"a", "b", "c"}, 11);
    const std::vector<std::string> valid = {
        from_hex("128b7f85555565f65978898e38df6c4a1f74d77a98a957b1d3d1ee"), to_postgresql(abc),
        to_postgresql(of_range(0, 40, 6), type(4, 6)), to_postgresql(of_range(0, 2, 4), type(4, 3, 0)),
        to_postgresql(HyperLogLog(11, ItemHash::postgresql()))};
    const auto check = [](const std::string& damaged) {
        if (!refusal(damaged).empty()) return false;
        const HyperLogLog read = hyperloglog_from_postgresql(damaged);
        const unsigned regwidth = static_cast<unsigned>(static_cast<unsigned char>(damaged[1]) >> 5U) + 1;
        const bool is_hashes = (damaged[0] & 15) == 2;
        if (is_hashes || regwidth > 7 || read.p() > 17) return true;
        // What was read says the same registers as the bytes, whichever form they are in.
        const HyperLogLog again = hyperloglog_from_postgresql(to_postgresql(read, type(std::nullopt, regwidth)));
        Registers first;
        Registers second;
        read.each_rank([&](std::uint32_t index, unsigned rank) { first[index] = rank; });
        again.each_rank([&](std::uint32_t index, unsigned rank) { second[index] = rank; });
        REQUIRE(first == second);
        return true;
    };
    for (const std::string& bytes : valid) {
        REQUIRE(check(bytes));
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            // Only a list may end sooner, where one of its entries does.
            const bool is_read = check(bytes.substr(0, size));
            CHECK((!is_read || (size >= 3 && (bytes[0] == 0x12 || bytes[0] == 0x13))));
        }
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            std::string damaged = bytes;
            damaged[bit / 8] = static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1U << (bit % 8)));
            check(damaged);
        }
        CHECK_FALSE(check(bytes + '\0'));
    }
}
