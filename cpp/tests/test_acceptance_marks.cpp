// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <engagehub/base/instant.hpp>
#include <engagehub/pipeline/acceptance_marks.hpp>

using engagehub::AcceptanceMarks;

namespace {

// Every instant of acceptance, and nothing clever: an instant that has yet to come becomes now.
class Model {
public:
    explicit Model(std::int64_t horizon) : horizon_(horizon) {}

    void see(std::int64_t now) {
        for (std::size_t i = accepted_.size(); i-- > may_be_gone_ && accepted_[i] > now;) accepted_[i] = now;
    }
    void accept(std::int64_t now) { accepted_.push_back(now); }
    std::uint64_t next() const { return accepted_.size(); }

    // The lowest answer that may be given and the highest.
    std::uint64_t low(std::int64_t now, std::int64_t granularity) {
        while (must_be_gone_ < next() && now - accepted_[must_be_gone_] >= horizon_ + granularity) ++must_be_gone_;
        return must_be_gone_;
    }
    std::uint64_t high(std::int64_t now) {
        while (may_be_gone_ < next() && now - accepted_[may_be_gone_] > horizon_) ++may_be_gone_;
        return may_be_gone_;
    }

private:
    std::int64_t horizon_;
    std::vector<std::int64_t> accepted_;
    std::size_t must_be_gone_ = 0;
    std::size_t may_be_gone_ = 0;
};

template <class Step>
void compare(std::int64_t horizon, int rounds, std::uint64_t seed, const Step& step) {
    CAPTURE(horizon);
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    AcceptanceMarks marks(horizon);
    Model model(horizon);
    std::int64_t now = 1'700'000'000'000'000;
    std::uint64_t forgotten = 0;
    for (int i = 0; i < rounds; ++i) {
        now += step(random);
        model.see(now);
        const std::uint64_t first = marks.first_remembered(now, model.next());
        REQUIRE(first >= forgotten);
        REQUIRE(first >= model.low(now, marks.granularity()));
        REQUIRE(first <= model.high(now));
        forgotten = first;
        if (random() % 3 != 0) model.accept(now);
    }
    CHECK(forgotten > 0);
}

}  // namespace

TEST_CASE("marks remember for the horizon, and for less than their granularity more") {
    for (const std::int64_t horizon : {1, 2, 63, 64, 65, 1'000, 1'000'000}) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            for (const std::int64_t slowness : {1, 20, 3'000}) {  // calls to a horizon
                const auto most = static_cast<std::uint64_t>(std::max<std::int64_t>(2 * horizon / slowness, 1));
                compare(horizon, 10'000, seed, [&](auto& random) {
                    return static_cast<std::int64_t>(random() % (most + 1));
                });
            }
        }
    }
}

TEST_CASE("marks take a clock that steps back as the instant that it is") {
    for (const std::int64_t horizon : {1, 64, 1'000, 1'000'000}) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            compare(horizon, 10'000, seed, [&](auto& random) {  // a few of many threads are late
                const auto step = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(horizon / 20 + 2));
                return random() % 4 == 0 ? -step : step;
            });
            compare(horizon, 10'000, seed, [&](auto& random) {  // and somebody sets the clock
                const auto step = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(horizon / 20 + 2));
                return random() % 50 != 0 ? step : random() % 2 != 0 ? 2 * horizon : -2 * horizon;
            });
        }
    }
}

TEST_CASE("marks are granularity apart, however the clock jumps: never more than there is room for") {
    constexpr std::int64_t kHorizon = 6'400;
    AcceptanceMarks marks(kHorizon);
    CHECK(marks.granularity() == 100);
    std::uint64_t next = 0;
    for (int i = 0; i < 100'000; ++i) {
        const std::int64_t now = i % 2 == 0 ? 0 : 100 * (i % 64);
        REQUIRE(marks.first_remembered(now, next++) == 0);
    }
    CHECK(marks.first_remembered(engagehub::kLastInstant, next) == next);
    CHECK(marks.first_remembered(engagehub::kFirstInstant, next) == next);
}
