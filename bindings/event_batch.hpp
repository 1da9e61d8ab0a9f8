// SPDX-License-Identifier: MIT
// Purpose: batches of events as Python objects, and their events as instances of engagehub_core.Event.
// Thread safety: call attached. Complexity: O(events made). Failure: error_already_set.
#pragma once

#include "python.hpp"

#include <cstddef>
#include <memory>

#include <engagehub/pipeline/event_batch.hpp>

namespace event_batch {

// The same object for the same batch while it lives.
py::object to_python(const std::shared_ptr<const engagehub::EventBatch>& batch);

// A list of Event; equal texts of a column are one str, but for ids and data, which hardly repeat.
py::list events_of(const engagehub::EventBatch& batch);

}  // namespace event_batch
