// SPDX-License-Identifier: MIT
// Ranks without Python: a community's board with a half-life of a week, its snapshot, and the skip list below it over
// data of one's own. Every answer is printed and compared with the one that it must be; a wrong one fails the program.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/rank_key.hpp>
#include <engagehub/ranking/skip_list.hpp>

namespace {

constexpr std::int64_t kDay = 86'400'000'000;  // instants are microseconds since 1970
constexpr std::int64_t kWeek = 7 * kDay;

int wrong = 0;

void expect(const char* what, double answer, double right) {
    const bool is_right = std::abs(answer - right) < 1e-9;
    std::printf("%-40s %8.3f%s\n", what, answer, is_right ? "" : "  WRONG");
    wrong += is_right ? 0 : 1;
}

engagehub::ItemView member(std::string_view name) { return engagehub::ItemView::of(name); }

struct Names {
    const std::vector<std::string>& names;
    engagehub::ItemView operator[](std::size_t i) const { return member(names[i]); }
};

void weekly_board() {
    engagehub::Leaderboard board(engagehub::HalfLife::of_micros(kWeek));
    board.add(member("ada"), 10.0, 0);
    board.add(member("bob"), 6.0, 0);
    expect("bob, with 6 more a week later", board.add(member("bob"), 6.0, kWeek), 9.0);
    expect("ada by then", board.score(*board.find(member("ada")), kWeek), 5.0);
    expect("ada's rank", static_cast<double>(board.rank(*board.find(member("ada")))), 2);

    // A batch: anything that can be indexed will do.
    const std::vector<std::string> names{"cy", "dee", "ada"};
    const std::vector<double> points{8.0, 1.0, 5.0};
    const std::vector<std::int64_t> instants{kWeek, kWeek, kWeek};
    std::size_t done = 0;
    board.update(Names{names}, points, instants, names.size(), done);
    expect("changes made by the batch", static_cast<double>(done), 3);

    std::printf("\nrank  member  score\n");
    for (const auto& row : board.rows(0, 10, kWeek)) {
        std::printf("%4zu  %-6s %6.2f\n", row.rank, std::string(row.member.text).c_str(), row.score);
    }
    std::printf("\n");
    expect("members with 8 or more", static_cast<double>(board.count_above(8.0, true, kWeek)), 3);
    expect("per cent of the board below cy", board.percentile(*board.find(member("cy"))), 25.0);

    // What another process goes on from.
    const auto copy = engagehub::Leaderboard::from_bytes(board.to_bytes());
    expect("ada in the copy, another week later", copy.score(*copy.find(member("ada")), 2 * kWeek), 5.0);
}

// The list holds slots, 32-bit numbers; what they stand for and which key each has is the caller's.
struct Runners {
    std::vector<engagehub::RankKey> keys;
};
struct ByTime {
    const Runners* runners;
    const engagehub::RankKey& key(std::uint32_t slot) const { return runners->keys[slot]; }
    bool before(std::uint32_t a, std::uint32_t b) const { return a < b; }  // equal keys by number
};

void race() {
    // The fastest comes first, so keys are plain milliseconds, not scores.
    Runners runners;
    for (std::uint32_t slot = 0; slot < 1'000; ++slot) runners.keys.push_back({60'000 + slot * 37 % 1'000, 0});
    engagehub::SkipList<ByTime> list(ByTime{&runners});
    for (std::uint32_t slot = 0; slot < 1'000; ++slot) list.insert(runners.keys[slot], slot);

    expect("runners faster than 60.5 s", static_cast<double>(list.count_below({60'500, 0})), 500);
    expect("place of number 10", static_cast<double>(list.position(runners.keys[10], 10) + 1), 371);
    const engagehub::RankKey corrected{59'999, 0};
    list.move(runners.keys[10], corrected, 10);
    runners.keys[10] = corrected;
    expect("the winner after a correction", static_cast<double>(list.at(0)), 10);
}

}  // namespace

int main() {
    weekly_board();
    race();
    return wrong == 0 ? 0 : 1;
}
