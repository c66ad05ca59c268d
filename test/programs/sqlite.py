# One transaction that stays open from the first row to the last, with a read snapshot beside it.
import sqlite3

db = sqlite3.connect("data.db", isolation_level=None)
db.execute("pragma journal_mode=wal")
db.execute("create table t(n integer primary key, square integer, text)")
reader = sqlite3.connect("data.db", isolation_level=None)
db.execute("begin immediate")
for n in range(2500000):
    db.execute("insert into t values(?,?,?)", (n, n * n, "row %d" % n))
    if n % 100000 == 0:
        print(n, db.in_transaction, reader.execute("select count(*) from t").fetchone()[0], flush=True)
db.execute("commit")
print(reader.execute("select count(*), sum(square), max(text) from t").fetchone())
print(reader.execute("pragma integrity_check").fetchone()[0])
