// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/pipeline/event_batch.hpp>

#include "tests/support/failing_new.hpp"

using engagehub::EventBatch;
using engagehub::EventColumns;
using engagehub::EventView;
using engagehub::ItemColumn;
using engagehub::ItemField;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::kItemFields;

namespace {

bool are_equal(const EventView& a, const EventView& b) {
    return a.at == b.at && a.value == b.value &&
        std::all_of(kItemFields.begin(), kItemFields.end(), [&](auto field) { return a.*field == b.*field; });
}

// Events whose texts live as long as this: the obvious model of columns.
class Events {
public:
    explicit Events(std::uint64_t seed) : random_(seed) {}

    // An event with items of the kinds allowed in each field, a bit for each.
    const EventView& add(const std::array<unsigned, 6>& allowed) {
        EventView event;
        for (std::size_t field = 0; field < allowed.size(); ++field) event.*kItemFields[field] = item(allowed[field]);
        event.at = static_cast<std::int64_t>(random_() >> 8U);
        event.value = static_cast<double>(random_() % 1000) / 8;
        return events_.emplace_back(event);
    }
    std::size_t size() const { return events_.size(); }
    const EventView& operator[](std::size_t i) const { return events_[i]; }

private:
    ItemView item(unsigned allowed) {
        unsigned kind = 0;
        do {
            kind = static_cast<unsigned>(random_() % 3);
        } while ((allowed >> kind & 1U) == 0);
        if (kind == 0) return {};
        if (kind == 1) return ItemView::of(static_cast<std::int64_t>(random_()));
        std::string text(random_() % 12 == 0 ? random_() % 3000 : random_() % 9, '\0');
        for (char& letter : text) letter = static_cast<char>(random_() % 128);
        return ItemView::of(std::string_view(texts_.emplace_back(std::move(text))));
    }

    std::mt19937_64 random_;
    std::deque<std::string> texts_;
    std::deque<EventView> events_;
};

constexpr std::array<unsigned, 6> kAnything{7, 7, 7, 7, 7, 7};
constexpr std::array<unsigned, 6> kUsual{1, 4, 2, 3, 6, 5};

void require_model(const EventBatch& batch, const Events& events, std::size_t first = 0) {
    for (std::size_t i = 0; i < batch.size(); ++i) REQUIRE(are_equal(batch[i], events[first + i]));
}

}  // namespace

TEST_CASE("columns give back the events that were appended, whatever kinds their items are of and become") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Events events(seed);
        std::mt19937_64 random(seed);
        auto columns = std::make_shared<EventColumns>();
        std::array<unsigned, 6> allowed{};
        const std::size_t count = random() % 200;
        if (seed % 2 == 0) columns->reserve(count / 2);
        for (std::size_t i = 0; i < count; ++i) {
            if (i % 16 == 0) {
                for (unsigned& kinds : allowed) kinds = 1 + static_cast<unsigned>(random() % 7);
            }
            columns->append(events.add(allowed));
            REQUIRE(columns->size() == i + 1);
        }
        for (std::size_t i = 0; i < count; ++i) REQUIRE(are_equal((*columns)[i], events[i]));
        require_model(EventBatch(columns), events);
    }
}

TEST_CASE("a slice is a range of the same columns, and so is a slice of it") {
    std::mt19937_64 random(5);
    Events events(5);
    auto columns = std::make_shared<EventColumns>();
    for (int i = 0; i < 100; ++i) columns->append(events.add(kAnything));
    auto whole = std::make_shared<const EventBatch>(columns);
    const std::weak_ptr<const EventColumns> watched = columns;
    columns.reset();
    for (int i = 0; i < 500; ++i) {
        std::shared_ptr<const EventBatch> part = whole;
        std::size_t first = 0;
        while (part->size() > 1) {
            const std::size_t skipped = random() % part->size();
            first += skipped;
            part = part->slice(skipped, random() % (part->size() - skipped) + 1);
            REQUIRE(part->first() == first);
            REQUIRE(&part->columns() == &whole->columns());
            require_model(*part, events, first);
        }
        CHECK(part->slice(0, 0)->size() == 0);
        CHECK(part->memory_bytes() == whole->memory_bytes());
    }
    auto last = whole->slice(99, 1);
    whole.reset();
    require_model(*last, events, 99);
    last.reset();
    CHECK(watched.expired());
}

TEST_CASE("an append that finds no memory leaves the columns as they were") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Events events(seed);
        EventColumns columns;
        std::size_t failures = 0;
        for (int i = 0; i < 40; ++i) {
            const EventView& event = events.add(i < 20 ? kUsual : kAnything);
            failures += engagehub_tests::fail_at_every_allocation(
                [&] { columns.append(event); },
                [&] {
                    REQUIRE(columns.size() == events.size() - 1);
                    for (std::size_t k = 0; k < columns.size(); ++k) REQUIRE(are_equal(columns[k], events[k]));
                });
            REQUIRE(columns.size() == events.size());
        }
        for (std::size_t k = 0; k < columns.size(); ++k) REQUIRE(are_equal(columns[k], events[k]));
        CHECK(failures > 10);
    }
}

TEST_CASE("a column has memory for the kinds that it holds, with a value for every row") {
    EventColumns columns;
    EventView event;
    event.kind = ItemView::of(std::string_view("message"));
    event.community = ItemView::of(std::string_view());
    event.member = ItemView::of(std::int64_t{7});
    columns.append(event);
    columns.append(event);
    const ItemColumn& id = columns.items(ItemField::kId);
    CHECK((id.kinds() == nullptr && id.numbers() == nullptr && id.offsets() == nullptr));
    CHECK(id.memory_bytes() == 0);
    const ItemColumn& kind = columns.items(ItemField::kKind);
    CHECK((kind.kinds() == nullptr && kind.numbers() == nullptr));
    CHECK(std::vector<std::int64_t>(kind.offsets(), kind.offsets() + 3) == std::vector<std::int64_t>{0, 7, 14});
    CHECK(std::string_view(kind.bytes(), 14) == "messagemessage");
    const ItemColumn& member = columns.items(ItemField::kMember);
    CHECK((member.kinds() == nullptr && member.offsets() == nullptr));
    event.member = ItemView::of(std::string_view("ada"));
    columns.append(event);
    CHECK(std::vector<std::int64_t>(member.numbers(), member.numbers() + 3) == std::vector<std::int64_t>{7, 7, 0});
    CHECK(std::vector<std::int64_t>(member.offsets(), member.offsets() + 4) == std::vector<std::int64_t>{0, 0, 0, 3});
    CHECK(member.kinds()[1] == ItemKind::kInteger);
    CHECK(member.kinds()[2] == ItemKind::kText);
    CHECK((member.holds(ItemKind::kInteger) && member.holds(ItemKind::kText) && !member.holds(ItemKind::kNone)));
}

TEST_CASE("columns with room for all that comes are allocated once") {
    Events events(9);
    for (int i = 0; i < 1000; ++i) events.add({2, 2, 2, 2, 2, 1});
    EventColumns columns;
    columns.reserve(1000);
    engagehub_tests::allocations.requested = 0;
    for (std::size_t i = 0; i < 1000; ++i) columns.append(events[i]);
    CHECK(engagehub_tests::allocations.requested == 5 * 1000 * sizeof(std::int64_t));
    CHECK(columns.memory_bytes() == 7 * 1000 * sizeof(std::int64_t));
}
