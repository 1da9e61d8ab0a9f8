"""A skip for want of data or of a server is a failure where the run requires them."""

from __future__ import annotations

from pathlib import Path

import pytest

POLICY = Path(__file__).parents[1] / "conftest.py"
SAMPLE = """
import pytest

def test_data(data_folder):
    assert data_folder.is_dir()

def test_server(redis_url):
    assert redis_url

@pytest.mark.redis
def test_marked_by_hand():
    pytest.skip("no client")

def test_plain():
    pytest.skip("another reason")
"""
VARIABLES = (
    "ENGAGEHUB_DATA",
    "ENGAGEHUB_REQUIRE_DATA",
    "ENGAGEHUB_REQUIRE_SERVERS",
    "ENGAGEHUB_TEST_REDIS_URL",
)


@pytest.fixture
def sample(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    pytester.makeconftest(POLICY.read_text())
    pytester.makeini("[pytest]\nmarkers =\n  data\n  redis\n  postgres\naddopts = --strict-markers -p no:randomly\n")
    pytester.makepyfile(SAMPLE)
    return pytester


def test_missing_data_and_servers_skip_with_the_variable_to_set(sample: pytest.Pytester):
    result = sample.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["*ENGAGEHUB_DATA isn't set*", "*ENGAGEHUB_TEST_REDIS_URL isn't set*"])


def test_required_data_fails_where_it_is_missing(sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGAGEHUB_REQUIRE_DATA", "1")
    result = sample.runpytest_inprocess()
    result.assert_outcomes(errors=1, skipped=3)
    result.stdout.fnmatch_lines(["*ENGAGEHUB_REQUIRE_DATA=1 forbids this skip*ENGAGEHUB_DATA isn't set*"])


def test_required_servers_fail_also_where_a_test_skips_itself(sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGAGEHUB_REQUIRE_SERVERS", "1")
    result = sample.runpytest_inprocess()
    result.assert_outcomes(errors=1, failed=1, skipped=2)
    result.stdout.fnmatch_lines(["*ENGAGEHUB_REQUIRE_SERVERS=1 forbids this skip*no client*"])


def test_given_data_and_server_reach_the_test(sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ENGAGEHUB_DATA", str(tmp_path))
    monkeypatch.setenv("ENGAGEHUB_TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    sample.runpytest_inprocess().assert_outcomes(passed=2, skipped=2)


def test_data_that_is_no_folder_is_named(sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ENGAGEHUB_DATA", str(tmp_path / "nowhere"))
    result = sample.runpytest_inprocess("-rs")
    result.stdout.fnmatch_lines(["*nowhere isn't a folder*"])


def test_asking_for_a_fixture_gives_the_marker(sample: pytest.Pytester):
    result = sample.runpytest_inprocess("-m", "data", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::test_data"])
    assert "test_server" not in result.stdout.str()
