// SPDX-License-Identifier: MIT
// Purpose: what batches are written to, and the two errors with which a sink says more than that it failed.
// Thread safety: of one sink, write() is never called twice at a time.
// Complexity: that of the sink.
// Failure: write() throws TransientError where the same batch may succeed later, BadAnswer where nobody can tell what
// was written, and anything else where it refuses the batch for something that is in it.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>

#include <engagehub/pipeline/event_batch.hpp>

namespace engagehub {

struct WriteResult {
    std::uint64_t written = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t rejected = 0;
};

// Nothing is wrong with the batch: no connection, no room, a deadlock, a time-out. It is written again until it passes.
struct TransientError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The sink took the batch and then answered nonsense. It may have stored everything, so nothing is written again.
struct BadAnswer : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class BatchSink {
public:
    BatchSink() = default;
    BatchSink(const BatchSink&) = delete;
    BatchSink& operator=(const BatchSink&) = delete;
    virtual ~BatchSink() = default;
    // REQUIRES of the result: the three numbers add up to the size of the batch, else it counts as a BadAnswer. A write
    // that throws should have stored nothing, or know what it has stored when the same events come again.
    virtual WriteResult write(const std::shared_ptr<const EventBatch>& batch) = 0;
    // The last call, on the thread of the writes.
    virtual void thread_ends() noexcept {}
};

}  // namespace engagehub
