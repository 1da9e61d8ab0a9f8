// SPDX-License-Identifier: MIT
// Purpose: a batch of events as a record batch of Apache Arrow that shares the memory of its columns; only the bitmaps
// that say where None is are made for it. docs/structures/event-processor.md has the types.
// Thread safety: pure; what is exported owns nothing of Python. Complexity: O(1), and O(events) where there is None.
// Failure: std::bad_alloc.
#pragma once

#include "python.hpp"

#include <engagehub/pipeline/event_batch.hpp>

#include "arrow_interface.hpp"

namespace event_batch_arrow {

arrow_interface::OwnedSchema schema_of(const engagehub::EventBatch& batch);
arrow_interface::OwnedArray array_of(const engagehub::EventBatch& batch);
// Of that one batch.
arrow_interface::OwnedStream stream_of(const engagehub::EventBatch& batch);

}  // namespace event_batch_arrow
