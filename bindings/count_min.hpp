// SPDX-License-Identifier: MIT
// Purpose: the object behind engagehub_core.CountMinSketch: the native sketch, with or without decay, its lock and its
// clock.
// Thread safety: the sketch through the guard; the clock is Python code and is called before the lock is taken.
#pragma once

#include "python.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <engagehub/base/errors.hpp>
#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/count_min_format.hpp>
#include <engagehub/sketch/decayed_count_min.hpp>
#include <engagehub/sketch/item_hash.hpp>

#include "clock.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"

namespace count_min {

using engagehub::CountMinSketch;
using engagehub::DecayedCountMin;

// Either sketch, with the verbs that sketch_state.hpp asks for.
class EitherSketch {
public:
    explicit EitherSketch(CountMinSketch sketch) : either_(std::move(sketch)) {}
    explicit EitherSketch(DecayedCountMin sketch) : either_(std::move(sketch)) {}
    static EitherSketch from_bytes(std::string_view bytes, const engagehub::ItemHash& given) {
        engagehub::count_min_format::Opened opened(bytes, given);
        if (opened.header().cells == engagehub::count_min_format::Cells::kDecayed)
            return EitherSketch(DecayedCountMin::from_opened(std::move(opened)));
        return EitherSketch(CountMinSketch::from_opened(std::move(opened)));
    }

    bool decays() const { return std::holds_alternative<DecayedCountMin>(either_); }
    std::int64_t half_life_micros() const { return decays() ? decayed().half_life().micros() : 0; }
    // REQUIRES: the right one of the two.
    CountMinSketch& plain() { return std::get<CountMinSketch>(either_); }
    DecayedCountMin& decayed() { return std::get<DecayedCountMin>(either_); }
    const DecayedCountMin& decayed() const { return std::get<DecayedCountMin>(either_); }

    // Calls look with whichever it is.
    template <class Look>
    decltype(auto) visit(Look&& look) const {
        return std::visit(std::forward<Look>(look), either_);
    }

    const engagehub::ItemHash& hash() const {
        return visit([](const auto& sketch) -> const engagehub::ItemHash& { return sketch.hash(); });
    }
    unsigned cell_bits() const { return decays() ? 64 : std::get<CountMinSketch>(either_).cell_bits(); }
    std::size_t nbytes() const {
        const auto size = visit([](const auto& sketch) { return sketch.size(); });
        return sizeof *this + size.cells() * cell_bits() / 8;
    }
    void merge(const EitherSketch& other) {
        if (decays() != other.decays()) {
            throw engagehub::Incompatible(
                "sketches of the same half_life are required, got " + shown_half_life() + " and " +
                other.shown_half_life());
        }
        std::visit(
            [&](auto& sketch) { sketch.merge(std::get<std::decay_t<decltype(sketch)>>(other.either_)); }, either_);
    }
    void clear() {
        std::visit([](auto& sketch) { sketch.clear(); }, either_);
    }
    std::string to_bytes() const {
        return visit([](const auto& sketch) { return sketch.to_bytes(); });
    }
    friend bool operator==(const EitherSketch& a, const EitherSketch& b) { return a.either_ == b.either_; }

private:
    std::string shown_half_life() const {
        return decays() ? std::to_string(half_life_micros()) + " microseconds" : "none";
    }

    std::variant<CountMinSketch, DecayedCountMin> either_;
};

struct Sketch : MadeByInit {
    Sketch(EitherSketch native, Clock the_clock)
        : clock(std::move(the_clock), native.decays()), hash(native.hash()), guarded(std::move(native)) {}

    bool decays() const { return clock.decays(); }
    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    DecayClock clock;
    const engagehub::ItemHash hash;
    Guarded<EitherSketch> guarded;
};

// The methods that are called once an event: see fastcall.hpp.
void add_calls(py::handle type);

}  // namespace count_min
