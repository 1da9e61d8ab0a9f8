"""HyperLogLog beside real servers: Redis or Valkey, and PostgreSQL with the extension hll.

The bytes that a server holds for a set are the oracle; nothing here is written down beforehand.
"""

from __future__ import annotations

import random
import re
import struct
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engagehub_core import HyperLogLog
from engagehub_core.errors import Corrupted, Incompatible

GUIDE = Path(__file__).parents[2] / "docs/guides/exchange-distinct-counts.md"
HEADER = 16  # of a Redis value, with the cached count that depends on who asked last


def texts(count: int, start: int = 0) -> list[str]:
    return [f"member-{i} é" for i in range(start, start + count)]


def of(items: Any, p: int = 14, **options: str) -> HyperLogLog:
    sketch = HyperLogLog(p, **options)
    sketch.update(items)
    return sketch


# ---- Redis and Valkey


@pytest.fixture
def redis(redis_url: str):
    from redis import ConnectionError as NoConnection
    from redis import Redis

    client = Redis.from_url(redis_url)
    try:
        client.ping()
    except NoConnection as error:
        client.close()
        pytest.skip(f"no server answers at ENGAGEHUB_TEST_REDIS_URL: {error}")
    yield client
    client.close()


@pytest.fixture
def keys(redis):
    names = [f"engagehub-test-{uuid.uuid4()}" for _ in range(3)]
    yield names
    redis.delete(*names)


def pfadd(redis, key: str, items: list[str | bytes | int]) -> None:
    for start in range(0, len(items), 1000):
        redis.pfadd(key, *items[start : start + 1000])


class Domain(NamedTuple):
    """Items, what a client sends for them, and how a sketch has to be made that counts the same."""

    items: Any
    sent: Any
    options: dict[str, str]


DOMAINS = {
    "text": Domain(texts, texts, {}),
    "bytes": Domain(
        lambda count: [b"\xff" + bytes([i % 256, i // 256 % 256, i // 65_536]) for i in range(count)],
        lambda count: [b"\xff" + bytes([i % 256, i // 256 % 256, i // 65_536]) for i in range(count)],
        {},
    ),
    "ints by their eight bytes": Domain(
        lambda count: list(range(-count // 2, count - count // 2)),
        lambda count: [struct.pack("<q", i) for i in range(-count // 2, count - count // 2)],
        {},
    ),
    "ints as decimal text": Domain(
        lambda count: [(i - 3) * 10**14 for i in range(count)],
        lambda count: [(i - 3) * 10**14 for i in range(count)],
        {"ints": "decimal"},
    ),
}


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
@pytest.mark.parametrize("count", [0, 1, 5, 300, 1_500, 1_600, 1_640, 1_700, 1_800, 3_000, 40_000])
def test_redis_holds_our_bytes_and_we_read_its(redis, keys, domain: Domain, count: int):
    ours, theirs, union = keys
    items, sent = domain.items(count), domain.sent(count)
    seen = of(items, **domain.options)
    value = seen.to_redis()
    redis.set(ours, value)
    assert redis.pfcount(ours) == round(HyperLogLog.from_redis(value).estimate())
    pfadd(redis, theirs, sent)
    if count:
        held = redis.get(theirs)
        assert held[:5] == value[:5]
        assert held[HEADER:] == value[HEADER:]
        assert HyperLogLog.from_redis(held).to_redis() == value
        assert not any(redis.pfadd(ours, *sent[start : start + 1000]) for start in range(0, count, 1000))
    # It goes on counting in what we wrote, and merges it.
    more = domain.items(count + 7)
    pfadd(redis, ours, domain.sent(count + 7)[-3:])
    seen.update(more[-3:])
    assert HyperLogLog.from_redis(redis.get(ours)).to_redis() == seen.to_redis()
    pfadd(redis, theirs, domain.sent(count + 7)[:4])
    seen.update(more[:4])
    redis.pfmerge(union, ours, theirs)
    merged = HyperLogLog.from_redis(redis.get(union))
    assert merged.to_redis() == seen.to_redis()
    assert redis.pfcount(union) == redis.pfcount(ours, theirs) == round(merged.estimate())


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
@pytest.mark.parametrize("first", [0, 5_000, 10_000])
def test_redis_and_we_go_from_sparse_to_dense_together(redis, keys, domain: Domain, first: int):
    items, sent = domain.items(first + 1_800)[first:], domain.sent(first + 1_800)[first:]
    seen = of(items[:1_500], **domain.options)
    pfadd(redis, keys[0], sent[:1_500])
    forms = []
    for item, word in zip(items[1_500:], sent[1_500:], strict=True):
        seen.add(item)
        with redis.pipeline(transaction=False) as both:
            both.pfadd(keys[0], word)
            both.get(keys[0])
            theirs = both.execute()[1]
        value = seen.to_redis()
        assert HyperLogLog.from_redis(theirs).to_redis() == value
        if theirs[4] == value[4]:
            assert theirs[HEADER:] == value[HEADER:]
        forms.append((theirs[4], value[4]))
    assert {(0, 0), (1, 1)} <= set(forms)
    # A server never goes back, and goes over before it knows how short the list will be: where the lengths of lists
    # are a few bytes around 3,000, its form depends on the order of additions, ours on the set alone.
    assert sum(theirs != ours for theirs, ours in forms) <= 3


def test_redis_merges_higher_precisions_after_they_came_down(redis, keys):
    ours, theirs, union = keys
    redis.set(ours, of(texts(5_000), 18).to_redis())
    pfadd(redis, theirs, texts(5_000, 2_500))
    redis.pfmerge(union, ours, theirs)
    assert HyperLogLog.from_redis(redis.get(union)).to_redis() == of(texts(7_500)).to_redis()


def test_redis_values_merge_with_sketches_of_items(redis, keys):
    pfadd(redis, keys[0], texts(2_000))
    seen = of(texts(2_000, 1_000))
    seen.merge(HyperLogLog.from_redis(redis.get(keys[0])))
    assert seen.to_redis() == of(texts(3_000)).to_redis()
    assert seen.estimate() == pytest.approx(3_000, rel=0.03)


# ---- PostgreSQL


class Type(NamedTuple):
    """A type hll(log2m, regwidth, expthresh, sparseon)."""

    log2m: int = 11
    regwidth: int = 5
    expthresh: int = -1
    sparse: bool = True

    @property
    def sql(self) -> str:
        return f"{self.log2m}, {self.regwidth}, {self.expthresh}, {int(self.sparse)}"

    def of(self, sketch: HyperLogLog) -> bytes:
        return sketch.to_postgresql(
            log2m=self.log2m, regwidth=self.regwidth, expthresh=self.expthresh, sparse_enabled=self.sparse
        )


EMPTY, EXPLICIT, SPARSE, FULL = range(1, 5)
#: Each has its zeros at the end shorter than an entry, so a server reads its own sparse values well.
TYPES = [
    Type(),
    Type(expthresh=0),
    Type(expthresh=0, sparse=False),
    Type(expthresh=128),
    Type(14),
    Type(14, 6, 0),
    Type(17, 7, 0),
    Type(12, 4, 8192, sparse=False),
    Type(9, 1, 0),
    Type(4, 5, 0),
    Type(5, 3, 2),
]


@pytest.fixture(scope="module")
def connection(postgres_url: str):
    import psycopg

    try:
        connection = psycopg.connect(postgres_url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(f"no server answers at ENGAGEHUB_TEST_POSTGRES_URL: {error}")
    with connection:
        connection.execute("SET client_min_messages = warning")
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS hll")
        except psycopg.Error as error:
            pytest.skip(f"the server at ENGAGEHUB_TEST_POSTGRES_URL has no extension hll: {error}")
        yield connection


@pytest.fixture
def ask(connection):
    """Return a function that answers a query of one value; hll values come as bytes."""

    def answer(query: str, *arguments: Any) -> Any:
        return connection.execute(query, arguments, binary=True).fetchone()[0]

    return answer


class Hashing(NamedTuple):
    """Items, and the query that gives their hashes."""

    items: Any
    sql: str


HASHES = {
    "text": Hashing(texts, "SELECT hll_hash_text(x) AS h FROM unnest(%s::text[]) x"),
    "bytea": Hashing(
        lambda count: [bytes([255, 0, i % 256]) * (i // 256 + 1) for i in range(count)],
        "SELECT hll_hash_bytea(x) AS h FROM unnest(%s::bytea[]) x",
    ),
    "bigint": Hashing(
        lambda count: [(i - 5) * 2**44 + i for i in range(count)],
        "SELECT hll_hash_bigint(x) AS h FROM unnest(%s::bigint[]) x",
    ),
}


def held(ask, hashing: Hashing, items: list[Any], kind: Type) -> bytes:
    """Give what the server makes of the items."""
    if not items:
        return ask(f"SELECT hll_send(hll_empty({kind.sql}))")
    return ask(f"SELECT hll_send(hll_add_agg(h, {kind.sql})) FROM ({hashing.sql}) hashes", items)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.sql)
@pytest.mark.parametrize("hashing", HASHES.values(), ids=HASHES)
@pytest.mark.parametrize("count", [0, 1, 9, 100, 1_000, 5_000])
def test_postgresql_holds_our_bytes_and_we_read_its(ask, hashing: Hashing, kind: Type, count: int):
    items = hashing.items(count)
    seen = of(items, 17, hash="postgresql")
    value = kind.of(seen)
    theirs = held(ask, hashing, items, kind)
    read = HyperLogLog.from_postgresql(theirs)
    assert read.p == kind.log2m
    assert kind.of(read) == value
    if theirs[0] & 15 != EXPLICIT:
        assert theirs == value
    # An explicit value beside registers: both become registers, and both sets are one.
    assert ask("SELECT hll_send(hll_union(%s::hll, %s::hll))", value, theirs) == (value if count else theirs)
    both = hashing.items(count + 700)
    rest = held(ask, hashing, both[count // 2 :], kind)
    union = ask("SELECT hll_send(hll_union(%s::hll, %s::hll))", value, rest)
    everything = kind.of(of(both, 17, hash="postgresql"))
    assert kind.of(HyperLogLog.from_postgresql(union)) == everything
    seen.merge(HyperLogLog.from_postgresql(rest))
    assert kind.of(seen) == everything
    if union[0] & 15 != EXPLICIT:
        assert union == everything
    if kind.regwidth >= 5:
        # Its estimator isn't ours. One standard error of either is 1.04 / sqrt(m); the items are the same every time.
        tolerance = 4 * 1.04 / 2 ** (kind.log2m / 2)
        assert ask("SELECT hll_cardinality(%s::hll)", value) == pytest.approx(count, rel=tolerance)
        assert read.estimate() == pytest.approx(count, rel=tolerance)


@pytest.mark.parametrize("kind", [Type(), Type(11, 5, 256), Type(8, 5, 0), Type(8, 6, 4, sparse=False)], ids=str)
def test_postgresql_and_we_change_form_at_the_same_item(connection, kind: Type):
    rows = connection.execute(
        f"SELECT i, hll_send(hll_add_agg(hll_hash_bigint(i), {kind.sql}) OVER (ORDER BY i))"
        " FROM generate_series(1::bigint, 3000) i",
        binary=True,
    ).fetchall()
    seen = HyperLogLog(14, hash="postgresql")
    forms = []
    for item, value in rows:
        seen.add(item)
        form = value[0] & 15
        if form == EXPLICIT:
            assert HyperLogLog.from_postgresql(value).to_postgresql() == seen.to_postgresql(log2m=kind.log2m)
        else:
            assert kind.of(seen) == value
        forms.append(form)
    assert forms == sorted(forms)
    wanted = ([EXPLICIT] if kind.expthresh else []) + ([SPARSE] if kind.sparse else []) + [FULL]
    # With as many hashes as registers take room, the sparse form comes too late at log2m = 11.
    assert set(forms) == set(wanted)


def explicit(raw: int, kind: Type) -> bytes:
    """One hash, as a server keeps it: the way into a sketch for a hash that no item is known for."""
    return bytes([0x12, (kind.regwidth - 1) << 5 | kind.log2m, 0x7F]) + raw.to_bytes(8, "big")


def raw_hash(index: int, value: int, log2m: int, above: int = 0) -> int:
    """Give a hash that sets a register to a value, with other bits above it; 0 leaves no bit."""
    return index | ((1 << (value - 1) | above << value) << log2m if value else 0) & (2**64 - 1)


def streams() -> dict[str, list[int]]:
    """Give the families of hashes that the extension's published vectors are made of, by their description."""
    draw = random.Random(20)
    log2m = Type().log2m
    # Hashes without a bit above the index leave no trace there and hide the register here: they have their own ones.
    edge = [
        raw_hash(draw.randrange(2**10) * 2 + (value == 0), value, log2m)
        for value in (0, 1, 30, 31, 32, 40, 53)
        for _ in range(40)
    ]
    draw.shuffle(edge)
    return {
        # One register after the other, beyond the end of the form, then each of them once more and higher.
        "sparse step": [raw_hash(i, 1, log2m) for i in range(700)] + [raw_hash(i, 2, log2m) for i in range(700)],
        "sparse edge": edge,
        "sparse random": [
            raw_hash(draw.randrange(2**log2m), draw.randint(1, 53), log2m, draw.getrandbits(20)) for _ in range(900)
        ],
        "global": [draw.getrandbits(64) for _ in range(2_000)],
        "signs": [0, 2**63 + 1, 2**64 - 1, 2**63 - 1, 2**63 + 1, 2**62 + 2, 0, 2**62 + 2],
    }


@pytest.mark.parametrize("kind", [Type(expthresh=0), Type(expthresh=256), Type(expthresh=0, sparse=False)], ids=str)
@pytest.mark.parametrize("name", streams())
def test_cumulative_additions_of_raw_hashes(connection, name: str, kind: Type):
    hashes = streams()[name]
    signed = [raw - 2**64 if raw >= 2**63 else raw for raw in hashes]
    rows = connection.execute(
        f"SELECT hll_send(hll_add_agg(h::hll_hashval, {kind.sql}) OVER (ORDER BY n))"
        " FROM unnest(%s::bigint[]) WITH ORDINALITY AS given(h, n) ORDER BY n",
        (signed,),
        binary=True,
    ).fetchall()
    seen = HyperLogLog(kind.log2m, hash="postgresql")
    for raw, (value,) in zip(hashes, rows, strict=True):
        seen.merge(HyperLogLog.from_postgresql(explicit(raw, kind)))
        if value[0] & 15 == EXPLICIT:
            assert HyperLogLog.from_postgresql(value) == seen  # with all of the hash, so the state is the same
        else:
            assert kind.of(seen) == value


@pytest.mark.parametrize("kind", [Type(expthresh=0), Type(expthresh=256), Type(8, 6, 2)], ids=str)
def test_cumulative_unions_of_values_of_every_form(ask, connection, kind: Type):
    draw = random.Random(21)
    seen = HyperLogLog(kind.log2m, hash="postgresql")
    together = ask(f"SELECT hll_send(hll_empty({kind.sql}))")
    met = set()
    for _ in range(60):
        hashes = [
            draw.getrandbits(63) for _ in range(draw.choice([1, 3, 10, 300, 2_000]) if draw.random() < 0.8 else 0)
        ]
        value = ask(
            f"SELECT hll_send(coalesce(hll_add_agg(h::hll_hashval, {kind.sql}), hll_empty({kind.sql})))"
            " FROM unnest(%s::bigint[]) h",
            hashes,
        )
        together = ask("SELECT hll_send(hll_union(%s::hll, %s::hll))", together, value)
        seen.merge(HyperLogLog.from_postgresql(value))
        met.add(value[0] & 15)
        assert kind.of(HyperLogLog.from_postgresql(together)) == kind.of(seen)
        if together[0] & 15 in (SPARSE, FULL):
            assert together == kind.of(seen)
    assert met >= {EMPTY, FULL}
    assert len(met) >= 3


def test_a_server_misreads_very_narrow_sparse_values_so_we_write_full_ones(ask):
    # At hll(4, 1) two registers take 10 bits, and the six zeros after them hold an entry of five: register 0 is lost.
    kind = Type(4, 1, 0)
    seen = HyperLogLog(4, hash="postgresql")
    for index in (0, 1):
        seen.merge(HyperLogLog.from_postgresql(explicit(raw_hash(index, 1, 4), kind)))
    theirs = ask(
        "SELECT hll_send(hll_add_agg(h::hll_hashval, 4, 1, 0, 1)) FROM unnest(%s::bigint[]) h",
        [raw_hash(0, 1, 4), raw_hash(1, 1, 4)],
    )
    assert theirs[0] & 15 == SPARSE
    assert kind.of(HyperLogLog.from_postgresql(theirs)) == kind.of(seen)
    assert kind.of(seen)[0] & 15 == FULL
    assert ask("SELECT hll_cardinality(%s::hll)", kind.of(seen)) == pytest.approx(2, rel=0.2)


def test_a_declared_column_takes_our_values_of_its_type_by_insert_and_copy(connection, ask):
    import psycopg

    seen = of(texts(500), hash="postgresql")
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TEMPORARY TABLE days (day date, members hll(14, 5, -1, 1))")
        connection.execute("INSERT INTO days VALUES ('2026-01-01', %s::hll)", (seen.to_postgresql(),))
        with connection.cursor().copy("COPY days FROM STDIN") as copy:
            copy.write_row(("2026-01-02", of(texts(500, 250), hash="postgresql").to_postgresql()))
            copy.write_row(("2026-01-03", HyperLogLog(hash="postgresql").to_postgresql()))
        connection.execute(
            "UPDATE days SET members = hll_add(members, hll_hash_text('one more')) WHERE day = '2026-01-03'"
        )
        union = ask("SELECT hll_send(hll_union_agg(members)) FROM days")
        everything = of([*texts(750), "one more"], hash="postgresql")
        assert union == everything.to_postgresql()
        assert ask("SELECT # hll_union_agg(members) FROM days") == pytest.approx(751, rel=0.03)
        for other in ({"log2m": 11}, {"regwidth": 6}, {"expthresh": 0}, {"sparse_enabled": False}):
            with pytest.raises(psycopg.errors.DataException), connection.transaction():
                connection.execute("INSERT INTO days VALUES ('2026-01-04', %s::hll)", (seen.to_postgresql(**other),))


def test_what_a_server_can_hold_is_what_we_write(ask, connection):
    import psycopg

    fine = of(texts(10), 18, hash="postgresql")
    assert ask("SELECT # %s::hll", fine.to_postgresql()) == pytest.approx(10, rel=0.01)
    refused = [fine.to_bytes(), b"", b"\x11", b"\x15\x8b\x7f", bytes.fromhex("118b7f00"), bytes.fromhex("218b7f")]
    for value in refused:
        with pytest.raises((Corrupted, Incompatible)):
            HyperLogLog.from_postgresql(value)
        # The extension checks a value where it comes as text, as in COPY.
        with pytest.raises(psycopg.errors.DataException):
            ask("SELECT hll_in(%s::cstring, 0, -1)::text", "\\x" + value.hex())


def test_the_undefined_value_is_refused_by_name(ask):
    value = ask(r"SELECT hll_send(hll_union('\x108b7f'::hll, '\x118b7f'::hll))")
    with pytest.raises(Incompatible, match=re.escape("data must be a set, got the undefined value")):
        HyperLogLog.from_postgresql(value)


def test_only_sketches_of_its_hash_exchange_with_a_server(ask):
    value = held(ask, HASHES["text"], texts(3), Type())
    ours = of(texts(3), 11)
    with pytest.raises(Incompatible, match="got redis and postgresql"):
        ours.merge(HyperLogLog.from_postgresql(value))
    with pytest.raises(Incompatible, match="got postgresql and redis"):
        ours.to_postgresql()


# ---- The guide


def guide_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_guide_runs_with_redis(redis, redis_url: str, capsys):
    keys = ["members:today", "members:yesterday"]
    if redis.exists(*keys):
        pytest.fail("the keys of the guide are in use on this server")
    block, _ = guide_blocks("py")
    url = "redis://127.0.0.1:6379/0"
    assert url in block
    try:
        exec(compile(block.replace(url, redis_url), str(GUIDE), "exec"), {})
    finally:
        redis.delete(*keys)
    counts = [int(line) for line in capsys.readouterr().out.split()]
    assert counts == pytest.approx([10_000, 10_001], rel=0.03)


def test_the_guide_runs_with_postgresql(connection, postgres_url: str, capsys):
    _, block = guide_blocks("py")
    (statements,) = guide_blocks("sql")
    url = "postgresql://127.0.0.1/engagehub"
    assert url in block
    schema = f"guide_{uuid.uuid4().hex}"
    path = f"{schema},public"
    connection.execute(f"CREATE SCHEMA {schema}")
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL search_path = {path}")
            connection.execute(statements)
        own = f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-csearch_path%3D{path}"
        exec(compile(block.replace(url, own), str(GUIDE), "exec"), {})
    finally:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
    counts = [float(number) for number in re.findall(r"[\d.]+", capsys.readouterr().out)]
    assert counts == pytest.approx([17_001, 17_001], rel=0.03)
