// SPDX-License-Identifier: MIT
// Purpose: the object behind engagehub_core.TopK: the native sketch, its lock and its clock.
// Thread safety: the sketch through the guard; the clock is Python code and is called before the lock is taken.
#pragma once

#include "python.hpp"

#include <memory>
#include <utility>

#include <engagehub/sketch/top_k.hpp>

#include "clock.hpp"
#include "guarded.hpp"
#include "held.hpp"

struct Trend : Held<engagehub::TopK> {
    Trend(engagehub::TopK native, Clock the_clock)
        : Held(std::make_shared<Guarded<Native>>(std::move(native))),
          clock(std::move(the_clock), guarded.with([](Native& own) { return own.half_life().decays(); })) {}
    explicit Trend(const Live<engagehub::TopK>& live)
        : Held(live.structure),
          clock(live.clock, guarded.with([](Native& shared) { return shared.half_life().decays(); })) {}

    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    DecayClock clock;
};
