// SPDX-License-Identifier: MIT
// Purpose: what happens between a finished batch and the sink: tries again, sets bad events aside, counts.
// Thread safety: deliver() and deliver_dead() on one thread, the sink's; everything else from any thread.
// Invariants, in every snapshot: taken = delivered + in_flight + dead + dead_evicted + dead_taken + returned;
// delivered = written + duplicate + rejected; failed_batches <= batches. Events reach the sink in order: while a part
// of a batch waits for its retry, everything behind it waits, too. Only a dead letter that is replayed comes late.
// After a TransientError the same write is repeated for ever, after waits that grow (RetrySchedule). After a BadAnswer
// all that was written is set aside. After anything else the batch is split until only the bad events are set aside
// (RefusalSearch says in how many writes). So an event is delivered at least once: a sink that stores a part and then
// throws gets that part again.
// Complexity: O(1) a write beside the sink's own cost; O(bytes) of each event that is set aside. Memory: the batch at
// work; keep_dead events, at most three times as much with what they were cut from; kMaxReasonBytes for each letter.
// Failure: no exception of the sink leaves deliver(). Memory that is missing for a part of a batch is a transient
// error; where it is missing for a dead letter, its events count as dead_evicted and the reason is «out of memory».
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event_batch.hpp>
#include <engagehub/pipeline/refusal_search.hpp>
#include <engagehub/pipeline/retry_schedule.hpp>
#include <engagehub/queue/event_count.hpp>

namespace engagehub {

struct DeliveryConfig {
    double retry_first = 0.05;                                      // seconds, the longest first wait
    double retry_max = 30;                                          // seconds, the longest wait
    double sink_timeout = std::numeric_limits<double>::infinity();  // seconds after which a write counts as stalled
    std::size_t keep_dead = 100'000;                                // events
    std::optional<std::uint64_t> seed;                              // of the waits; by the clock if nobody says
};

struct DeliveryStats {
    std::uint64_t taken = 0;               // events that deliver() was given
    std::uint64_t in_flight = 0;           // of the batch at work, also while it waits for a retry
    std::uint64_t delivered = 0;           // events that the sink took
    std::uint64_t written = 0;             // what it said of them
    std::uint64_t duplicate = 0;           //
    std::uint64_t rejected = 0;            //
    std::uint64_t dead = 0;                // in the list of dead letters
    std::uint64_t dead_evicted = 0;        // gone from that list, or never there for want of memory
    std::uint64_t dead_taken = 0;          // given away by take_dead()
    std::uint64_t returned = 0;            // left when retrying was stopped
    std::uint64_t batches = 0;             // begun; a dead letter that is replayed counts as a batch
    std::uint64_t failed_batches = 0;      // of which at least one event was set aside
    std::uint64_t transactions = 0;        // writes that succeeded
    std::uint64_t retries = 0;             // writes that repeat one that failed with a transient error
    std::uint64_t timeouts = 0;            // writes that took sink_timeout or longer, one that still does included
    std::string first_error;               // for which an event was set aside
    std::string retry_error;               // for which the batch at work is tried again; empty when it isn't
    std::optional<Deadline> next_try;      // when, while it waits
    std::optional<Deadline> write_since;   // when the sink was called that hasn't answered yet
    std::optional<Deadline> last_success;  // end of the last write that succeeded
    Deadline now;                          // of this snapshot: how long ago the others are
};

// What was set aside since the last report.
struct FailureReport {
    std::uint64_t batches = 0;
    std::uint64_t events = 0;
    std::string error;  // the first reason
};

// Neighbours of one batch that the sink refused for one reason.
struct DeadLetter {
    std::shared_ptr<const EventBatch> batch;
    std::size_t first = 0;
    std::size_t count = 0;
    std::shared_ptr<const std::string> reason;  // null where there was no memory for it
    std::uint32_t attempts = 0;                 // 1, and one more for each replay

    // THROWS: std::bad_alloc.
    std::shared_ptr<const EventBatch> events() const {
        return first == 0 && count == batch->size() ? batch : batch->slice(first, count);
    }
    std::string_view text() const noexcept { return reason ? std::string_view(*reason) : "out of memory"; }
};

// The clock, and how to sleep by it; a test brings its own. now() is called with the lock of the delivery held.
struct SteadyTime {
    static Deadline now() noexcept { return std::chrono::steady_clock::now(); }
    // May return early.
    static void wait(std::condition_variable& wake, std::unique_lock<std::mutex>& lock, Deadline deadline) {
        wake.wait_until(lock, deadline);
    }
};

template <class Time = SteadyTime>
class BasicDelivery {
public:
    using Batch = std::shared_ptr<const EventBatch>;
    static constexpr std::size_t kMaxReasonBytes = 1'000;
    static constexpr double kMaxWait = 86'400;  // seconds

    // sink may be null: then everything counts as written. THROWS: InvalidArgument.
    BasicDelivery(const DeliveryConfig& config, std::shared_ptr<BatchSink> sink, Time time = {})
        : config_(checked(config)),
          sink_(std::move(sink)),
          time_(std::move(time)),
          schedule_(
              RetrySchedule::Seconds(config.retry_first), RetrySchedule::Seconds(config.retry_max), seed_of(config)) {}
    BasicDelivery(const BasicDelivery&) = delete;
    BasicDelivery& operator=(const BasicDelivery&) = delete;

    const DeliveryConfig& config() const noexcept { return config_; }

    // ---- on the sink's thread ----

    // Returns when all of the batch was delivered or set aside, or when retrying was stopped. The number of events,
    // from the front, that are settled; those behind count as returned.
    std::size_t deliver(const Batch& batch) noexcept {
        const std::size_t count = batch->size();
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            counted_.taken += count;
            begin_batch(count);
        }
        const std::size_t settled = write_all({batch, 0, count, nullptr, 0});
        const std::lock_guard<std::mutex> lock(mutex_);
        counted_.in_flight -= count - settled;
        counted_.returned += count - settled;
        end_batch();
        return settled;
    }

    // Serves replay(): writes the oldest dead letter that it asked for. Whether there was one. What is refused again
    // joins the end of the list; what is left when retrying is stopped keeps its place.
    bool deliver_dead() noexcept {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (replay_left_ == 0) return false;
            if (is_stopped()) {
                replay_left_ = 0;
                return false;
            }
            --replay_left_;
            replayed_.splice(replayed_.begin(), dead_, dead_.begin());
            counted_.dead -= replayed_.front().count;
            begin_batch(replayed_.front().count);
        }
        DeadLetter& letter = replayed_.front();
        const std::size_t settled = write_all(letter);
        const std::lock_guard<std::mutex> lock(mutex_);
        if (settled < letter.count) {
            letter.first += settled;
            letter.count -= settled;
            counted_.in_flight -= letter.count;
            counted_.dead += letter.count;
            dead_.splice(dead_.begin(), replayed_);
        }
        replayed_.clear();
        end_batch();
        return true;
    }

    // ---- from any thread ----

    // What fails for now is tried again at once; if the sink is at work just now, then after that. The waits that
    // follow are as long as they would have been.
    void retry_now() {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_try_wanted_ = true;
        wake_.notify_all();
    }

    // Tries again at once and then until the deadline, after which no write begins any more: deliver() returns. Of
    // several deadlines the earliest counts.
    void stop_retrying(Deadline deadline) {
        const std::lock_guard<std::mutex> lock(mutex_);
        stop_at_ = std::min(stop_at_, deadline);
        is_try_wanted_ = true;
        wake_.notify_all();
    }
    void abandon() { stop_retrying(Deadline::min()); }

    // Asks for the dead letters that are there now to be written again, by deliver_dead(). The number of their events.
    std::uint64_t replay() {
        const std::lock_guard<std::mutex> lock(mutex_);
        replay_left_ = dead_.size();
        return counted_.dead;
    }
    bool has_replay() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return replay_left_ != 0;
    }

    DeliveryStats stats() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        DeliveryStats stats = counted_;
        stats.now = time_.now();
        if (is_stalled_at(stats.now)) ++stats.timeouts;
        return stats;
    }

    // Whether the sink was called sink_timeout before that moment, and hasn't answered.
    bool is_stalled(Deadline now) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return is_stalled_at(now);
    }

    FailureReport take_failures() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::exchange(unreported_, FailureReport{});
    }

    // The dead letters, oldest first: visit(batch, reason, attempts). THROWS: std::bad_alloc, and what visit throws.
    template <class Visit>
    void visit_dead(Visit&& visit) const {
        std::list<DeadLetter> dead;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            dead = dead_;
        }
        for (const DeadLetter& letter : dead) visit(letter.events(), letter.text(), letter.attempts);
    }

    // Moves the oldest dead letters to the end of `taken`, at most so many events, and says how many. THROWS:
    // std::bad_alloc, and then all stay.
    std::size_t take_dead(std::list<DeadLetter>& taken, std::size_t most = std::numeric_limits<std::size_t>::max()) {
        std::list<DeadLetter> part(1);
        const std::lock_guard<std::mutex> lock(mutex_);
        const std::size_t count = drop_oldest(most, taken, &part);
        counted_.dead_taken += count;
        return count;
    }

private:
    enum class Verdict { kTaken, kTransient, kRefused, kUnclear };
    struct Answer {
        Verdict verdict = Verdict::kTaken;
        WriteResult result;
        std::shared_ptr<const std::string> reason;
    };

    static DeliveryConfig checked(const DeliveryConfig& config) {
        if (!(config.retry_first > 0 && config.retry_first <= kMaxWait)) {
            throw InvalidArgument(
                "retry_first must be more than 0 and at most 86400 seconds, got " + shown(config.retry_first));
        }
        if (!(config.retry_max >= config.retry_first && config.retry_max <= kMaxWait)) {
            throw InvalidArgument(
                "retry_max must be at least retry_first (" + shown(config.retry_first) +
                ") and at most 86400 seconds, got " + shown(config.retry_max));
        }
        if (!(config.sink_timeout > 0)) {
            throw InvalidArgument("sink_timeout must be more than 0 seconds, got " + shown(config.sink_timeout));
        }
        return config;
    }
    std::uint64_t seed_of(const DeliveryConfig& config) const {
        // Two processes that were started together differ in where their memory is.
        return config.seed.value_or(
            static_cast<std::uint64_t>(SteadyTime::now().time_since_epoch().count()) ^
            static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this)));
    }

    // ---- the sink's thread ----

    // The number of events from the front of the letter that are settled.
    std::size_t write_all(const DeadLetter& letter) noexcept {
        RefusalSearch search(letter.count);
        Answer answer;
        DeadLetter refused;  // neighbours that were refused for one reason, not in the list yet
        refused.attempts = letter.attempts + 1;
        std::size_t limit = 1;  // of those; doubles, so that the list isn't long and still is known early
        const auto set_aside = [&] {
            if (refused.count != 0) bury(letter, refused);
            refused.count = 0;
        };
        while (!search.is_done()) {
            const std::size_t first = letter.first + search.first();
            const std::size_t count = search.size();
            if (!begin_write(answer.verdict == Verdict::kTransient)) break;
            answer = write(letter.batch, first, count);
            end_write(answer, count);
            if (answer.verdict == Verdict::kTaken) {
                search.taken();
                set_aside();
            } else if (answer.verdict == Verdict::kTransient) {
                set_aside();  // the wait may be long
                wait_for_retry(answer.reason);
            } else if (answer.verdict == Verdict::kRefused && count > 1) {
                search.refused();
            } else {
                search.set_aside();
                if (refused.count != 0 && !is_same(refused.reason, answer.reason)) set_aside();
                if (refused.count == 0) {
                    refused.first = first;
                    refused.reason = answer.reason;
                }
                refused.count += count;
                if (refused.count >= limit) {
                    set_aside();
                    limit *= 2;
                }
            }
        }
        set_aside();
        return search.first();
    }

    bool begin_write(bool is_retry) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (is_stopped()) return false;
        is_try_wanted_ = false;
        counted_.write_since = time_.now();
        if (is_retry) ++counted_.retries;
        return true;
    }

    Answer write(const Batch& batch, std::size_t first, std::size_t count) noexcept {
        Batch part;
        try {
            part = first == 0 && count == batch->size() ? batch : batch->slice(first, count);
        } catch (const std::bad_alloc&) {
            return {Verdict::kTransient, {}, nullptr};
        }
        if (sink_ == nullptr) return {Verdict::kTaken, {count, 0, 0}, nullptr};
        try {
            const WriteResult result = sink_->write(part);
            if (adds_up(result, count)) return {Verdict::kTaken, result, nullptr};
            return {Verdict::kUnclear, {}, text_of_wrong_sum(count)};
        } catch (const TransientError& error) {
            return {Verdict::kTransient, {}, reason_of(error.what())};
        } catch (const BadAnswer& error) {
            return {Verdict::kUnclear, {}, reason_of(error.what())};
        } catch (const std::exception& error) {
            return {Verdict::kRefused, {}, reason_of(error.what())};
        } catch (...) {
            return {Verdict::kRefused, {}, reason_of("an exception that is not a std::exception")};
        }
    }

    static bool adds_up(const WriteResult& result, std::size_t count) noexcept {
        return result.written <= count && result.duplicate <= count && result.rejected <= count &&
            result.written + result.duplicate + result.rejected == count;
    }

    static std::shared_ptr<const std::string> text_of_wrong_sum(std::size_t count) noexcept {
        try {
            return reason_of(
                "the sink's written, duplicate and rejected don't add up to the " + std::to_string(count) +
                " events of the batch");
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    // Null where there is no memory left for a text: the thread has to go on.
    static std::shared_ptr<const std::string> reason_of(std::string_view text) noexcept {
        if (text.size() > kMaxReasonBytes) {
            std::size_t end = kMaxReasonBytes;
            while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // whole code points
            text = text.substr(0, end);
        }
        try {
            return std::make_shared<const std::string>(text);
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    static bool is_same(
        const std::shared_ptr<const std::string>& a, const std::shared_ptr<const std::string>& b) noexcept {
        return a == b || (a != nullptr && b != nullptr && *a == *b);
    }

    void end_write(const Answer& answer, std::size_t count) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const Deadline now = time_.now();
        if (is_stalled_at(now)) ++counted_.timeouts;
        counted_.write_since.reset();
        if (answer.verdict == Verdict::kTransient) return;
        schedule_.restart();
        counted_.retry_error.clear();
        if (answer.verdict != Verdict::kTaken) return;
        counted_.in_flight -= count;
        counted_.delivered += count;
        counted_.written += answer.result.written;
        counted_.duplicate += answer.result.duplicate;
        counted_.rejected += answer.result.rejected;
        ++counted_.transactions;
        counted_.last_success = now;
    }

    void wait_for_retry(const std::shared_ptr<const std::string>& reason) {
        std::unique_lock<std::mutex> lock(mutex_);
        set_text(counted_.retry_error, reason);
        const Deadline next_try = time_.now() + std::chrono::duration_cast<Deadline::duration>(schedule_.next());
        counted_.next_try = next_try;
        while (!is_try_wanted_) {
            const Deadline until = std::min(next_try, stop_at_);
            if (time_.now() >= until) break;
            time_.wait(wake_, lock, until);
        }
        counted_.next_try.reset();
    }

    // Puts events of a batch in the list of dead letters.
    void bury(const DeadLetter& of, const DeadLetter& refused) noexcept {
        const bool is_kept = keep(of.batch, refused);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            counted_.in_flight -= refused.count;
            note_failure(refused.count, is_kept ? refused.reason : nullptr);
            (is_kept ? counted_.dead : counted_.dead_evicted) += refused.count;
            dead_.splice(dead_.end(), made_);
            if (counted_.dead > config_.keep_dead) {
                counted_.dead_evicted += drop_oldest(counted_.dead - config_.keep_dead, gone_, nullptr);
            }
        }
        gone_.clear();  // may be large, so without the lock
    }

    // Makes the letter; false without memory. Of a small part of a batch it has a copy, so that the list doesn't keep
    // the rest; without memory for that it is as good.
    bool keep(const Batch& batch, const DeadLetter& refused) noexcept {
        try {
            made_.push_back(refused);
        } catch (const std::bad_alloc&) {
            return false;
        }
        DeadLetter& letter = made_.front();
        letter.batch = batch;
        if (letter.count >= batch->size() / 3) return true;
        try {
            letter.batch = batch->copy(letter.first, letter.count);
            letter.first = 0;
        } catch (const std::exception&) {
            letter.batch = batch;
        }
        return true;
    }

    // ---- with the lock held ----

    void begin_batch(std::size_t count) noexcept {
        counted_.in_flight += count;
        ++counted_.batches;
        is_failed_ = false;
    }
    void end_batch() noexcept { counted_.retry_error.clear(); }

    bool is_stopped() const { return stop_at_ != kNoDeadline && time_.now() >= stop_at_; }

    bool is_stalled_at(Deadline now) const noexcept {
        return counted_.write_since &&
            std::chrono::duration<double>(now - *counted_.write_since).count() >= config_.sink_timeout;
    }

    void note_failure(std::size_t count, const std::shared_ptr<const std::string>& reason) noexcept {
        if (!is_failed_) {
            ++counted_.failed_batches;
            ++unreported_.batches;
        }
        is_failed_ = true;
        if (counted_.first_error.empty()) set_text(counted_.first_error, reason);
        if (unreported_.events == 0) set_text(unreported_.error, reason);
        unreported_.events += count;
    }

    // The short text fits in a string without memory of its own.
    static void set_text(std::string& text, const std::shared_ptr<const std::string>& reason) noexcept {
        try {
            text = reason ? *reason : "out of memory";
        } catch (const std::bad_alloc&) {
            text = "out of memory";
        }
    }

    // Moves the oldest dead letters, at most so many events. Where only a part of a letter may go it goes into the node
    // that is given, or, without one, nowhere.
    std::size_t drop_oldest(std::size_t most, std::list<DeadLetter>& gone, std::list<DeadLetter>* part) noexcept {
        std::size_t dropped = 0;
        while (dropped < most && !dead_.empty()) {
            DeadLetter& oldest = dead_.front();
            const std::size_t count = std::min(oldest.count, most - dropped);
            if (count == oldest.count) {
                gone.splice(gone.end(), dead_, dead_.begin());
                if (replay_left_ != 0) --replay_left_;
            } else {
                if (part != nullptr) {
                    part->front() = oldest;
                    part->front().count = count;
                    gone.splice(gone.end(), *part);
                }
                oldest.first += count;
                oldest.count -= count;
            }
            dropped += count;
        }
        counted_.dead -= dropped;
        return dropped;
    }

    const DeliveryConfig config_;
    const std::shared_ptr<BatchSink> sink_;

    // Of the sink's thread, and empty between its calls. They are here because in some libraries an empty list takes
    // memory, too.
    std::list<DeadLetter> made_;
    std::list<DeadLetter> gone_;
    std::list<DeadLetter> replayed_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    mutable Time time_;
    RetrySchedule schedule_;
    DeliveryStats counted_;  // timeouts without the write at work
    FailureReport unreported_;
    std::list<DeadLetter> dead_;
    std::size_t replay_left_ = 0;  // letters at the front of the list that are to be replayed
    Deadline stop_at_ = kNoDeadline;
    bool is_try_wanted_ = false;
    bool is_failed_ = false;  // the batch at work
};

using Delivery = BasicDelivery<>;

}  // namespace engagehub
