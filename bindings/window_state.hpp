// SPDX-License-Identifier: MIT
// Purpose: what the bindings of all windows share: the object behind a class, which is the native window, its lock and
// its clock, and the members that every window has.
// Thread safety: the window through the guard; the clock is Python code and is called before the lock is taken.
#pragma once

#include "python.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "clock.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "held.hpp"
#include "made_by_init.hpp"
#include "sketch_state.hpp"

namespace window_state {

using MaybeMicros = std::optional<std::int64_t>;

template <class TheNative>
struct Window : Held<TheNative> {
    using Native = TheNative;
    using Held<Native>::guarded;

    Window(Native native, Clock its_clock)
        : Held<Native>(std::make_shared<Guarded<Native>>(std::move(native))), clock(std::move(its_clock)) {}
    explicit Window(const Live<Native>& live) : Held<Native>(live.structure), clock(live.clock) {}

    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    // Asks about a window, which is the span if none is given, up to an instant: ask(native, window, instant). An
    // answer about few buckets takes microseconds: it stays attached, for whoever lets go of the interpreter may wait
    // milliseconds until a busy thread gives it back.
    template <class Ask>
    auto ask(MaybeMicros length, py::handle at, Ask&& ask) {
        const std::int64_t instant = clock.instant(at);
        const auto work = [&](Native& native) { return ask(native, length ? *length : native.span(), instant); };
        const bool is_short = guarded.with(
            [&](Native& native) { return (length ? *length : native.span()) / native.resolution() <= kFewBuckets; });
        return is_short ? guarded.with(work) : guarded.with_released(work);
    }

    Clock clock;

private:
    static constexpr std::int64_t kFewBuckets = 64;
};

inline std::int64_t resolution_or(MaybeMicros given, std::int64_t otherwise) { return given ? *given : otherwise; }

// What the documentation says of methods whose examples are of one class.
struct Docs {
    const char* merge;
    const char* clear;
    const char* to_bytes;
};

// Whatever the window counts.
template <class Bound>
void add_members(py::class_<Bound>& type, const char* name, const Docs& docs) {
    using Native = typename Bound::Native;
    type.def(py::init([](const Bound& other) {
            auto& source = const_cast<Bound&>(other);
            return made<Bound>(sketch_state::copy_of(source), source.clock);
        }))
        .def(
            "_interval",
            [](Bound& self, MaybeMicros window, py::handle at) {
                const std::int64_t instant = self.clock.instant(at);
                const auto covered = self.guarded.with(
                    [&](Native& native) { return native.interval(window ? *window : native.span(), instant); });
                return py::make_tuple(convert::seconds(covered.start), convert::seconds(covered.end));
            })
        .def(
            "merge",
            [name](Bound& self, const py::args& others) {
                self.changeable();
                sketch_state::merge(self, others, name);
            },
            docs.merge)
        .def(
            "clear", [](Bound& self) { self.changeable().with([](Native& native) { native.clear(); }); }, docs.clear)
        .def("to_bytes", &sketch_state::to_bytes<Bound>, docs.to_bytes)
        .def("__eq__", &sketch_state::equals<Bound>, py::is_operator())
        .def_property_readonly(
            "late", [](Bound& self) { return self.guarded.with([](Native& native) { return native.late(); }); },
            "How many events were too old for the ring.")
        .def_property_readonly(
            "span",
            [](Bound& self) {
                return convert::seconds(self.guarded.with([](Native& native) { return native.span(); }));
            },
            "Seconds that the ring holds, in whole buckets.")
        .def_property_readonly(
            "resolution",
            [](Bound& self) {
                return convert::seconds(self.guarded.with([](Native& native) { return native.resolution(); }));
            },
            "Seconds of one bucket.")
        .def_property_readonly(
            "nbytes", [](Bound& self) { return self.guarded.with([](Native& native) { return native.nbytes(); }); },
            "How many bytes of memory the window takes now, with what it keeps for later answers.")
        .def_property_readonly(
            "clock", [](Bound& self) { return self.clock.callable(); },
            "What answers «now»: the constructor's argument.")
        .def_property_readonly(
            "max_skew", [](Bound& self) { return self.clock.max_skew_seconds(); },
            "Seconds that a stamp may be ahead of the clock; None trusts every stamp.");
}

}  // namespace window_state
