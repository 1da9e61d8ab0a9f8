// SPDX-License-Identifier: MIT
// Purpose: an event: the immutable fact that something happened. A view borrows; QueuedEvent and EventColumns own.
// Thread safety: a value. Complexity: O(1).
#pragma once

#include <cstddef>
#include <cstdint>

#include <engagehub/base/item.hpp>

namespace engagehub {

// No field of an event may be longer: what is queued stays bounded by the number of events.
inline constexpr std::size_t kMaxFieldBytes = 65'536;

struct EventView {
    ItemView id;  // an item of kind kNone where there is none; so have channel and data
    ItemView kind;
    ItemView community;
    ItemView channel;
    ItemView member;
    ItemView data;
    std::int64_t at = 0;  // microseconds since 1970
    double value = 1.0;
};

}  // namespace engagehub
