// SPDX-License-Identifier: MIT
// Purpose: what the `data` of an event becomes before it is queued: text as it is, and any other object of JSON as the
// text that json.dumps makes of it, without spaces and escapes.
// Thread safety: call attached, and before anything is claimed: serialising runs Python code.
// Complexity: O(bytes). Failure: InvalidType for what JSON has no form of, InvalidArgument for a number that isn't
// finite, an object that holds itself or is nested too deeply, a lone surrogate, or more than kMaxFieldBytes.
#pragma once

#include "python.hpp"

#include <engagehub/base/item.hpp>

#include "argument.hpp"

namespace event_data {

// The str, or None for None. It owns what view() shows.
py::object text_of(py::handle given, convert::Argument argument = "data");

// What a text_of() is in an event.
engagehub::ItemView view(py::handle text, convert::Argument argument = "data");

}  // namespace event_data
