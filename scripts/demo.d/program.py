"""The program of scripts/demo. It knows nothing of mig.

Three threads look for primes, the main thread puts what they find into a SQLite database, all in one transaction
that is committed at the end. Each step is a line: step, host, pid, thread ids, rows not yet committed, a running hash.
"""
import hashlib
import os
import queue
import socket
import sqlite3
import threading
import time

STEPS = 40
found = queue.Queue(maxsize=30)


def search(begin, step):
    n = begin
    while True:
        if all(n % d for d in range(2, int(n ** 0.5) + 1)):
            found.put(n)
        n += step


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


threads = [threading.Thread(target=search, args=(100_001 + 2 * i, 6), daemon=True) for i in range(3)]
for t in threads:
    t.start()

database = sqlite3.connect("primes.db", isolation_level=None)
database.execute("create table primes(step integer, prime integer unique)")
database.execute("begin immediate")
running = hashlib.sha256()
for step in range(1, STEPS + 1):
    for _ in range(25):
        prime = found.get()
        database.execute("insert into primes values(?, ?)", (step, prime))
        running.update(b"%d" % step)
    rows = database.execute("select count(*) from primes").fetchone()[0]
    say(step, socket.gethostname(), os.getpid(), ",".join(str(t.native_id) for t in threads), rows, running.hexdigest()[:8])
    time.sleep(0.1)
database.execute("commit")
say("committed", socket.gethostname(), os.getpid())
os._exit(0)
