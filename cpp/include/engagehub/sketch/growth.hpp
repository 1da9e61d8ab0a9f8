// SPDX-License-Identifier: MIT
// Purpose: how much faster an item comes now than it used to, and how sure that is. The recent weight is decayed by the
// half-life h; what the longer half-life H remembers and h has forgotten is the baseline, so that a burst doesn't raise
// its own. A constant rate r that was observed for a time T leaves r * reach in a decayed sum, where reach is
// H / ln 2 * (1 - 2^(-T/H)): that turns sums into rates, those of a young sketch too.
// The score is the likelihood-ratio significance of two Poisson counts (Li, Ma, «Analysis methods for results in
// gamma-ray astronomy», ApJ 272, 1983, equation 17), in standard deviations, negative for a fall. A decayed sum varies
// less than a count of its size: as much as a count of 2 / (1 + 2^(-T/H)) times its size does, relative to itself.
// Smoothing: one event more in the baseline, at the rate of the two together: an item without a past has a finite
// ratio. Thread safety: values. Complexity: O(1). Failure: none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <engagehub/decay/half_life.hpp>

namespace engagehub {

struct Growth {
    double rate;      // an hour, now
    double baseline;  // an hour, before
    double ratio;     // of the rate to the baseline after smoothing
    double score;     // standard deviations that the rate is above the baseline
};

class GrowthScale {
public:
    // REQUIRES: both decay, and the baseline's half-life is the longer one. Less than a second counts as a second.
    GrowthScale(HalfLife recent, HalfLife baseline, std::int64_t observed_micros)
        : recent_(recent, std::max(observed_micros, kSecond)),
          baseline_(baseline, std::max(observed_micros, kSecond)) {}

    // From the sums of one item under either half-life, as of the same instant.
    Growth operator()(double recent_sum, double baseline_sum) const {
        const double older_sum = std::max(0.0, baseline_sum - recent_sum);
        const double older_reach = std::max(0.0, baseline_.reach - recent_.reach);
        const double now = recent_sum * recent_.counts;
        const double now_time = recent_.reach * recent_.counts;
        const double before = older_sum * baseline_.counts;
        const double before_time = older_reach * baseline_.counts;
        const double rate = recent_sum / recent_.reach;
        const double baseline = older_reach > 0.0 ? older_sum / older_reach : 0.0;
        const double sum = now + before;
        if (!(sum > 0.0)) return {rate, baseline, 1.0, 0.0};
        // The one event more takes time / sum. Written so that no sum is too small to divide by: of what remains, every
        // quotient is bounded.
        const double time = now_time + before_time;
        const double smoothed = before + kSmoothing;
        const double excess = (now / sum) * (time / now_time);  // of now, over what equal rates would have given it
        const double ratio = (rate * before_time + kSmoothing * excess) / smoothed;
        const double off_expected = smoothed + now - sum * (now_time / time);
        const double gained = now > 0.0 ? now * std::log(excess) : 0.0;
        const double lost = smoothed * std::log(smoothed / off_expected);
        const double score = std::sqrt(2.0 * std::max(0.0, gained + lost));
        return {rate, baseline, ratio, excess < 1.0 ? -score : score};
    }

private:
    static constexpr std::int64_t kSecond = 1'000'000;
    static constexpr double kHour = 3.6e9;
    static constexpr double kSmoothing = 1.0;

    struct Reach {
        Reach(HalfLife half_life, std::int64_t observed_micros) {
            constexpr double kLn2 = 0x1.62e42fefa39efp-1;
            const auto micros = static_cast<double>(half_life.micros());
            const double decayed = -std::expm1(-static_cast<double>(observed_micros) / micros * kLn2);
            reach = micros / kHour / kLn2 * decayed;
            counts = 2.0 / (2.0 - decayed);
        }
        double reach;   // hours
        double counts;  // how large a count varies as much as a decayed sum of 1
    };

    Reach recent_;
    Reach baseline_;
};

}  // namespace engagehub
