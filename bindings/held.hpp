// SPDX-License-Identifier: MIT
// Purpose: the structure behind a Python object: its own, or one that an event processor keeps current. The latter can
// be asked as any other, but it changes by events only.
// Thread safety: the structure through its guard.
#pragma once

#include "python.hpp"

#include <memory>
#include <string>
#include <utility>

#include <engagehub/base/errors.hpp>

#include "clock.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"

// A structure that native threads apply events to; what engagehub::Projected takes for a cell.
template <class T>
class LiveCell : public Guarded<T> {
public:
    template <class... Arguments>
    explicit LiveCell(Arguments&&... arguments) : Guarded<T>(NativeThreads(), std::forward<Arguments>(arguments)...) {}

    template <class Work>
    decltype(auto) locked(Work&& work) {
        return this->with_native(std::forward<Work>(work));
    }
    // Call attached.
    template <class Work>
    decltype(auto) asked(Work&& work) {
        return this->with(std::forward<Work>(work));
    }
};

// What a Python object of a live structure is made of.
template <class TheNative>
struct Live : MadeByInit {
    Live(std::shared_ptr<Guarded<TheNative>> its_structure, Clock its_clock)
        : structure(std::move(its_structure)), clock(std::move(its_clock)) {}

    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    std::shared_ptr<Guarded<TheNative>> structure;
    Clock clock;
};

template <class TheNative>
class Held : public MadeByInit {
    // Before guarded, which refers to what it holds.
    std::shared_ptr<Guarded<TheNative>> structure_;

public:
    using Native = TheNative;

    explicit Held(std::shared_ptr<Guarded<Native>> structure)
        : structure_(std::move(structure)), guarded(*structure_) {}

    // For all that changes it. THROWS: InvalidType.
    Guarded<Native>& changeable() {
        if (guarded.is_native()) refuse();
        return guarded;
    }

    Guarded<Native>& guarded;

private:
    [[noreturn]] static void refuse() {
        throw engagehub::InvalidType(
            "the object must be one of your own to be changed, got a live one, which events alone change; copy() gives "
            "you one of your own");
    }
};
