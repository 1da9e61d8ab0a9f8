// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/pipeline/queued_event.hpp>

#include "tests/support/failing_new.hpp"

using engagehub::EventDraft;
using engagehub::EventView;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::kMaxFieldBytes;
using engagehub::QueuedEvent;
using engagehub_tests::allocations;
using engagehub_tests::fail_at_every_allocation;

namespace {

constexpr std::size_t kInlineBytes = 96;
constexpr std::array<ItemView EventView::*, 6> kFields{&EventView::id,      &EventView::kind,   &EventView::community,
                                                       &EventView::channel, &EventView::member, &EventView::data};

ItemView integer(std::int64_t value) { return ItemView::of(value); }
ItemView text(std::string_view value) { return ItemView::of(value); }

// An event with what every event must have: 21 bytes.
EventView smallest() {
    EventView view;
    view.kind = text("reply");
    view.community = integer(std::numeric_limits<std::int64_t>::min());
    view.member = integer(std::numeric_limits<std::int64_t>::max());
    view.at = std::numeric_limits<std::int64_t>::min();
    return view;
}

std::size_t bytes_of(const EventView& view) {
    std::size_t sum = 0;
    for (const auto field : kFields) {
        const ItemView& item = view.*field;
        sum += item.kind == ItemKind::kInteger ? sizeof item.number : item.text.size();
    }
    return sum;
}

void check_same(const QueuedEvent& slot, const EventView& view) {
    const EventView read = slot.view();
    for (const auto field : kFields) REQUIRE(read.*field == view.*field);
    REQUIRE(slot.id() == view.id);
    REQUIRE(slot.kind() == view.kind);
    REQUIRE(slot.community() == view.community);
    REQUIRE(slot.channel() == view.channel);
    REQUIRE(slot.member() == view.member);
    REQUIRE(slot.data() == view.data);
    for (const std::int64_t at : {read.at, slot.at()}) REQUIRE(at == view.at);
    for (const double value : {read.value, slot.value()}) REQUIRE(value == view.value);
}

// Writes the event to a slot, reads it as often as there are readers, and lets go of it: a block is there from the
// draft on if the fields take more than a slot has, and goes with the last reader.
void check_passage(const EventView& view, std::size_t readers, QueuedEvent& slot) {
    const std::int64_t before = allocations.alive;
    const std::int64_t blocks = bytes_of(view) > kInlineBytes ? 1 : 0;
    {
        EventDraft draft(view, readers);
        REQUIRE(allocations.alive == before + blocks);
        REQUIRE(draft.view().kind == view.kind);
        draft.write(slot);
    }
    for (; readers != 0; --readers) {
        REQUIRE(allocations.alive == before + blocks);
        check_same(slot, view);
        slot.let_go();
    }
    REQUIRE(allocations.alive == before);
}

// A view of random fields, with the texts that it borrows. Mostly small, so that many lie around what a slot has.
class RandomEvent {
public:
    explicit RandomEvent(std::mt19937_64& random) {
        view_.kind = text_of(random);
        view_.community = item_of(random);
        view_.member = item_of(random);
        if (random() % 2 == 0) view_.channel = item_of(random);
        if (random() % 2 == 0) view_.id = item_of(random);
        if (random() % 3 == 0) view_.data = text_of(random);
        view_.at = static_cast<std::int64_t>(random());
        view_.value = static_cast<double>(static_cast<std::int64_t>(random())) / 1024;
    }
    const EventView& view() const { return view_; }

private:
    ItemView text_of(std::mt19937_64& random) {
        std::size_t length = random() % 8 == 0 ? 0 : random() % 40;
        if (random() % 100 == 0) length = kMaxFieldBytes - random() % 2;
        std::string& made = texts_.emplace_back(length, '\0');
        for (char& letter : made) letter = static_cast<char>(random() % 4);  // many zero bytes
        return text(made);
    }
    ItemView item_of(std::mt19937_64& random) {
        using Limits = std::numeric_limits<std::int64_t>;
        switch (random() % 6) {
            case 0: return integer(Limits::min());
            case 1: return integer(Limits::max());
            case 2: return integer(static_cast<std::int64_t>(random()));
            default: return text_of(random);
        }
    }

    std::deque<std::string> texts_;
    EventView view_;
};

template <class Error>
void check_refused(const EventView& view, const std::string& message) {
    const std::int64_t before = allocations.alive;
    CHECK_THROWS_WITH_AS(EventDraft(view, 1), message.c_str(), Error);
    CHECK(allocations.alive == before);
}

}  // namespace

TEST_CASE("random events come out of a slot as they went in, whichever way they lie there") {
    std::mt19937_64 random(120);
    std::size_t inside = 0;
    std::size_t blocks = 0;
    QueuedEvent slot;  // with what it had before
    for (int i = 0; i < 20'000; ++i) {
        const RandomEvent event(random);
        ++(bytes_of(event.view()) <= kInlineBytes ? inside : blocks);
        check_passage(event.view(), 1 + random() % 4, slot);
    }
    CHECK(inside > 2000);
    CHECK(blocks > 2000);
}

TEST_CASE("whatever field is the longest, 96 bytes lie in the slot and 97 in a block") {
    const std::string letters(kInlineBytes, 'x');
    QueuedEvent slot;
    for (const auto field : kFields) {
        for (const std::size_t total : {kInlineBytes - 1, kInlineBytes, kInlineBytes + 1}) {
            CAPTURE(total);
            EventView view = smallest();
            view.*field = {};
            view.*field = text(std::string_view(letters).substr(0, total - bytes_of(view)));
            REQUIRE(bytes_of(view) == total);
            check_passage(view, 2, slot);
        }
    }
}

TEST_CASE("fields may be missing, empty, and as long as is allowed, all of them at once") {
    QueuedEvent slot;
    check_passage(smallest(), 1, slot);
    EventView view = smallest();
    for (const auto field : kFields) view.*field = text("");
    check_passage(view, 1, slot);
    std::deque<std::string> letters;
    for (const auto field : kFields) {
        view.*field = text(letters.emplace_back(kMaxFieldBytes, static_cast<char>('a' + letters.size())));
        check_passage(view, 3, slot);
    }
}

TEST_CASE("what is no event is refused, and says what is wrong") {
    EventView view = smallest();
    view.kind = integer(1);
    check_refused<InvalidType>(view, "kind must be str");
    view.kind = {};
    check_refused<InvalidType>(view, "kind must be str");
    view = smallest();
    view.member = {};
    check_refused<InvalidType>(view, "member must be int or str");
    view = smallest();
    view.community = {};
    check_refused<InvalidType>(view, "community must be int or str");
    view = smallest();
    view.data = integer(1);
    check_refused<InvalidType>(view, "data must be str");
    view = smallest();
    view.value = std::numeric_limits<double>::infinity();
    check_refused<InvalidArgument>(view, "value must be finite, got inf");
    view.value = std::numeric_limits<double>::quiet_NaN();
    check_refused<InvalidArgument>(view, "value must be finite, got nan");
    const std::string letters(kMaxFieldBytes + 1, 'x');
    const std::array<const char*, kFields.size()> names{"id", "kind", "community", "channel", "member", "data"};
    for (std::size_t i = 0; i < kFields.size(); ++i) {
        view = smallest();
        view.*kFields[i] = text(letters);
        check_refused<InvalidArgument>(
            view, std::string(names[i]) + " must have at most 65536 bytes of UTF-8, got 65537");
    }
}

TEST_CASE("a draft that is not written gives its block back") {
    const std::string letters(200, 'x');
    EventView view = smallest();
    view.data = text(letters);
    const std::int64_t before = allocations.alive;
    {
        const EventDraft draft(view, 3);
        CHECK(allocations.alive == before + 1);
    }
    CHECK(allocations.alive == before);
}

TEST_CASE("a draft that finds no memory leaves nothing behind, and only long events need any") {
    const std::string letters(200, 'x');
    EventView view = smallest();
    std::optional<EventDraft> draft;
    const std::int64_t before = allocations.alive;
    const auto attempt = [&] { draft.emplace(view, 2); };
    const auto verify = [&] {
        CHECK_FALSE(draft.has_value());
        CHECK(allocations.alive == before);
    };
    CHECK(fail_at_every_allocation(attempt, verify) == 0);
    draft.reset();
    view.data = text(letters);
    CHECK(fail_at_every_allocation(attempt, verify) == 1);
    draft.reset();
    CHECK(allocations.alive == before);
}
