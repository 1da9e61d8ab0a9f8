// SPDX-License-Identifier: MIT
// Purpose: finds the events for which a sink refuses a batch, from front to back: which part to write next.
// Thread safety: belongs to one thread.
// Invariants: everything before first() is settled, and stays so: no event is written out of order, and none again that
// was taken. A sink that changes its mind in between only makes the search longer.
// Complexity: O(1) a step. With L = ceil(log2(n)), n events of which k are bad take at most (k + 1) * (2 * L + 3)
// writes, never more than 2 * n + L + 1, and n + L if all are bad. The size halves where a part is refused and doubles
// where one is taken; behind a bad event it begins with the number of good ones before that. So a sink that refuses
// everything is soon asked about one event at a time, and one that refuses a few gets large parts.
// Failure: none.
#pragma once

#include <algorithm>
#include <cstddef>

namespace engagehub {

class RefusalSearch {
public:
    explicit RefusalSearch(std::size_t count) noexcept : end_(count), size_(count) {}

    bool is_done() const noexcept { return first_ == end_; }
    // The part to write next.
    std::size_t first() const noexcept { return first_; }
    std::size_t size() const noexcept { return size_; }

    void taken() noexcept {
        first_ += size_;
        good_ += size_;
        // What is left of a part that was refused holds the reason: all of it would be refused again.
        size_ = first_ < suspect_end_ ? half(suspect_end_ - first_) : std::min(size_ * 2, end_ - first_);
    }
    // REQUIRES: size() > 1.
    void refused() noexcept {
        suspect_end_ = first_ + size_;
        size_ = half(size_);
    }
    // The part is bad, or nobody may write it again.
    void set_aside() noexcept {
        first_ += size_;
        size_ = std::min(std::max<std::size_t>(good_, 1), end_ - first_);
        good_ = 0;
    }

private:
    static std::size_t half(std::size_t size) noexcept { return (size + 1) / 2; }

    std::size_t first_ = 0;
    std::size_t end_;
    std::size_t size_;
    std::size_t suspect_end_ = 0;  // of the smallest part that is known to hold a bad event; not after first_: none
    std::size_t good_ = 0;         // taken since the last bad event
};

}  // namespace engagehub
