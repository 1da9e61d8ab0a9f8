// SPDX-License-Identifier: MIT
// Purpose: which of the identities that were numbered in the order of their acceptance are older than the horizon, by
// one mark for a 64th of the horizon in place of one instant each. The clock is the caller's and may step back: what
// was accepted at instants that have yet to come then counts as accepted now.
// An identity is remembered for at least the horizon and for less than granularity() more, on a clock that doesn't step
// back; otherwise it is forgotten too early by at most the step.
// Thread safety: external. Invariants: marks are at least granularity() apart, so that there are never more than 65 of
// them; what a mark stands for was accepted within granularity() from it on.
// Complexity: O(1), and O(marks) when one comes or goes. Failure: none.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace engagehub {

class AcceptanceMarks {
public:
    using Number = std::uint64_t;

    // Instants and horizon are microseconds. REQUIRES: horizon > 0; no sum of an instant and twice the horizon is out
    // of range.
    explicit AcceptanceMarks(std::int64_t horizon)
        : granularity_((horizon + kPerHorizon - 1) / kPerHorizon), lifetime_(horizon + granularity_) {}

    std::int64_t granularity() const { return granularity_; }

    // The lowest number that is remembered now. The next to be accepted, if it is accepted now, has the number `next`.
    Number first_remembered(std::int64_t now, Number next) {
        if (count_ != 0) {
            const std::int64_t newest = marks_[count_ - 1].at;
            if (now >= newest && now < newest + granularity_ && now < marks_[0].at + lifetime_) return marks_[0].first;
        }
        step_back(now);
        expire(now);
        if (count_ == 0 || now >= marks_[count_ - 1].at + granularity_) marks_[count_++] = {now, next};
        return marks_[0].first;
    }

private:
    static constexpr std::int64_t kPerHorizon = 64;

    struct Mark {
        std::int64_t at;
        Number first;
    };

    // A mark of the future moves to now, or into the one before it if that reaches so far.
    void step_back(std::int64_t now) {
        while (count_ != 0 && marks_[count_ - 1].at > now) {
            if (count_ == 1 || marks_[count_ - 2].at + granularity_ <= now) {
                marks_[count_ - 1].at = now;
            } else {
                --count_;
            }
        }
    }

    void expire(std::int64_t now) {
        const auto* const end = marks_.data() + count_;
        const auto* const kept = std::find_if(
            marks_.data(), marks_.data() + count_, [&](const Mark& mark) { return now < mark.at + lifetime_; });
        std::copy(kept, end, marks_.data());
        count_ = static_cast<std::size_t>(end - kept);
    }

    std::int64_t granularity_;
    std::int64_t lifetime_;
    std::size_t count_ = 0;
    std::array<Mark, kPerHorizon + 1> marks_{};
};

}  // namespace engagehub
