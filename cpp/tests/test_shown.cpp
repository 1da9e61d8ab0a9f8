// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>
#include <locale>
#include <string>

#include <engagehub/base/shown.hpp>

using engagehub::shown;

TEST_CASE("numbers are shown with the digits they need") {
    CHECK(shown(0.0) == "0");
    CHECK(shown(-0.0) == "-0");
    CHECK(shown(20.0) == "20");
    CHECK(shown(86'400.5) == "86400.5");
    CHECK(shown(1'000'000.0) == "1000000");
    CHECK(shown(0.1) == "0.1");
    CHECK(shown(-0.3) == "-0.3");
    CHECK(shown(0.1 + 0.2) == "0.30000000000000004");
    CHECK(shown(9007199254740994.0) == "9007199254740994");
    CHECK(shown(1e-9) == "1e-09");
    CHECK(shown(1e300) == "1e+300");
}

TEST_CASE("every finite number reads back, and what isn't finite has a name") {
    using Limits = std::numeric_limits<double>;
    for (const double value : {Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min(), 1.0 / 3, 2e22})
        CHECK(std::strtod(shown(value).c_str(), nullptr) == value);
    CHECK(shown(Limits::infinity()) == "inf");
    CHECK(shown(-Limits::infinity()) == "-inf");
    CHECK(shown(Limits::quiet_NaN()) == "nan");
}

TEST_CASE("the locale of the program changes nothing") {
    struct Commas : std::numpunct<char> {
        char do_decimal_point() const override { return ','; }
    };
    const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
    const std::string text = shown(0.5);
    std::locale::global(before);
    CHECK(text == "0.5");
}
