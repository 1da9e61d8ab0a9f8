"""What a replay is measured against: plain Python storing a stream whose unique key is in the file already.

Usage: python replay_sqlite.py EVENTS.csv.gz DATABASE (timestamp in seconds, user_id, channel_or_target, kind, id)
"""

import csv
import gzip
import itertools
import sqlite3
import sys

source, target = sys.argv[1:]
database = sqlite3.connect(target, isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=NORMAL")
database.execute(
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, community INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,"
    " member TEXT NOT NULL, channel TEXT, at INTEGER NOT NULL, value REAL NOT NULL, data TEXT, UNIQUE (community, id))"
)
insert = (
    "INSERT INTO events (community, id, kind, member, channel, at, value, data)"
    " VALUES (1, ?, ?, ?, ?, ?, 1.0, NULL) ON CONFLICT (community, id) DO NOTHING"
)
with gzip.open(source, "rt", encoding="utf-8", newline="") as stream:
    rows = csv.reader(stream)
    next(rows)
    values = ((key, kind, member, channel, int(stamp) * 1_000_000) for stamp, member, channel, kind, key in rows)
    while batch := list(itertools.islice(values, 10_000)):
        database.execute("BEGIN")
        database.executemany(insert, batch)
        database.execute("COMMIT")
print(database.execute("SELECT count(*) FROM events").fetchone()[0])
