// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <random>
#include <set>
#include <vector>

#include <engagehub/ranking/distinct_scores.hpp>

using engagehub::DistinctScores;
using engagehub::RankKey;
using engagehub::RankKeyCodec;
using engagehub::Scaled;

TEST_CASE("distinct scores agree with a set, whatever the arrivals of the keys") {
    std::mt19937_64 random(51);
    const RankKeyCodec codec;
    DistinctScores scores(codec);
    std::set<double> model;
    const auto key_of = [&](double score) { return codec.encode(Scaled::of_double(score), random() % 1'000); };
    for (int i = 0; i < 30'000; ++i) {
        const double score = static_cast<double>(random() % 2'000) / 4.0 - 250.0;
        REQUIRE(scores.contains(key_of(score)) == (model.count(score) != 0));
        if (model.count(score) == 0) {
            scores.insert(key_of(score));
            model.insert(score);
        } else if (random() % 2 == 0) {
            scores.erase(key_of(score));
            model.erase(score);
        }
        if (i % 100 == 0) {
            scores.check();
            const auto above = static_cast<std::size_t>(std::distance(model.upper_bound(score), model.end()));
            REQUIRE(scores.count_above(key_of(score)) == above);
        }
    }
    std::vector<RankKey> sorted;
    for (auto score = model.rbegin(); score != model.rend(); ++score) sorted.push_back(key_of(*score));
    DistinctScores loaded(codec);
    loaded.load(sorted);
    loaded.swap(scores);
    scores.check();
    CHECK(scores.count_above(key_of(-1'000.0)) == model.size());
    scores.clear();
    CHECK(scores.count_above(key_of(-1'000.0)) == 0);
    scores.insert(key_of(1.0));
    CHECK(scores.contains(key_of(1.0)));
}
