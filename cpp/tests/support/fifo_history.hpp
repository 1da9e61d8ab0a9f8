// SPDX-License-Identifier: MIT
// Purpose: is a history of operations on a queue one that a bounded first-in first-out queue could have given, one
// operation after the other, each at some moment between its call and its return? J. Wing and C. Gong, «Testing and
// verifying concurrent objects», JPDC 1993, with G. Lowe's memory of what was tried («Testing for linearizability»,
// 2017).
// Thread safety: none.
// Invariants: the operations of one thread stand in their order, one ending before the next begins.
// Complexity: exponential in the number of threads at worst; microseconds for a dozen operations.
// Failure: std::bad_alloc.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <engagehub/queue/mpmc_queue.hpp>

namespace engagehub_tests {

// One claim, or an answer that there is none. An operation that claims in several steps is several of these, with the
// same begin and end.
struct QueueOperation {
    enum class Kind : std::uint8_t { kPush, kPop, kClose };
    Kind kind;
    std::vector<int> values;  // what was put or taken
    engagehub::QueueStatus status;
    std::uint64_t begin;
    std::uint64_t end;
    std::size_t wanted = 1;  // how many it would have put or taken at most
};
using ThreadHistory = std::vector<QueueOperation>;

class FifoHistory {
public:
    FifoHistory(std::size_t capacity, std::vector<ThreadHistory> threads)
        : capacity_(capacity), threads_(std::move(threads)) {}

    const std::vector<ThreadHistory>& threads() const noexcept { return threads_; }

    bool is_linearisable() const {
        std::set<State> tried;
        return goes_on(State{std::vector<std::size_t>(threads_.size()), {}, false}, tried);
    }

    std::string text() const {
        std::string text;
        for (std::size_t i = 0; i != threads_.size(); ++i) {
            text += "\nthread " + std::to_string(i) + ":";
            for (const auto& operation : threads_[i]) text += " " + text_of(operation);
        }
        return text;
    }

private:
    struct State {
        std::vector<std::size_t> done;  // how many operations of each thread
        std::vector<int> held;
        bool is_closed;

        bool operator<(const State& other) const {
            return std::tie(done, held, is_closed) < std::tie(other.done, other.held, other.is_closed);
        }
    };

    bool goes_on(const State& state, std::set<State>& tried) const {
        if (!tried.insert(state).second) return false;
        // Whoever comes next began before any of the others that are left has returned.
        std::uint64_t first_end = UINT64_MAX;
        bool is_over = true;
        for (std::size_t i = 0; i != threads_.size(); ++i) {
            if (state.done[i] == threads_[i].size()) continue;
            is_over = false;
            first_end = std::min(first_end, threads_[i][state.done[i]].end);
        }
        if (is_over) return true;
        for (std::size_t i = 0; i != threads_.size(); ++i) {
            if (state.done[i] == threads_[i].size()) continue;
            const QueueOperation& operation = threads_[i][state.done[i]];
            if (operation.begin > first_end) continue;
            State next = state;
            ++next.done[i];
            if (apply(operation, i, next) && goes_on(next, tried)) return true;
        }
        return false;
    }

    // Whether the model gives the answer that the operation got; if so, it does the operation.
    bool apply(const QueueOperation& operation, std::size_t thread, State& state) const {
        using engagehub::QueueStatus;
        const std::size_t count = operation.values.size();
        if (operation.kind == QueueOperation::Kind::kClose) {
            state.is_closed = true;
            return true;
        }
        if (operation.kind == QueueOperation::Kind::kPush) {
            if (operation.status == QueueStatus::kClosed) return count == 0 && state.is_closed;
            if (state.is_closed || state.held.size() + count > capacity_) return false;
            state.held.insert(state.held.end(), operation.values.begin(), operation.values.end());
            if (operation.status == QueueStatus::kFull) return count == 0 && state.held.size() == capacity_;
            if (operation.status == QueueStatus::kDone) return count == operation.wanted;
            const bool is_full = count != 0 && state.held.size() == capacity_;
            return operation.status == QueueStatus::kBusy && (is_full || is_disturbed(operation, thread));
        }
        if (count > state.held.size() ||
            !std::equal(operation.values.begin(), operation.values.end(), state.held.begin()))
            return false;
        state.held.erase(state.held.begin(), state.held.begin() + static_cast<std::ptrdiff_t>(count));
        if (operation.status == QueueStatus::kClosed) return count == 0 && state.is_closed && state.held.empty();
        if (operation.status == QueueStatus::kEmpty) return count == 0 && !state.is_closed && state.held.empty();
        if (operation.status == QueueStatus::kDone) return count == operation.wanted;
        const bool is_empty = count != 0 && state.held.empty();
        return operation.status == QueueStatus::kBusy && (is_empty || is_disturbed(operation, thread));
    }

    // The weaker promise of the raw operations: less than the model would give only while an operation of the other
    // side, one that puts or takes something, is in flight.
    bool is_disturbed(const QueueOperation& operation, std::size_t thread) const {
        for (std::size_t i = 0; i != threads_.size(); ++i) {
            if (i == thread) continue;
            for (const auto& other : threads_[i]) {
                if (other.kind != operation.kind && !other.values.empty() && other.begin <= operation.end &&
                    operation.begin <= other.end) {
                    return true;
                }
            }
        }
        return false;
    }

    static std::string text_of(const QueueOperation& operation) {
        static constexpr const char* kKinds[] = {"push", "pop", "close"};
        static constexpr const char* kStatuses[] = {"done", "full", "empty", "busy", "closed"};
        std::string text = std::string(kKinds[static_cast<std::size_t>(operation.kind)]) + "{";
        for (const int value : operation.values) text += std::to_string(value) + " ";
        return text + "of " + std::to_string(operation.wanted) + " " +
            kStatuses[static_cast<std::size_t>(operation.status)] + "}@" + std::to_string(operation.begin) + "-" +
            std::to_string(operation.end);
    }

    std::size_t capacity_;
    std::vector<ThreadHistory> threads_;
};

}  // namespace engagehub_tests
