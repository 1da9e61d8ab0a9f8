// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>

#include "tests/support/bytes.hpp"
#include "tests/support/leaderboard_operations.hpp"
#include "tests/support/leaderboard_reader.hpp"

using engagehub::Corrupted;
using engagehub::HalfLife;
using engagehub::Incompatible;
using engagehub::ItemView;
using engagehub::Leaderboard;
using engagehub::TieOrder;
using engagehub::Ties;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

Leaderboard small_board(bool has_texts) {
    Leaderboard board(HalfLife::of_micros(kSecond), Ties::kDense, TieOrder::kArrival, 4);
    const auto member = [&](std::int64_t number, std::string_view text) {
        return has_texts ? ItemView::of(text) : ItemView::of(number);
    };
    board.add(member(1, "ada"), 3.0, 0);
    board.add(member(-2, "bob"), 1.5, kSecond);
    board.add(member(3, ""), -1.0, kSecond / 2);
    board.add(member(4, "zo\xc3\xa9"), 0.0, 0);
    board.add(member(5, "lowest"), -9.0, 0);
    return board;
}

std::vector<std::string> valid_bytes() {
    Leaderboard by_member({}, Ties::kCompetition, TieOrder::kMember);
    for (std::int64_t i = 0; i < 6; ++i) by_member.add(ItemView::of(-i), static_cast<double>(i / 2), 0);
    return {
        Leaderboard().to_bytes(), small_board(false).to_bytes(), small_board(true).to_bytes(), by_member.to_bytes()};
}

const char* const kGoldenText =
    "45484c420140420f00000000000100020400000000000000010000000000000040420f000000000004000000000000000000"
    "00000000f83f0100000000000000000000000000000003000000616461000000000000f83f010000000000000040420f0000"
    "00000003000000626f62000000000000000000000000000000000000000000000000040000007a6fc3a9cd3b7f669ea0f6bf"
    "000000000000000020a107000000000000000000d39dad97";

std::string with_checksum(std::string body) {
    engagehub::ByteWriter writer;
    writer.put_raw(body);
    return engagehub::seal(std::move(writer));
}

}  // namespace

TEST_CASE("a board is written as the golden bytes and read from them") {
    const std::string golden = engagehub_tests::from_hex(kGoldenText);
    CHECK(engagehub_tests::to_hex(small_board(true).to_bytes()) == kGoldenText);
    const Leaderboard board = Leaderboard::from_bytes(golden);
    board.check();
    CHECK(board.half_life() == HalfLife::of_micros(kSecond));
    CHECK(board.ties() == Ties::kDense);
    CHECK(board.order() == TieOrder::kArrival);
    CHECK(board.max_members() == 4);
    CHECK(board.evicted() == 1);
    CHECK(board.newest() == kSecond);
    const auto rows = board.rows(0, 9, 0);
    REQUIRE(rows.size() == 4);
    CHECK(rows[0].member.text == "ada");
    CHECK(rows[0].score == 1.5);
    CHECK(rows[0].last_at == 0);
    CHECK(rows[1].member.text == "bob");
    CHECK(rows[1].rank == 1);
    CHECK(rows[2].member.text == "zo\xc3\xa9");
    CHECK(rows[3].member.text.empty());
    CHECK(rows[3].score == doctest::Approx(-std::sqrt(0.5)));
}

TEST_CASE("a board read goes on as the one written: ties keep their order, the newest change its place") {
    Leaderboard board(HalfLife::of_micros(kSecond));
    for (std::int64_t i = 0; i < 200; ++i) board.add(ItemView::of(i), static_cast<double>(i % 5), 0);
    Leaderboard read = Leaderboard::from_bytes(board.to_bytes());
    for (Leaderboard* each : {&board, &read}) {
        each->add(ItemView::of(77), 1.0, 0);
        each->add(ItemView::of(1'000), 3.0, 0);
    }
    CHECK(read.to_bytes() == board.to_bytes());
}

TEST_CASE("no cut and no turned bit of a board's bytes is taken for a board") {
    for (const std::string& bytes : valid_bytes()) {
        engagehub_tests::check_damage(bytes, [](const std::string& damaged) { Leaderboard::from_bytes(damaged); });
    }
}

TEST_CASE("turned bits under a right checksum give an error or a valid board") {
    for (const std::string& bytes : valid_bytes()) {
        for (std::size_t bit = 0; bit < (bytes.size() - 4) * 8; ++bit) {
            std::string damaged = bytes;
            damaged[bit / 8] = static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1U << (bit % 8)));
            REQUIRE_NOTHROW(
                engagehub_tests::read_any_leaderboard(
                    reinterpret_cast<const std::uint8_t*>(damaged.data()), damaged.size()));
        }
    }
}

TEST_CASE("states that no board has are refused") {
    const auto refused = [](std::size_t offset, std::string_view hex) {
        std::string body = small_board(false).to_bytes();
        body.resize(body.size() - 4);
        const std::string bytes = engagehub_tests::from_hex(hex);
        body.replace(offset, bytes.size(), bytes);
        try {
            Leaderboard::from_bytes(with_checksum(body));
        } catch (const Corrupted&) {
            return true;
        }
        return false;
    };
    constexpr std::size_t kRows = 48;
    constexpr std::size_t kRow = 32;
    CHECK_FALSE(refused(5, "40420f0000000000"));
    CHECK(refused(5, "ffffffffffffffff"));                             // a negative half-life
    CHECK(refused(5, "e703000000000000"));                             // 999 microseconds
    CHECK(refused(13, "03"));                                          // ties
    CHECK(refused(14, "02"));                                          // order
    CHECK(refused(15, "03"));                                          // kind of member
    CHECK(refused(15, "00"));                                          // members of no kind
    CHECK(refused(16, "0000000000000000"));                            // no room
    CHECK(refused(16, "0300000000000000"));                            // more members than room
    CHECK(refused(32, "0000000000000080"));                            // members, and no change ever
    CHECK(refused(32, "ffffffffffffff7f"));                            // after the year 9999
    CHECK(refused(32, "3f420f0000000000"));                            // before a member's newest change
    CHECK(refused(40, "0500000000000000"));                            // more rows than there are
    CHECK(refused(kRows, "0000000000000040"));                         // a mantissa of 2
    CHECK(refused(kRows, "000000000000f87f"));                         // nan
    CHECK(refused(kRows + 8, "ff7f000000000000"));                     // a score beyond every double
    CHECK(refused(kRows + 8, "00000000000000c0"));                     // an exponent far below all
    CHECK(refused(kRows + kRow, "000000000000fc3f0100000000000000"));  // higher than the row above
    CHECK(refused(kRows + 2 * kRow, "0000000000000080"));              // a negative zero
    CHECK(refused(kRows + kRow + 24, "0100000000000000"));             // a member twice
    std::string text = small_board(true).to_bytes();
    text.resize(text.size() - 4);
    text.replace(text.find("ada"), 1, "\xff");
    CHECK_THROWS_AS(Leaderboard::from_bytes(with_checksum(text)), Corrupted);
    std::string newer = Leaderboard().to_bytes();
    newer.resize(newer.size() - 4);
    newer[4] = 2;
    CHECK_THROWS_AS(Leaderboard::from_bytes(with_checksum(newer)), Incompatible);
}

TEST_CASE("ties in another order than the board's are refused where members decide it") {
    Leaderboard board({}, Ties::kCompetition, TieOrder::kArrival);
    board.add(ItemView::of(2), 1.0, 0);
    board.add(ItemView::of(1), 1.0, 0);
    std::string body = board.to_bytes();
    body.resize(body.size() - 4);
    body[14] = 1;  // by member
    CHECK_THROWS_AS(Leaderboard::from_bytes(with_checksum(body)), Corrupted);
}

TEST_CASE("the reader and a stream of operations survive mutated bytes") {
    const std::vector<std::string> seeds = valid_bytes();
    for (const std::string& bytes : seeds) CHECK(engagehub_tests::read_leaderboard(bytes));
    std::mt19937_64 random(61);
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes = seeds[random() % seeds.size()];
        for (std::uint64_t change = random() % 4; change-- > 0;) {
            const std::size_t at = random() % (bytes.size() + 1);
            switch (random() % 3) {
                case 0: bytes.insert(at, 1, static_cast<char>(random())); break;
                case 1: bytes.erase(at, 1 + random() % 8); break;
                default:
                    if (at < bytes.size()) bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
            }
        }
        const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
        CHECK_NOTHROW(engagehub_tests::read_any_leaderboard(data, bytes.size()));
        if (i % 20 == 0) CHECK_NOTHROW(engagehub_tests::operate_on_board(data, bytes.size()));
    }
}
