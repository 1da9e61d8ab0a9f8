// SPDX-License-Identifier: MIT
// Purpose: a yardstick, no part of the library: absl::btree_set of (score, slot), which is ordered and knows no ranks.
// Higher scores come first, equal ones by slot. Thread safety: external. Complexity: O(log n). Failure: std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>

namespace yardstick {

class BtreeSet {
public:
    explicit BtreeSet(const std::vector<double>& scores) : scores_(scores) {
        for (std::size_t i = 0; i < scores.size(); ++i) entries_.emplace(scores[i], static_cast<std::uint32_t>(i));
    }

    void update(std::uint32_t slot, double score) {
        entries_.erase({scores_[slot], slot});
        scores_[slot] = score;
        entries_.emplace(score, slot);
    }

    template <class Visit>
    void visit(Visit&& visit) const {
        for (const auto& entry : entries_) visit(entry.second);
    }

private:
    using Entry = std::pair<double, std::uint32_t>;
    struct HigherFirst {
        bool operator()(const Entry& a, const Entry& b) const {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        }
    };

    std::vector<double> scores_;
    absl::btree_set<Entry, HigherFirst> entries_;
};

}  // namespace yardstick
