// SPDX-License-Identifier: MIT
// Purpose: how many distinct items reached given registers or tokens. UltraLogLog registers by maximum likelihood
// (Ertl, «UltraLogLog», VLDB 2024, section 4.2), plain ones by Ertl's estimator of 2017 («New cardinality estimation
// algorithms for HyperLogLog sketches», section 4), which Redis and Valkey use, tokens by the number that collisions
// leave. None has a switching point or a table of corrections.
// Thread safety: pure functions. Complexity: O(256) and some sixty divisions a step of five or so, once the registers
// are counted by value.
// Failure: none; an infinite estimate means that every register is as high as can be.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <engagehub/sketch/token_set.hpp>
#include <engagehub/sketch/ultra_registers.hpp>

namespace engagehub::distinct {

using Histogram = std::array<std::uint32_t, 256>;

// How many registers have each value. REQUIRES: size is a multiple of 8.
inline Histogram histogram_of(const std::uint8_t* registers, std::size_t size) {
    // Four tables, for neighbours are mostly equal or close and would wait for each other's counters.
    std::array<Histogram, 4> counts{};
    for (std::size_t i = 0; i < size; i += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, registers + i, sizeof eight);
        for (std::size_t j = 0; j < 8; ++j, eight >>= 8U) ++counts[j % 4][eight & 0xffU];
    }
    for (std::size_t value = 0; value < counts[0].size(); ++value)
        counts[0][value] += counts[1][value] + counts[2][value] + counts[3][value];
    return counts[0];
}

// Of UltraLogLog registers at p. The items that reach a register with a rank are taken as a Poisson stream of rate
// x * 2^-rank; each register tells of the ranks above its highest that they didn't come, and of the highest and the
// two below whether they did.
inline double ultra_estimate(const Histogram& histogram, unsigned p) {
    const unsigned last = ultra::highest_rank(p);
    const auto share = [last](unsigned rank) {
        return std::ldexp(1.0, -static_cast<int>(rank < last ? rank : last - 1));
    };
    std::array<double, 65> came{};  // by rank: registers that it reached
    double missed = histogram[0];   // the sum of the shares that didn't come
    double sum = 0.0;
    for (unsigned value = 4 * ultra::level_of(1, p); value < histogram.size(); ++value) {
        if (histogram[value] == 0) continue;
        const double count = histogram[value];
        const unsigned rank = ultra::rank_of(static_cast<std::uint8_t>(value), p);
        if (rank < last) missed += count * share(rank);  // all higher ranks together
        came[rank] += count;
        sum += count;
        for (unsigned below = 1; below <= 2 && below < rank; ++below) {
            if ((value & (below == 1 ? 2U : 1U)) != 0) {
                came[rank - below] += count;
                sum += count;
            } else {
                missed += count * share(rank - below);
            }
        }
    }
    if (sum == 0.0) return 0.0;
    if (missed == 0.0) return std::numeric_limits<double>::infinity();

    unsigned lowest = 1;
    unsigned highest = last;
    while (came[lowest] == 0.0) ++lowest;
    while (came[highest] == 0.0) --highest;
    // The likelihood is highest where F(x) = sum of came * phi(x * share) - missed * x is 0, phi(y) = y / (e^y - 1). F
    // falls and is convex, so Newton's steps from below never overshoot; phi(y) >= 1 - y / 2 gives a start below. phi
    // at twice y follows from phi at y by one division: e^y = 1 + y / phi(y).
    double weighted = 0.0;
    for (unsigned rank = lowest; rank <= highest; ++rank) weighted += came[rank] * share(rank);
    double x = sum / (0.5 * weighted + missed);
    constexpr int kMostSteps = 64;  // far more than ever needed
    for (int step = 0; step < kMostSteps; ++step) {
        double y = x * share(highest);
        // Down to at most 2^-6, where the series is exact in double precision, then up again.
        int halvings = std::max(0, std::ilogb(y) + 7);
        y = std::ldexp(y, -halvings);
        double phi = 1.0 - y * (0.5 - y * (1.0 / 12.0 - y * y * (1.0 / 720.0 - y * y / 30240.0)));
        const auto twice = [&] {
            phi = 2.0 * phi * phi / (2.0 * phi + y);
            y *= 2.0;
        };
        for (; halvings > 0; --halvings) twice();
        double value = 0.0;
        double slope = 0.0;  // of the sum by ln x
        for (unsigned rank = highest;; --rank) {
            value += came[rank] * phi;
            slope += came[rank] * phi * (1.0 - phi - y);
            if (rank == lowest) break;
            if (rank < last) twice();  // the last rank's share is that of the one below it
        }
        const double distance = value - missed * x;
        const double next = x + distance * x / (missed * x - slope);
        if (!(next > x * (1.0 + 1e-14))) break;
        x = next;
    }
    // Ertl's correction of the bias of first order, for this number of bits a register.
    constexpr double kBias = 0.48147376527720065;
    const double m = std::ldexp(1.0, static_cast<int>(p));
    return m * x / (1.0 + kBias / m);
}

// What the registers at zero and the saturated ones contribute: sections 4.3 and 4.4 of Ertl 2017.
inline double sigma(double x) {
    double y = 1.0;
    double z = x;
    for (double before = -1.0; z != before;) {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    }
    return z;
}
inline double tau(double x) {
    if (x == 0.0 || x == 1.0) return 0.0;
    double y = 1.0;
    double z = 1.0 - x;
    for (double before = -1.0; z != before;) {
        x = std::sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
    }
    return z / 3.0;
}

// Of plain registers at p. REQUIRES: their lower bits are zero.
inline double plain_estimate(const Histogram& histogram, unsigned p) {
    constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)
    const double m = std::ldexp(1.0, static_cast<int>(p));
    if (histogram[0] == m) return 0.0;
    const unsigned last = ultra::highest_rank(p);
    const auto count = [&](unsigned rank) { return static_cast<double>(histogram[ultra::level_of(rank, p) << 2U]); };
    double z = m * tau(1.0 - count(last) / m);
    for (unsigned rank = last - 1; rank >= 1; --rank) z = 0.5 * (z + count(rank));
    z += m * sigma(histogram[0] / m);
    return kAlphaInfinity * m * m / z;
}

// Two items of n share a token with probability 2^-26 / 3: n items leave n - n^2 / (6 * 2^26) of them.
inline double token_collisions(double items) { return items * items / (6.0 * (1U << TokenSet::kIndexBits)); }
inline double token_estimate(std::size_t tokens) {
    const auto count = static_cast<double>(tokens);
    return count + token_collisions(count);
}

// The standard error that theory gives an estimate of that many items, relative to it: by the Fisher information that
// 2^p registers hold about a Poisson stream, less what its length varies. `extra` is 2 for UltraLogLog registers, 0 for
// plain ones. A rank is known to have come or not unless one higher by more than `extra` came.
inline double expected_error(double items, unsigned p, unsigned extra) {
    if (!(items > 0.0)) return 0.0;
    const double m = std::ldexp(1.0, static_cast<int>(p));
    const double x = items / m;
    double information = 0.0;
    for (unsigned rank = 1; rank <= ultra::highest_rank(p); ++rank) {
        const double y = std::ldexp(x, -static_cast<int>(rank));
        information += y / (std::expm1(y) / y) * std::exp(-std::ldexp(y, -static_cast<int>(extra)));
    }
    const double variance = 1.0 / (m * information) - 1.0 / items;
    return std::sqrt(variance > 0.0 ? variance : 0.0);
}

}  // namespace engagehub::distinct
