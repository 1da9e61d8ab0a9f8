// SPDX-License-Identifier: MIT
// Purpose: streams of numbered names, name i with a probability in proportion to 1 / (i + 1)^exponent, by the alias
// method (Walker 1977; Vose 1991). The same seed gives the same stream on every platform but for the last bits of
// pow(). Thread safety: external. Complexity: O(names) to make, O(1) a draw. Failure: std::bad_alloc.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace engagehub_tests {

class Zipf {
public:
    Zipf(std::size_t names, double exponent) : limits_(names), others_(names) {
        double total = 0.0;
        for (std::size_t i = 0; i < names; ++i) total += limits_[i] = std::pow(static_cast<double>(i) + 1.0, -exponent);
        std::vector<std::uint32_t> small;
        std::vector<std::uint32_t> large;
        for (std::size_t i = 0; i < names; ++i) {
            limits_[i] *= static_cast<double>(names) / total;
            (limits_[i] < 1.0 ? small : large).push_back(static_cast<std::uint32_t>(i));
        }
        while (!small.empty() && !large.empty()) {
            const std::uint32_t filled = small.back();
            const std::uint32_t giver = large.back();
            small.pop_back();
            others_[filled] = giver;
            limits_[giver] -= 1.0 - limits_[filled];
            if (limits_[giver] < 1.0) {
                large.pop_back();
                small.push_back(giver);
            }
        }
        for (const auto& rest : {small, large}) {
            for (const std::uint32_t i : rest) limits_[i] = 1.0;  // or nearly, by rounding
        }
    }

    std::size_t names() const { return limits_.size(); }

    std::uint32_t draw(std::mt19937_64& random) const {
        const std::uint64_t bits = random();
        const auto name = static_cast<std::uint32_t>(((bits >> 32U) * limits_.size()) >> 32U);
        return static_cast<double>(bits & 0xffffffffU) * 0x1p-32 < limits_[name] ? name : others_[name];
    }

private:
    std::vector<double> limits_;
    std::vector<std::uint32_t> others_;
};

inline std::vector<std::uint32_t> zipf_stream(const Zipf& zipf, std::size_t items, std::mt19937_64& random) {
    std::vector<std::uint32_t> stream(items);
    for (auto& name : stream) name = zipf.draw(random);
    return stream;
}

inline std::vector<std::uint32_t> counts_of(const std::vector<std::uint32_t>& stream, std::size_t names) {
    std::vector<std::uint32_t> counts(names);
    for (const std::uint32_t name : stream) ++counts[name];
    return counts;
}

// The same items: all of the rarest name first, of the most frequent one last.
inline std::vector<std::uint32_t> by_rising_frequency(const std::vector<std::uint32_t>& counts) {
    std::vector<std::uint32_t> order(counts.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return counts[a] < counts[b]; });
    std::vector<std::uint32_t> stream;
    for (const std::uint32_t name : order) stream.insert(stream.end(), counts[name], name);
    return stream;
}

// Spearman's coefficient: Pearson's of the ranks, equal values sharing the mean of theirs.
inline double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const auto ranks = [](const std::vector<double>& values) {
        std::vector<std::size_t> order(values.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(), [&](auto x, auto y) { return values[x] < values[y]; });
        std::vector<double> result(values.size());
        for (std::size_t first = 0; first < order.size();) {
            std::size_t last = first;
            while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
            for (std::size_t i = first; i <= last; ++i) result[order[i]] = static_cast<double>(first + last) / 2.0;
            first = last + 1;
        }
        return result;
    };
    const auto x = ranks(a);
    const auto y = ranks(b);
    const double mean = (static_cast<double>(a.size()) - 1.0) / 2.0;
    double products = 0.0;
    double squares_x = 0.0;
    double squares_y = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        products += (x[i] - mean) * (y[i] - mean);
        squares_x += (x[i] - mean) * (x[i] - mean);
        squares_y += (y[i] - mean) * (y[i] - mean);
    }
    return products / std::sqrt(squares_x * squares_y);
}

}  // namespace engagehub_tests
