// SPDX-License-Identifier: MIT
// Purpose: one body for the fuzz target and the unit test of all readers of sketch formats. Any bytes are either
// refused by one of the library's exceptions, or read as a sketch that is written back as the very same bytes (of an
// older version: as bytes that read the same), can be asked and changed, and merges with itself.
// Failure: throws std::logic_error where a reader breaks that; anything else is a crash or a sanitizer's report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/codec/crc32c.hpp>
#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/decayed_count_min.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/postgresql_hyperloglog.hpp>
#include <engagehub/sketch/redis_hyperloglog.hpp>
#include <engagehub/sketch/top_k.hpp>
#include <engagehub/window/distinct_window.hpp>
#include <engagehub/window/total_window.hpp>

#include "tests/support/require.hpp"

namespace engagehub_tests {

// Returns whether the bytes were read; use() asks and changes the sketch.
template <class Sketch, class Use>
bool read_native(std::string_view bytes, Use&& use) {
    try {
        Sketch sketch = Sketch::from_bytes(bytes);
        const std::string written = sketch.to_bytes();
        // An older version is written as the newest one.
        require(written == bytes || written[4] > bytes[4], "what was read is written as other bytes");
        require(Sketch::from_bytes(written) == sketch, "what was written is read as another sketch");
        Sketch merged = sketch;
        try {
            merged.merge(sketch);
        } catch (const engagehub::InvalidArgument&) {
            // Two totals near 2^64 don't add up.
        }
        use(sketch);
        return true;
    } catch (const engagehub::Corrupted& error) {
        require(error.offset <= bytes.size(), "an offset lies outside the data");
    } catch (const engagehub::Incompatible&) {
    }
    return false;
}

inline engagehub::ItemView item_for(engagehub::ItemKind kind) {
    return kind == engagehub::ItemKind::kText ? engagehub::ItemView::of(std::string_view("ada"))
                                              : engagehub::ItemView::of(std::int64_t{7});
}

// How many of the readers took the bytes.
inline int read_all(std::string_view bytes) {
    using namespace engagehub;
    int read = 0;
    read += read_native<HyperLogLog>(bytes, [](HyperLogLog& sketch) {
        const Answer answer = sketch.answer();
        require(answer.low <= answer.estimate && answer.estimate <= answer.high, "an estimate lies outside its bounds");
        sketch.add(item_for(sketch.kind()));
        require(sketch.estimate() > 0.0, "an item isn't seen");
    });
    read += read_native<CountMinSketch>(bytes, [](CountMinSketch& sketch) {
        const auto item = item_for(sketch.kind());
        const auto before = sketch.bounds(item);
        require(before.low <= before.estimate && before.estimate <= before.high, "an estimate lies outside its bounds");
        if (sketch.total() + 1 != 0) {
            sketch.add(item);
            // Of saturated cells the total is known only; to get there one may skip what lies between.
            const auto estimate = sketch.estimate(item);
            require(
                estimate == before.estimate + 1 || (sketch.cell_bits() == 32 && estimate == sketch.total()),
                "an addition isn't counted");
        }
    });
    read += read_native<DecayedCountMin>(bytes, [](DecayedCountMin& sketch) {
        const auto item = item_for(sketch.kind());
        for (const std::int64_t at : {kFirstInstant, kLastInstant}) {
            const Answer before = sketch.answer(item, at);
            require(
                before.low <= before.estimate && before.estimate <= before.high, "an estimate lies outside its bounds");
            try {
                sketch.add(item, 1.0, at);
            } catch (const InvalidArgument&) {
                continue;  // it says that it had as many additions as there may be
            }
            require(sketch.answer(item, at).high >= before.high, "an addition isn't counted");
        }
    });
    read += read_native<TopK>(bytes, [](TopK& sketch) {
        const auto item = item_for(sketch.kind());
        sketch.add(item, 1.0, sketch.as_of(kFirstInstant));
        if (sketch.baseline().decays()) {
            for (const auto& row : sketch.growth(sketch.k(), 0))
                require(row.growth.rate >= 0.0 && row.growth.baseline >= 0.0, "a rate is below zero");
        }
        for (const auto& row : sketch.top(sketch.k(), 0)) {
            require(
                row.answer.low <= row.answer.estimate && row.answer.estimate <= row.answer.high,
                "an estimate lies outside its bounds");
        }
    });
    read += read_native<DistinctWindow>(bytes, [](DistinctWindow& window) {
        const auto interval = window.interval(window.span(), 0);
        require(interval.start <= interval.end, "an interval ends before it starts");
        window.add(item_for(window.kind()), 0);
        window.answer(window.resolution(), 0);
        require(
            window.answer(window.span(), 0) == window.collect(window.span(), 0).answer(),
            "an answer isn't that of the buckets");
    });
    read += read_native<TotalWindow>(bytes, [](TotalWindow& window) {
        const auto before = window.count(window.resolution(), 0);
        try {
            if (window.add(Total::of(0.5), 0))
                require(window.count(window.resolution(), 0) == before + 1, "an event isn't counted");
        } catch (const InvalidArgument&) {
            // It holds as many as it can.
        }
    });
    try {
        const HyperLogLog sketch = hyperloglog_from_redis(bytes);
        require(hyperloglog_from_redis(to_redis(sketch)) == sketch, "a server's value isn't the same after writing");
        ++read;
    } catch (const Corrupted& error) {
        require(error.offset <= bytes.size(), "an offset lies outside the data");
    }
    try {
        HyperLogLog sketch = hyperloglog_from_postgresql(bytes);
        const Answer answer = sketch.answer();
        require(answer.low <= answer.estimate && answer.estimate <= answer.high, "an estimate lies outside its bounds");
        // In the widest registers there are, so that only hashes that leave no trace are left out.
        const std::string written = to_postgresql(sketch, {{}, 7, -1, true});
        const std::string again = to_postgresql(hyperloglog_from_postgresql(written), {{}, 7, -1, true});
        require(written.substr(3) == again.substr(3), "a server's value isn't the same after writing");
        sketch.add(item_for(sketch.kind()));
        require(sketch.estimate() > 0.0, "an item isn't seen");
        ++read;
    } catch (const Corrupted& error) {
        require(error.offset <= bytes.size(), "an offset lies outside the data");
    } catch (const Incompatible&) {
    }
    return read;
}

// The bytes as they are, and with the checksum that they would need, so that a mutation gets past it.
inline void read_any(const std::uint8_t* data, std::size_t size) {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    read_all(bytes);
    if (bytes.size() < engagehub::kFrameHeader + 4) return;
    bytes.resize(bytes.size() - 4);
    engagehub::ByteWriter writer;
    writer.put_raw(bytes);
    read_all(engagehub::seal(std::move(writer)));
}

}  // namespace engagehub_tests
