// SPDX-License-Identifier: MIT
#include <cstdio>

#include <engagehub/decay/half_life.hpp>

int main() {
    const auto week = engagehub::HalfLife::of_micros(604'800'000'000);
    const double after_one_week = week.read(week.store(10.0, 0), week.micros());
    std::printf("%.1f\n", after_one_week);
    return after_one_week == 5.0 ? 0 : 1;
}
