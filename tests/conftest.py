"""What every test may ask for, and when a missing server or data set is a failure.

A test that needs the real event streams asks for ``data_folder``; one that needs a Redis server asks for ``redis_url``.
Each gets the marker of that name by asking. Where the stream or server is missing, the test skips and says how to
provide it; with ``ENGAGEHUB_REQUIRE_DATA=1`` or ``ENGAGEHUB_REQUIRE_SERVERS=1`` the same skip is a failure.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["pytester"]

# Tests don't time themselves: an example may take as long as a machine that does other things, too, needs for it.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

#: fixture -> marker that a test gets by asking for it
MARKER_OF_FIXTURE = {"data_folder": "data", "redis_url": "redis", "postgres_url": "postgres"}
#: marker -> variable that turns its skips into failures
REQUIRED_BY = {
    "data": "ENGAGEHUB_REQUIRE_DATA",
    "redis": "ENGAGEHUB_REQUIRE_SERVERS",
    "postgres": "ENGAGEHUB_REQUIRE_SERVERS",
}


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder that holds the real event streams."""
    given = os.environ.get("ENGAGEHUB_DATA")
    if not given:
        pytest.skip("ENGAGEHUB_DATA isn't set to the folder of the real event streams")
    folder = Path(given).expanduser().resolve()
    if not folder.is_dir():
        pytest.skip(f"ENGAGEHUB_DATA={given} isn't a folder")
    return folder


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Return the URL of a Redis server that tests may write to."""
    return _server_url("ENGAGEHUB_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Return the URL of a PostgreSQL database that tests may write to."""
    return _server_url("ENGAGEHUB_TEST_POSTGRES_URL", "postgresql://127.0.0.1/engagehub_test")


def _server_url(variable: str, example: str) -> str:
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"{variable} isn't set; give it a server that tests may write to, such as {example}")
    return url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures that they ask for."""
    for item in items:
        for fixture, marker in MARKER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test whose server or data is required into a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        for marker, variable in REQUIRED_BY.items():
            if os.environ.get(variable) == "1" and item.get_closest_marker(marker) is not None:
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                report.outcome = "failed"
                report.longrepr = f"{variable}=1 forbids this skip: {reason}"
                break
    return report
