// SPDX-License-Identifier: MIT
#include "processor.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "errors.hpp"
#include "event_batch.hpp"
#include "interpreter.hpp"

using engagehub::Deadline;
using engagehub::EventDraft;
using engagehub::EventView;
using engagehub::Identity;
using engagehub::PushCounts;
using engagehub::PushOutcome;
using engagehub::QueuedEvent;
using engagehub::Refusal;

namespace processor {

namespace {

constexpr std::int64_t kBetweenWarnings = 60'000'000;  // microseconds

std::int64_t steady_micros() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

std::optional<Identity> identity_of(const EventView& event) {
    if (event.id.kind == engagehub::ItemKind::kNone) return std::nullopt;
    return engagehub::identity_of(event.community, event.id);
}

// What EventProcessor::push() takes: an event that fits into a slot, or one for which there is memory.
class OneEvent {
public:
    explicit OneEvent(const EventView& event) : event_(event) {}
    OneEvent(const EventView& event, EventDraft& draft) : event_(event), draft_(&draft) {}
    std::size_t size() const noexcept { return 1; }
    void write(std::size_t /*i*/, QueuedEvent& slot) noexcept {
        draft_ == nullptr ? EventDraft::write(event_, slot) : draft_->write(slot);
    }
    bool has_ids() const noexcept { return event_.id.kind != engagehub::ItemKind::kNone; }
    std::optional<Identity> identity(std::size_t /*i*/) const noexcept { return identity_of(event_); }

private:
    const EventView& event_;
    EventDraft* draft_ = nullptr;
};

// Calls act(events) with the one.
template <class Act>
auto with_one(const EventView& event, std::size_t readers, const Act& act) {
    if (EventDraft::fits(EventDraft::bytes_of(event))) {
        OneEvent events(event);
        return act(events);
    }
    EventDraft draft(event, readers);
    OneEvent events(event, draft);
    return act(events);
}

// Those that fit into a slot are made when they are written; the others before, since they need memory.
class ManyEvents {
public:
    ManyEvents(const EventColumnsGiven& columns, std::size_t readers) : columns_(columns) {
        if (columns.size() == 0) return;
        if (columns.are_rows_alike() && EventDraft::fits(EventDraft::bytes_of(columns[0]))) {
            mould_.emplace(columns[0]);
            for (std::size_t k = 0; k < columns.varying_count(); ++k)
                places_[k] = mould_->place_of(columns.varying_field(k));
            return;
        }
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const EventView event = columns[i];
            if (!EventDraft::fits(EventDraft::bytes_of(event))) long_.emplace_back(i, event, readers);
        }
    }
    std::size_t size() const noexcept { return columns_.size(); }
    void write(std::size_t i, QueuedEvent& slot) noexcept {
        if (mould_) {
            mould_->write(slot, columns_.at(i), columns_.value(i));
            for (std::size_t k = 0; k < columns_.varying_count(); ++k)
                engagehub::EventMould::put(slot, places_[k], columns_.number(k, i));
            return;
        }
        while (next_long_ < long_.size() && long_[next_long_].row < i) ++next_long_;
        if (next_long_ < long_.size() && long_[next_long_].row == i) {
            long_[next_long_].draft.write(slot);
        } else {
            EventDraft::write(columns_[i], slot);
        }
    }
    bool has_ids() const noexcept { return columns_.has_ids(); }
    std::optional<Identity> identity(std::size_t i) const noexcept { return identity_of(columns_[i]); }

private:
    struct Long {
        Long(std::size_t its_row, const EventView& its_event, std::size_t readers)
            : row(its_row), event(its_event), draft(event, readers) {}
        std::size_t row;
        EventView event;
        EventDraft draft;
    };

    const EventColumnsGiven& columns_;
    std::optional<engagehub::EventMould> mould_;
    std::array<std::size_t, 6> places_{};
    std::deque<Long> long_;
    std::size_t next_long_ = 0;  // events are written in order
};

// Whether an asyncio loop runs on this thread.
bool is_loop_running() {
    PyObject* name = PyUnicode_FromString("asyncio");
    if (name == nullptr) throw py::error_already_set();
    const auto asyncio = py::reinterpret_steal<py::object>(PyImport_GetModule(name));
    Py_DECREF(name);
    PyErr_Clear();
    return asyncio && !asyncio.attr("_get_running_loop")().is_none();
}

[[noreturn]] void refuse_in_child() {
    errors::raise("Closed", "the event processor belongs to the process that made it, not to its child");
}

// How a producer waits for room: without the interpreter, in slices, so that signals are seen. One of their handlers
// may fork, and in the child nobody would make room. It answers now(), with the interpreter.
template <class Now>
struct Waiter {
    bool may_block_loop;
    const std::unique_ptr<engagehub::EventProcessor>& core;  // null in the child
    const Now& now;

    template <class Block>
    std::int64_t operator()(Deadline deadline, Block&& block) const {
        if (!may_block_loop && is_loop_running()) {
            PyErr_SetString(
                PyExc_RuntimeError,
                "push must not be called on the thread of a running asyncio loop while there is no room, as it would "
                "block the loop: use await apush(...)");
            throw py::error_already_set();
        }
        bool may_go_on = false;
        interpreter::wait_until(
            deadline, [&](Deadline slice) { may_go_on = core == nullptr || block(slice); }, [&] { return may_go_on; });
        if (core == nullptr) refuse_in_child();
        return now();
    }
};

py::str text(std::string_view bytes) {
    PyObject* decoded = PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace");
    if (decoded == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(decoded);
}

}  // namespace

Processor::Processor(
    const py::object& write, const py::object& is_transient,
    std::vector<std::shared_ptr<engagehub::Projection>> projections, const engagehub::ProcessorConfig& config,
    Full full, Clock clock)
    : clock_(std::move(clock)), full_(full), warned_at_(steady_micros() - kBetweenWarnings) {
    if (interpreter::Gate::get().is_shut()) {
        PyErr_SetString(PyExc_RuntimeError, "an event processor can't be made while the interpreter ends");
        throw py::error_already_set();
    }
    if (!write.is_none()) sink_ = std::make_shared<PythonSink>(write, is_transient);
    try {
        core_ = std::make_unique<engagehub::EventProcessor>(config, sink_, std::move(projections));
    } catch (...) {
        if (sink_) sink_->clear();
        throw;
    }
}

Processor::~Processor() {
    if (core_ == nullptr) {
        if (sink_) sink_->clear();
        return;
    }
    const bool leaves_heir = core_->is_own_thread();
    if (leaves_heir && sink_) sink_->be_orphan();
    interpreter::detached([this] { core_.reset(); });
    if (!leaves_heir && sink_) sink_->clear();
}

engagehub::EventProcessor& Processor::core() {
    if (core_ == nullptr) refuse_in_child();
    return *core_;
}

std::int64_t Processor::instant(py::handle at) {
    if (at.is_none()) return clock_.now();
    const std::int64_t given = convert::instant(at);
    if (clock_.is_too_far_ahead(given)) {
        core().refuse(Refusal::kFuture, 1);
        clock_.refuse(given, "at");
    }
    return given;
}

// Of events whose ids are to be remembered.
template <class Events>
std::int64_t Processor::acceptance_instant(const Events& events) {
    return events.has_ids() && core().checks_identities() ? clock_.lately() : 0;
}

template <class Events>
PushOutcome Processor::push_all(Events& events, PushCounts& counts) {
    const auto now = [&] { return acceptance_instant(events); };
    const Waiter<decltype(now)> waiter{core().config().overflow != engagehub::Overflow::kBlock, core_, now};
    const PushOutcome outcome = core().push(events, now(), counts, waiter);
    if (outcome == PushOutcome::kRefused) refused(events.size() - counts.accepted - counts.duplicate);
    return outcome;
}

bool Processor::push(const EventView& event) {
    PushCounts counts;
    const PushOutcome outcome = with_one(event, core().readers(), [&](OneEvent& events) {
        // Nearly always there is room, and then nothing of what waiting takes is needed.
        const PushOutcome at_once = core().try_push(events, acceptance_instant(events), counts);
        return at_once == PushOutcome::kRefused ? push_all(events, counts) : at_once;
    });
    if (outcome == PushOutcome::kDone) return counts.accepted != 0;
    if (outcome == PushOutcome::kClosed) errors::raise("Closed", "the event processor is closed");
    if (full_ == Full::kRaises) {
        errors::raise(
            "CapacityExceeded",
            "the event processor must have room for the event, got " + std::to_string(capacity()) +
                " that were not handed on yet");
    }
    return false;
}

py::object Processor::offer(const EventView& event) {
    PushCounts counts;
    switch (with_one(event, core().readers(), [&](OneEvent& events) {
        const std::int64_t now = acceptance_instant(events);
        return core().try_push(events, now, counts);
    })) {
        case PushOutcome::kDone: return py::bool_(counts.accepted != 0);
        case PushOutcome::kClosed: errors::raise("Closed", "the event processor is closed");
        case PushOutcome::kRefused: break;
    }
    return py::none();
}

std::size_t Processor::push_many(const py::object& given) {
    engagehub::EventProcessor& processor = core();
    const EventColumnsGiven columns(given, [this] { return clock_.now(); });
    if (columns.size() != 0) {
        const auto [newest, row] = columns.max_at();
        if (clock_.is_too_far_ahead(newest)) {
            processor.refuse(Refusal::kFuture, columns.size());
            clock_.refuse(newest, convert::Argument("at", row));
        }
    }
    ManyEvents events(columns, processor.readers());
    PushCounts counts;
    const PushOutcome outcome = push_all(events, counts);
    if (outcome == PushOutcome::kDone || (outcome == PushOutcome::kRefused && full_ == Full::kAnswers))
        return counts.accepted;
    const std::string part =
        std::to_string(counts.accepted) + " of " + std::to_string(events.size()) + " events were accepted";
    if (outcome == PushOutcome::kClosed) errors::raise("Closed", "the event processor is closed, " + part);
    errors::raise(
        "CapacityExceeded",
        "the event processor must have room for all events, got " + std::to_string(capacity()) +
            " that were not handed on yet; " + part);
}

void Processor::count_timeout(std::size_t count) {
    core().refuse(Refusal::kTimeout, count);
    refused(count);
}

// Tells the log, once a minute at the most.
void Processor::refused(std::size_t count) {
    const std::int64_t now = steady_micros();
    std::int64_t warned_at = warned_at_.load(std::memory_order_relaxed);
    if (now - warned_at < kBetweenWarnings) return;
    if (!warned_at_.compare_exchange_strong(warned_at, now, std::memory_order_relaxed)) return;
    const std::string trouble = core().stats().sink.retry_error;
    try {
        py::module_::import("engagehub_core.processor").attr("_warn_of_refusal")(count, capacity(), text(trouble));
    } catch (py::error_already_set& error) {
        // The events were refused, and push says so, whatever a filter of the log raises.
        if (!error.matches(PyExc_Exception)) throw;
        error.discard_as_unraisable("the warning that events were refused");
    }
}

py::dict Processor::stats() {
    const engagehub::ProcessorStats stats = core().stats();
    const auto maybe = [](const std::string& said) -> py::object {
        return said.empty() ? py::object(py::none()) : py::object(text(said));
    };
    py::dict numbers;
    numbers["accepted"] = stats.accepted;
    numbers["duplicate"] = stats.duplicate;
    numbers["refused_full"] = stats.refused[static_cast<std::size_t>(Refusal::kFull)];
    numbers["refused_timeout"] = stats.refused[static_cast<std::size_t>(Refusal::kTimeout)];
    numbers["refused_future"] = stats.refused[static_cast<std::size_t>(Refusal::kFuture)];
    numbers["queued"] = stats.queued;
    numbers["in_flight"] = stats.sink.in_flight;
    numbers["delivered"] = stats.sink.delivered;
    numbers["dead"] = stats.sink.dead;
    numbers["dead_evicted"] = stats.sink.dead_evicted;
    numbers["dead_taken"] = stats.sink.dead_taken;
    numbers["evicted"] = stats.evicted;
    numbers["written"] = stats.sink.written;
    numbers["late_duplicates"] = stats.sink.duplicate;
    numbers["rejected"] = stats.sink.rejected;
    numbers["applied"] = stats.applied;
    numbers["batches"] = stats.sink.batches;
    numbers["failed_batches"] = stats.sink.failed_batches;
    numbers["transactions"] = stats.sink.transactions;
    numbers["retries"] = stats.sink.retries;
    numbers["timeouts"] = stats.sink.timeouts;
    numbers["first_error"] = maybe(stats.sink.first_error);
    numbers["retry_error"] = maybe(stats.sink.retry_error);
    numbers["last_success_ago"] = stats.sink.last_success
        ? py::object(py::float_(std::chrono::duration<double>(stats.sink.now - *stats.sink.last_success).count()))
        : py::object(py::none());
    numbers["identities"] = stats.identities;
    numbers["forgotten_identities"] = stats.forgotten_identities;
    numbers["lag"] = stats.lag;
    numbers["sink_lag"] = stats.sink_lag;
    return numbers;
}

std::uint64_t Processor::request_flush() {
    engagehub::EventProcessor& processor = core();
    std::uint64_t ticket = 0;
    interpreter::detached([&] { ticket = processor.request_flush(); });
    return ticket;
}

bool Processor::wait_flushed(std::uint64_t ticket, const py::object& timeout) {
    engagehub::EventProcessor& processor = core();
    bool is_flushed = false;
    const auto wait = [&](Deadline slice) {
        if (core_ != nullptr) is_flushed = processor.wait_flushed(ticket, slice);
    };
    // Threads that have ended will not come any further, and a sink that hangs is for the caller to judge.
    interpreter::wait_until(convert::deadline(timeout), wait, [&] {
        return is_flushed || core_ == nullptr || processor.has_ended() || processor.is_sink_stalled();
    });
    core();  // a signal's handler may have forked: in the child nobody will come any further
    return is_flushed;
}

bool Processor::wait_ended(const py::object& timeout) {
    engagehub::EventProcessor& processor = core();
    bool has_ended = false;
    interpreter::wait_until(
        convert::deadline(timeout),
        [&](Deadline slice) { has_ended = core_ == nullptr || processor.wait_ended(slice); },
        [&] { return has_ended; });
    core();  // as above
    return has_ended;
}

void Processor::stop() {
    engagehub::EventProcessor& processor = core();
    interpreter::detached([&] { processor.stop(); });
}
void Processor::join() {
    engagehub::EventProcessor& processor = core();
    interpreter::detached([&] { processor.join(); });
}
void Processor::abandon() {
    engagehub::EventProcessor& processor = core();
    interpreter::detached([&] { processor.abandon(); });
}

py::object Processor::take_failures() {
    const engagehub::FailureReport report = core().take_failures();
    if (report.events == 0) return py::none();
    return py::make_tuple(report.batches, report.events, text(report.error), sink_ ? sink_->take_error() : py::none());
}

py::list Processor::dead_letters() {
    py::list letters;
    struct Letter {
        std::shared_ptr<const engagehub::EventBatch> events;
        std::string reason;
        std::uint32_t attempts;
    };
    std::vector<Letter> found;
    core().visit_dead([&](const auto& events, std::string_view reason, std::uint32_t attempts) {
        found.push_back({events, std::string(reason), attempts});
    });
    for (const Letter& letter : found) {
        const py::str reason = text(letter.reason);
        for (const py::handle event : event_batch::events_of(*letter.events))
            letters.append(py::make_tuple(event, reason, letter.attempts));
    }
    return letters;
}

py::list Processor::take_dead(std::size_t most) {
    py::list letters;
    for (const engagehub::DeadLetter& letter : core().take_dead(most)) {
        const py::str reason = text(letter.text());
        for (const py::handle event : event_batch::events_of(*letter.events()))
            letters.append(py::make_tuple(event, reason, letter.attempts));
    }
    return letters;
}

std::uint64_t Processor::replay_dead() {
    engagehub::EventProcessor& processor = core();
    std::uint64_t count = 0;
    interpreter::detached([&] { count = processor.replay_dead(); });
    return count;
}

void Processor::replace_sink(const py::object& write, const py::object& is_transient) {
    if (sink_) sink_->replace(write, is_transient);
}

void Processor::forget() { static_cast<void>(core_.release()); }

int Processor::traverse(visitproc visit, void* arg) const {
    if (const int stopped = clock_.traverse(visit, arg)) return stopped;
    return sink_ ? sink_->traverse(visit, arg) : 0;
}

void Processor::clear() {
    clock_.clear();
    if (sink_) sink_->clear();
}

}  // namespace processor
