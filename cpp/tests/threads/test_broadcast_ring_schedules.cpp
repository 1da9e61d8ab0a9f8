// SPDX-License-Identifier: MIT
// The ring under a scheduler that chooses by a seed who goes on. With one cursor that consumers hold in turn it is a
// queue, and its histories must be those of one; with several readers each must see all that was pushed. What can be
// wrong is shown by rings that are wrong on purpose: each must be caught by one of the checks.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/queue/broadcast_ring.hpp>

#include "tests/support/deterministic_schedule.hpp"
#include "tests/support/fifo_history.hpp"
#include "tests/support/queue_program.hpp"
#include "tests/support/scheduled_threading.hpp"
#include "tests/support/weaker_threading.hpp"

using engagehub::BroadcastRing;
using engagehub::QueueClaim;
using engagehub::QueueStatus;
using engagehub_tests::DeterministicSchedule;
using engagehub_tests::FifoHistory;
using engagehub_tests::history_of;
using engagehub_tests::QueueAnswer;
using engagehub_tests::QueueProgram;
using engagehub_tests::Relaxed;
using engagehub_tests::ScheduledAtomic;
using engagehub_tests::ScheduledThreading;
using engagehub_tests::ScheduleFailure;
using engagehub_tests::Shown;
using engagehub_tests::TornExchange;
using engagehub_tests::Way;
using engagehub_tests::WithAtomic;
namespace schedule = engagehub_tests::schedule;

namespace {

constexpr std::uint64_t kSeeds = 10'000;  // even ones choose uniformly who goes on, odd ones by priorities
constexpr std::size_t kMostReaders = 3;

// The ring as the checks use it. Rings that are wrong on purpose hide one of its functions.
template <class Threading = ScheduledThreading>
class Ring : public BroadcastRing<Shown<kMostReaders>, Threading> {
public:
    using BroadcastRing<Shown<kMostReaders>, Threading>::BroadcastRing;

    QueueClaim put(const std::vector<int>& values) {
        return this->push(
            values.size(), [&](std::size_t i, Shown<kMostReaders>& slot) noexcept { slot.set(values[i]); });
    }
    // Up to `most` elements from where the reader is, who is alone with the cursor.
    template <class Self>
    static std::vector<int> take(Self& self, std::size_t reader, std::uint64_t position, std::size_t most) {
        schedule::touch(&self.turns_[reader]);
        std::vector<int> taken;
        for (std::size_t left = self.readable(position, most); left != 0; --left) {
            taken.push_back(self[position + taken.size()].value(reader));
        }
        self.advance(reader, position + taken.size());
        return taken;
    }

private:
    std::array<char, kMostReaders> turns_{};  // touched by whoever moves the cursor
};

// ---- rings that are wrong on purpose
// -------------------------------------------------------------------------------------

struct PublishesBeforeItWrites : Ring<> {
    using Ring::Ring;
    QueueClaim put(const std::vector<int>& values) {
        std::vector<Shown<kMostReaders>*> slots;
        slots.reserve(values.size());
        const QueueClaim claim =
            push(values.size(), [&](std::size_t, Shown<kMostReaders>& slot) noexcept { slots.push_back(&slot); });
        schedule::step();
        for (std::size_t i = 0; i != slots.size(); ++i) slots[i]->set(values[i]);
        return claim;
    }
};
struct AdvancesBeforeItReads : Ring<> {
    using Ring::Ring;
    template <class Self>
    static std::vector<int> take(Self& self, std::size_t reader, std::uint64_t position, std::size_t most) {
        const std::size_t count = self.readable(position, most);
        self.advance(reader, position + count);
        schedule::step();
        std::vector<int> taken;
        while (taken.size() != count) taken.push_back(self[position + taken.size()].value(reader));
        return taken;
    }
};
struct HoldsForNobody : Ring<> {
    using Ring::Ring;
    bool hold(std::size_t reader, std::uint64_t& position) noexcept {
        position = this->position(reader);
        return true;
    }
};
// Producers wait for the first reader only.
class WaitsForTheFirst : public Ring<> {
public:
    WaitsForTheFirst(std::size_t capacity, std::size_t /*readers*/) : Ring(capacity, 1) {}
    void advance(std::size_t reader, std::uint64_t position) noexcept {
        if (reader == 0) Ring::advance(reader, position);
    }
};
// Takes what it last saw of the readers for what is.
class IsFullFromMemory : public Ring<> {
public:
    using Ring::Ring;
    QueueClaim put(const std::vector<int>& values) {
        if (pushed() - last_passed_.load() >= capacity()) {
            last_passed_.store(passed());
            return {QueueStatus::kFull, 0, 0};
        }
        return Ring::put(values);
    }

private:
    ScheduledAtomic<std::uint64_t> last_passed_{0};
};
// A slot in flight is taken for the end.
struct EndsAtASlotInFlight : Ring<> {
    using Ring::Ring;
    std::uint64_t pushed() const noexcept {
        std::uint64_t end = passed();
        return end + readable(end, capacity());
    }
};

// ---- one cursor, which consumers hold in turn
// ----------------------------------------------------------------------------

template <class Ring>
std::uint64_t held(Ring& ring, std::size_t reader) {
    std::uint64_t position = 0;
    while (!ring.hold(reader, position)) schedule::yield();
    return position;
}

template <class Ring>
class SharedCursor {
public:
    static constexpr bool kClaimsOnce = true;

    explicit SharedCursor(const QueueProgram& program) : ring_(program.capacity, 1) {}

    // A part of the elements: at the claim there may be more room than when the ring was looked at.
    QueueAnswer push(std::vector<int> values, Way /*way*/) {
        const QueueClaim claim = ring_.put(values);
        const bool is_part = claim.count != 0 && claim.status == QueueStatus::kFull;
        values.resize(claim.count);
        return {is_part ? QueueStatus::kBusy : claim.status, std::move(values)};
    }
    QueueAnswer pop(std::size_t wanted, Way /*way*/) {
        const std::uint64_t position = held(ring_, 0);
        QueueAnswer answer{QueueStatus::kDone, {}};
        const bool is_closed = ring_.is_closed();
        const bool is_empty = ring_.pushed() == position;
        answer.values = Ring::take(ring_, 0, position, is_empty ? 0 : wanted);
        if (answer.values.size() != wanted) answer.status = QueueStatus::kBusy;
        if (is_empty) answer.status = is_closed ? QueueStatus::kClosed : QueueStatus::kEmpty;
        return answer;
    }
    void close() { ring_.close(); }

private:
    Ring ring_;
};

using Answers = std::array<std::size_t, 5>;

// Adds the answers of the history of a seed; says what is wrong with it.
template <class Ring>
std::string wrong_in_history(DeterministicSchedule& schedule, std::uint64_t seed, Answers& answers) {
    const FifoHistory history = history_of<SharedCursor<Ring>>(schedule, seed, true);
    for (const auto& thread : history.threads()) {
        for (const auto& operation : thread) ++answers[static_cast<std::size_t>(operation.status)];
    }
    return history.is_linearisable() ? "" : "no queue gives this history:" + history.text();
}

// ---- several readers
// -----------------------------------------------------------------------------------------------------

// What producers put where, and what a cursor gave. Each thread has its own; they are put together in the end.
struct Piece {
    std::uint64_t position;
    std::vector<int> values;
};
using Pieces = std::vector<Piece>;

// The elements by position. Nothing if some have none or two.
std::vector<int> joined(const std::vector<Pieces>& parts) {
    Pieces all;
    for (const Pieces& part : parts) all.insert(all.end(), part.begin(), part.end());
    std::sort(all.begin(), all.end(), [](const Piece& a, const Piece& b) { return a.position < b.position; });
    std::vector<int> values;
    for (const Piece& piece : all) {
        if (piece.position != values.size()) return {};
        values.insert(values.end(), piece.values.begin(), piece.values.end());
    }
    return values;
}

// Two producers, whose numbers rise, and two or three readers. Where the oldest may be dropped, producers do so at the
// first cursor, which its reader therefore holds while it reads. In some programs somebody else closes the ring early.
template <class Ring>
std::string wrong_in_broadcast(DeterministicSchedule& schedule, std::uint64_t seed, bool drops, std::size_t& dropped) {
    std::mt19937_64 random(seed);
    const std::size_t readers = 2 + random() % 2;
    const std::size_t capacity = random() % 2 == 0 ? 2 : 4;
    Ring ring(capacity, readers);
    ScheduledAtomic<int> left{2};
    std::array<std::vector<std::size_t>, 2> counts;
    for (auto& of_one : counts) {
        for (std::size_t sum = 0; sum < 3; sum += of_one.back()) of_one.push_back(1 + random() % 3);
    }
    std::array<std::size_t, kMostReaders> most{};
    for (auto& of_one : most) of_one = 1 + random() % 3;
    std::array<Pieces, 2> put;
    std::array<Pieces, 2> thrown;
    std::array<Pieces, kMostReaders> seen;

    const auto drop_oldest = [&](Pieces& into) {
        std::uint64_t position = 0;
        if (!ring.hold(0, position)) return schedule::yield();
        const bool is_oldest = ring.pushed() - position == capacity;
        Piece piece{position, Ring::take(ring, 0, position, is_oldest ? 1 : 0)};
        if (piece.values.empty()) return schedule::yield();
        into.push_back(std::move(piece));
    };
    const auto produce = [&](std::size_t producer) {
        int next = static_cast<int>(producer + 1) * 100;
        for (const std::size_t count : counts[producer]) {
            std::vector<int> values;
            while (values.size() != count) values.push_back(next++);
            while (!values.empty()) {
                const QueueClaim claim = ring.put(values);
                if (claim.status == QueueStatus::kClosed) return;
                const auto end = values.begin() + static_cast<std::ptrdiff_t>(claim.count);
                if (claim.count != 0) put[producer].push_back({claim.end - claim.count, {values.begin(), end}});
                values.erase(values.begin(), end);
                if (values.empty()) break;
                if (drops) {
                    drop_oldest(thrown[producer]);
                } else {
                    schedule::yield();
                }
            }
        }
        if (left.fetch_sub(1) == 1) ring.close();
    };
    const auto read = [&](std::size_t reader) {
        for (std::uint64_t position = 0;;) {
            if (drops && reader == 0) position = held(ring, reader);
            const bool is_closed = ring.is_closed();
            const bool is_over = is_closed && ring.pushed() == position;
            Piece piece{position, Ring::take(ring, reader, position, most[reader])};
            position += piece.values.size();
            if (piece.values.empty()) {
                if (is_over) return;
                schedule::yield();
            } else {
                seen[reader].push_back(std::move(piece));
            }
        }
    };

    DeterministicSchedule::Bodies bodies{[&] { produce(0); }, [&] { produce(1); }};
    for (std::size_t reader = 0; reader != readers; ++reader) bodies.push_back([&, reader] { read(reader); });
    if (random() % 4 == 0) bodies.push_back([&] { ring.close(); });
    const auto choice =
        seed % 2 == 0 ? DeterministicSchedule::Choice::kUniform : DeterministicSchedule::Choice::kPriorities;
    schedule.run(seed, choice, std::move(bodies));

    const std::vector<int> all = joined({put[0], put[1]});
    if (all.size() != ring.pushed()) return "claims overlap";
    for (const int producer : {1, 2}) {
        std::vector<int> of_one;
        std::copy_if(
            all.begin(), all.end(), std::back_inserter(of_one), [&](int value) { return value / 100 == producer; });
        if (!std::is_sorted(of_one.begin(), of_one.end())) return "not in the producer's order";
    }
    for (const Pieces& pieces : thrown) dropped += pieces.size();
    if (joined({seen[0], thrown[0], thrown[1]}) != all) return "the first cursor gave something else";
    for (std::size_t reader = 1; reader != readers; ++reader) {
        if (joined({seen[reader]}) != all) return "a reader saw something else";
    }
    return "";
}

// ---- what finds the wrong ones
// -------------------------------------------------------------------------------------------

// How a ring is caught, at the first seed at which it is.
template <class Wrong>
std::string caught(const Wrong& wrong) {
    DeterministicSchedule schedule;
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        try {
            const std::string found = wrong(schedule, seed);
            if (!found.empty()) return found;
        } catch (const ScheduleFailure& failure) {
            return failure.what();
        }
    }
    return "not at all";
}
template <class Ring>
std::string caught_in_history() {
    Answers answers{};
    return caught([&](auto& schedule, auto seed) { return wrong_in_history<Ring>(schedule, seed, answers); });
}
template <class Ring>
std::string caught_in_broadcast(bool drops) {
    std::size_t dropped = 0;
    return caught([&](auto& schedule, auto seed) { return wrong_in_broadcast<Ring>(schedule, seed, drops, dropped); });
}

bool says(const std::string& found, const std::string& how) { return found.find(how) != std::string::npos; }

}  // namespace

TEST_CASE("one cursor that consumers hold in turn: every history is one of a queue") {
    DeterministicSchedule schedule;
    Answers answers{};
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        const std::string wrong = wrong_in_history<Ring<>>(schedule, seed, answers);
        if (!wrong.empty()) FAIL("seed ", seed, ": ", wrong);
    }
    for (const std::size_t times : answers) CHECK(times > 1000);
}

TEST_CASE("every reader sees every element, in one order, and nothing is written again before all have read it") {
    DeterministicSchedule schedule;
    std::size_t dropped = 0;
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        const std::string wrong = wrong_in_broadcast<Ring<>>(schedule, seed, false, dropped);
        if (!wrong.empty()) FAIL("seed ", seed, ": ", wrong);
    }
    CHECK(dropped == 0);
}

TEST_CASE("producers that drop the oldest at one cursor take nothing from the others, and nothing twice") {
    DeterministicSchedule schedule;
    std::size_t dropped = 0;
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        const std::string wrong = wrong_in_broadcast<Ring<>>(schedule, seed, true, dropped);
        if (!wrong.empty()) FAIL("seed ", seed, ": ", wrong);
    }
    CHECK(dropped > 1000);
}

TEST_CASE("nothing is overwritten, however late a producer says how far the readers are") {
    using Kind = engagehub_tests::QueueOperation::Kind;
    // The first thread finds the ring full and stops on its way; the second makes room and uses it. What the first then
    // says of the readers is more than a lap old, and the third meets a full ring.
    DeterministicSchedule schedule;
    for (std::size_t stop = 0; stop != 12; ++stop) {
        QueueProgram program;
        program.held = {1, 2};
        program.threads = {
            {{Kind::kPush, Way::kOne, {3}, 1}},
            {{Kind::kPop, Way::kOne, {}, 1}, {Kind::kPush, Way::kOne, {4}, 1}},
            {{Kind::kPush, Way::kOne, {5}, 1}}};
        const FifoHistory history =
            history_of<SharedCursor<Ring<>>>(program, [&](DeterministicSchedule::Bodies bodies) {
                constexpr auto kToTheEnd = DeterministicSchedule::kToTheEnd;
                schedule.run({{0, stop}, {1, kToTheEnd}, {0, kToTheEnd}, {2, kToTheEnd}}, std::move(bodies));
            });
        if (!history.is_linearisable()) FAIL("stop ", stop, ":", history.text());
    }
}

TEST_CASE("the checks of the ring find rings that are wrong") {
    CHECK(says(caught_in_history<IsFullFromMemory>(), "no queue"));
    CHECK(says(caught_in_history<EndsAtASlotInFlight>(), "no queue"));
    CHECK(says(caught_in_history<HoldsForNobody>(), "nothing orders it"));
    CHECK_FALSE(says(caught_in_history<Ring<WithAtomic<TornExchange>>>(), "not at all"));
    CHECK(says(caught_in_broadcast<HoldsForNobody>(true), "nothing orders it"));
    CHECK(says(caught_in_broadcast<PublishesBeforeItWrites>(false), "nothing orders it"));
    CHECK(says(caught_in_broadcast<AdvancesBeforeItReads>(false), "nothing orders it"));
    CHECK(says(caught_in_broadcast<WaitsForTheFirst>(false), "nothing orders it"));
}

TEST_CASE("the checks of the ring find every order that is missing") {
    // Of what is published, of how far the readers are, and of a cursor that changes hands.
    using Acquire = Relaxed<std::memory_order_acquire>;
    using Release = Relaxed<std::memory_order_release>;
    using InTotal = Relaxed<std::memory_order_seq_cst>;
    CHECK(says(caught_in_broadcast<Ring<WithAtomic<Acquire::Load>>>(false), "nothing orders it"));
    CHECK(says(caught_in_broadcast<Ring<WithAtomic<Release::Store>>>(false), "nothing orders it"));
    CHECK(says(caught_in_broadcast<Ring<WithAtomic<InTotal::Load>>>(false), "nothing orders it"));
    CHECK(says(caught_in_broadcast<Ring<WithAtomic<InTotal::Store>>>(false), "nothing orders it"));
    CHECK(says(caught_in_history<Ring<WithAtomic<Acquire::Exchange>>>(), "nothing orders it"));
}
