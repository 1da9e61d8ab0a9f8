"""The values of PostgreSQL's extension hll, beside a model written from its storage specification."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagehub_core import HyperLogLog
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType

PAGE = Path(__file__).parents[2] / "docs/formats/postgresql-hll.md"
EXPLICIT_ABC = "128b7f85555565f65978898e38df6c4a1f74d77a98a957b1d3d1ee"


def of(items, p=14):
    sketch = HyperLogLog(p, hash="postgresql")
    sketch.update(items)
    return sketch


def explicit(hashes, log2m=11, regwidth=5):
    """Write hashes as a server keeps them: signed, ascending."""
    signed = sorted({raw - 2**64 if raw >= 2**63 else raw for raw in hashes})
    return bytes([0x12, (regwidth - 1) << 5 | log2m, 0x7F]) + b"".join(
        value.to_bytes(8, "big", signed=True) for value in signed
    )


def model(hashes, log2m, regwidth, *, sparse):
    """Write registers as the specification says, one digit at a time."""
    registers = dict.fromkeys(range(2**log2m), 0)
    for raw in hashes:
        index, rest = raw % 2**log2m, raw >> log2m
        value = (rest & -rest).bit_length()
        registers[index] = max(registers[index], min(value, 2**regwidth - 1))
    listed = "".join(f"{i:0{log2m}b}{value:0{regwidth}b}" for i, value in registers.items() if value)
    every = "".join(f"{value:0{regwidth}b}" for value in registers.values())
    is_sparse = sparse and len(listed) < len(every) and -len(listed) % 8 < log2m + regwidth
    digits = listed if is_sparse else every
    digits += "0" * (-len(digits) % 8)
    head = bytes([0x13 if is_sparse else 0x14, (regwidth - 1) << 5 | log2m, 0x7F if sparse else 0x3F])
    return head + int("1" + digits, 2).to_bytes(len(digits) // 8 + 1, "big")[1:]


@given(
    # With a bit above the highest index, for a register forgets what it met before a hash without one.
    hashes=st.lists(st.integers(2**12, 2**64 - 1), min_size=1, max_size=200),
    log2m=st.integers(4, 12),
    regwidth=st.integers(1, 7),
    sparse=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_registers_are_those_of_the_specification(hashes, log2m, regwidth, sparse):
    seen = HyperLogLog.from_postgresql(explicit(hashes, 12))
    value = seen.to_postgresql(log2m=log2m, regwidth=regwidth, sparse_enabled=sparse)
    assert value == model(hashes, log2m, regwidth, sparse=sparse)
    read = HyperLogLog.from_postgresql(value)
    assert read.p == log2m
    assert read.to_postgresql(regwidth=regwidth, sparse_enabled=sparse) == value


def test_a_servers_values_are_golden():
    assert of([]).to_postgresql(log2m=11).hex() == "118b7f"
    assert of(["a", "b", "c"]).to_postgresql(log2m=11).hex() == "138b7f11213dc29ae2"
    assert of([b"a", b"b", b"c"]).to_postgresql(expthresh=0).hex() == "138e4047b83a6b87889080"
    assert of(range(12), 4).to_postgresql(expthresh=0).hex() == "14844000c21000401046328000"
    assert of(range(12)).to_postgresql(log2m=4, expthresh=0, sparse_enabled=False).hex() == "14840000c21000401046328000"
    assert of([], 18).to_postgresql(expthresh=8192, regwidth=7).hex() == "11d14e"
    read = HyperLogLog.from_postgresql(memoryview(bytes.fromhex(EXPLICIT_ABC)))
    assert read.p == 11
    read.add("a")
    assert read == of(["a", "b", "c"], 11)
    assert type(read) is HyperLogLog
    assert read.hash == "postgresql"


def test_the_format_page_shows_what_is_written_and_read():
    page = PAGE.read_text()
    for shown in ("118b7f", "138b7f11213dc29ae2", "14844000c21000401046328000", EXPLICIT_ABC):
        assert f"`{shown}`" in page


def test_hashes_keep_all_that_is_known_and_registers_do_not():
    seen = of(["a", "b", "c"], 11)
    assert HyperLogLog.from_postgresql(bytes.fromhex(EXPLICIT_ABC)).grade == seen.grade == "ultra"
    read = HyperLogLog.from_postgresql(seen.to_postgresql())
    assert read.grade == "plain"
    assert read.estimate() == pytest.approx(3, rel=0.01)
    read.add("a")  # fixes the kind, which isn't in the bytes
    with pytest.raises(InvalidType):
        read.add(1)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"log2m": 15}, InvalidArgument, "log2m must be between 4 and 14 for a sketch of p = 14, got 15"),
        ({"log2m": 3}, InvalidArgument, "log2m must be between 4 and 14"),
        ({"log2m": -(2**40)}, InvalidArgument, "log2m must be between 4 and 14"),
        ({"log2m": 11.0}, InvalidType, "log2m must be int, got float"),
        ({"log2m": True}, InvalidType, "log2m must be int, got bool"),
        ({"regwidth": 0}, InvalidArgument, "regwidth must be between 1 and 7, got 0"),
        ({"regwidth": 8}, InvalidArgument, "regwidth must be between 1 and 7, got 8"),
        ({"regwidth": 2**32 + 5}, InvalidArgument, "regwidth must be between 1 and 7"),
        ({"regwidth": None}, InvalidType, "regwidth must be int"),
        ({"expthresh": -2}, InvalidArgument, "expthresh must be -1, 0 or a power of two up to 8192, got -2"),
        ({"expthresh": 3}, InvalidArgument, "expthresh must be"),
        ({"expthresh": 16_384}, InvalidArgument, "expthresh must be"),
        ({"expthresh": "auto"}, InvalidType, "expthresh must be int"),
        ({"sparse_enabled": 1}, InvalidType, "sparse_enabled must be bool, got int"),
    ],
)
def test_types_that_no_column_has_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        of([1, 2, 3]).to_postgresql(**arguments)


def test_only_its_own_hash_goes_out_and_merges():
    for other in (HyperLogLog(), HyperLogLog(key=bytes(range(16))), HyperLogLog(ints="decimal")):
        with pytest.raises(Incompatible, match="got postgresql and "):
            other.to_postgresql()
        with pytest.raises(Incompatible):
            other.merge(HyperLogLog.from_postgresql(bytes.fromhex(EXPLICIT_ABC)))
    with pytest.raises(Incompatible, match="postgresql"):
        of(["a"]).to_redis()


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ("", Corrupted, "data ends early at offset 0"),
        ("118b", Corrupted, "data ends early at offset 2"),
        ("218b7f", Incompatible, "schema version must be 1, got 2"),
        ("108b7f", Incompatible, "data must be a set, got the undefined value"),
        ("158b7f", Corrupted, "unknown form at offset 0"),
        ("118bff", Corrupted, "reserved bit that isn't zero at offset 2"),
        ("118b60", Corrupted, "impossible threshold at offset 2"),
        ("11837f", Incompatible, "log2m of the data must be between 4 and 18, got 3"),
        ("11937f", Incompatible, "log2m of the data must be between 4 and 18, got 19"),
        ("118b7f00", Corrupted, "bytes left over at offset 3"),
        (EXPLICIT_ABC[:-2], Corrupted, "ends early"),
        (EXPLICIT_ABC + EXPLICIT_ABC[-16:], Corrupted, "hashes out of order"),
        ("138b401120", Corrupted, "lists a register of zero at offset 5"),
        ("138b4011211121", Corrupted, "registers out of order at offset 7"),
        ("138b4011213dc29ae200", Corrupted, "ends within a register"),
        ("14844000c210004010463280", Corrupted, "must have 10 bytes of registers, has 9 at offset 3"),
        ("13a4400f40", Corrupted, "impossible rank at offset 5"),
    ],
)
def test_damaged_values_are_refused(data, error, text):
    with pytest.raises(error, match=text):
        HyperLogLog.from_postgresql(bytes.fromhex(data))
    with pytest.raises(InvalidType, match="data must be bytes"):
        HyperLogLog.from_postgresql(data)


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\x11\x84\x7f", b"\x12\x84\x7f", b"\x13\x84\x7f", b"\x14\x04\x7f"])
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_or_read(data, head):
    try:
        read = HyperLogLog.from_postgresql(head + data)
    except (Corrupted, Incompatible):
        return
    assert 0 <= read.bounds()[0] <= read.bounds()[1]
