// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/fifo_history.hpp"

using engagehub::QueueStatus;
using engagehub_tests::FifoHistory;
using engagehub_tests::QueueOperation;
using engagehub_tests::ThreadHistory;

namespace {

QueueOperation push(std::uint64_t begin, std::uint64_t end, std::vector<int> values, std::size_t wanted = 1) {
    const auto status = values.size() == wanted ? QueueStatus::kDone : QueueStatus::kBusy;
    return {QueueOperation::Kind::kPush, std::move(values), status, begin, end, wanted};
}
QueueOperation pop(std::uint64_t begin, std::uint64_t end, std::vector<int> values, std::size_t wanted = 1) {
    const auto status = values.size() == wanted ? QueueStatus::kDone : QueueStatus::kBusy;
    return {QueueOperation::Kind::kPop, std::move(values), status, begin, end, wanted};
}
QueueOperation full(std::uint64_t begin, std::uint64_t end) {
    return {QueueOperation::Kind::kPush, {}, QueueStatus::kFull, begin, end};
}
QueueOperation empty(std::uint64_t begin, std::uint64_t end) {
    return {QueueOperation::Kind::kPop, {}, QueueStatus::kEmpty, begin, end};
}
QueueOperation closed(QueueOperation::Kind kind, std::uint64_t begin, std::uint64_t end) {
    return {kind, {}, QueueStatus::kClosed, begin, end};
}
QueueOperation close(std::uint64_t begin, std::uint64_t end) {
    return {QueueOperation::Kind::kClose, {}, QueueStatus::kDone, begin, end};
}

bool is_linearisable(std::vector<ThreadHistory> threads) {
    return FifoHistory(2, std::move(threads)).is_linearisable();
}

}  // namespace

TEST_CASE("histories of a queue are taken") {
    CHECK(is_linearisable({}));
    CHECK(is_linearisable(
        {{push(1, 2, {1}), push(3, 4, {2}), full(5, 6), pop(7, 8, {1}), pop(9, 10, {2}), empty(11, 12)}}));
    // Two pushes at once come out in either order.
    CHECK(is_linearisable({{push(1, 4, {1})}, {push(2, 3, {2})}, {pop(5, 6, {2}), pop(7, 8, {1})}}));
    CHECK(is_linearisable({{push(1, 4, {1})}, {push(2, 3, {2})}, {pop(5, 6, {1}), pop(7, 8, {2})}}));
    // A pop may end before the push does, and «empty» and «full» may be answers of the time before.
    CHECK(is_linearisable({{push(1, 9, {1})}, {pop(2, 3, {1})}}));
    CHECK(is_linearisable({{push(1, 9, {1})}, {empty(2, 3), pop(4, 5, {1})}}));
    CHECK(is_linearisable({{push(1, 2, {1, 2}, 2)}, {pop(3, 9, {1})}, {full(4, 5), push(6, 7, {3})}}));
    // The search takes its first choice back.
    CHECK(is_linearisable(
        {{push(1, 20, {1})}, {push(1, 20, {2})}, {push(1, 20, {3})}, {pop(2, 19, {3}), pop(19, 20, {1})}}));
}

TEST_CASE("histories that no queue could give are refused") {
    CHECK_FALSE(is_linearisable({{push(1, 2, {1}), push(3, 4, {2})}, {pop(5, 6, {2})}}));    // order
    CHECK_FALSE(is_linearisable({{push(1, 2, {1})}, {push(3, 4, {2})}, {pop(1, 9, {2})}}));  // order, of two threads
    CHECK_FALSE(is_linearisable({{push(1, 2, {1})}, {pop(3, 4, {1})}, {pop(3, 4, {1})}}));   // twice
    CHECK_FALSE(is_linearisable({{push(1, 2, {1})}, {empty(3, 4)}}));                        // lost
    CHECK_FALSE(is_linearisable({{pop(1, 2, {1}), push(3, 4, {1})}}));                       // before it was put
    CHECK_FALSE(is_linearisable({{push(1, 2, {1}), full(3, 4)}}));                           // not full
    CHECK_FALSE(is_linearisable({{push(1, 2, {1}), push(3, 4, {2}), push(5, 6, {3})}}));     // more than there is room
    // The second push came first, since its element came out first; so the first element is still there.
    CHECK_FALSE(is_linearisable({{push(1, 2, {1})}, {push(1, 10, {2})}, {pop(3, 4, {2}), empty(5, 6)}}));
    // Both can't have been first.
    CHECK_FALSE(is_linearisable({{push(1, 9, {1}), empty(10, 11)}, {empty(1, 2), pop(3, 4, {1}), pop(5, 6, {1})}}));
}

TEST_CASE("a claim of several is one step, and less than what was wanted has a reason") {
    CHECK(is_linearisable({{push(1, 2, {1, 2}, 3), pop(3, 4, {1, 2}, 5)}}));  // full, empty afterwards
    CHECK_FALSE(is_linearisable({{push(1, 2, {1}, 2)}}));
    CHECK_FALSE(is_linearisable({{push(1, 2, {1, 2}, 2), pop(3, 4, {1}, 2)}}));
    CHECK_FALSE(is_linearisable({{push(1, 4, {1, 3}, 2)}, {push(1, 4, {2})}, {pop(5, 6, {1}), pop(7, 8, {2})}}));
}

TEST_CASE("busy needs an operation of the other side that puts or takes something") {
    CHECK(is_linearisable({{push(1, 9, {1})}, {pop(2, 3, {})}}));
    CHECK_FALSE(is_linearisable({{push(1, 2, {1})}, {pop(3, 4, {})}}));
    CHECK_FALSE(is_linearisable({{push(1, 9, {1})}, {push(2, 3, {})}}));
    CHECK_FALSE(is_linearisable({{full(1, 9)}, {pop(2, 3, {})}, {push(0, 0, {1, 2}, 2)}}));
}

TEST_CASE("a closed queue takes nothing more and says closed once it is empty") {
    using Kind = QueueOperation::Kind;
    CHECK(is_linearisable(
        {{push(1, 2, {1}), close(3, 4), closed(Kind::kPush, 5, 6), pop(7, 8, {1}), closed(Kind::kPop, 9, 10)}}));
    CHECK(is_linearisable({{close(1, 4)}, {push(2, 3, {1})}, {empty(0, 0)}}));
    CHECK_FALSE(is_linearisable({{close(1, 2), push(3, 4, {1})}}));
    CHECK_FALSE(is_linearisable({{close(1, 2), empty(3, 4)}}));
    CHECK_FALSE(is_linearisable({{closed(Kind::kPush, 1, 2), close(3, 4)}}));
    CHECK_FALSE(is_linearisable({{push(1, 2, {1}), close(3, 4), closed(Kind::kPop, 5, 6)}}));
    CHECK_FALSE(is_linearisable({{push(1, 2, {1, 2}, 2), close(3, 4), full(5, 6)}}));
}
