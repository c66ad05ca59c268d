# multiprocessing: pools, shared memory, values, queues, barriers and a manager, by fork, spawn and forkserver.
# The argument names what stays in /dev/shm, so that the test can remove what a killed job leaves.
import hashlib, multiprocessing as mp, sys
from multiprocessing import shared_memory


def digest(n):
    h = str(n).encode()
    for _ in range(2500):
        h = hashlib.sha256(h).digest()
    return h.hex()


def fill(name, barrier, total, i):
    memory = shared_memory.SharedMemory(name)
    for n in range(i, len(memory.buf), 3):
        memory.buf[n] = n * 7 % 251
    with total.get_lock():
        total.value += i
    barrier.wait()
    memory.close()


def serve(questions, answers):
    while (q := questions.get()) is not None:
        answers.put((q, digest(q)))


def note(log, table, i):
    for n in range(20):
        log.append((i, n))
        table[i, n] = digest(n)


def round_of(context, n, name):
    with context.Pool(3) as pool:
        for i, result in enumerate(pool.imap(digest, range(n, n + 60), 4)):
            if i % 20 == 0:
                print("pool", n, i, result[:16], flush=True)

    memory = shared_memory.SharedMemory(name, create=True, size=30000)
    barrier, total = context.Barrier(4), context.Value("i", 0)
    workers = [context.Process(target=fill, args=(memory.name, barrier, total, i)) for i in range(3)]
    for w in workers:
        w.start()
    barrier.wait()
    for w in workers:
        w.join()
    print("memory", total.value, hashlib.sha256(memory.buf).hexdigest()[:16], [w.exitcode for w in workers], flush=True)
    memory.close()
    memory.unlink()

    questions, answers = context.Queue(5), context.Queue()
    workers = [context.Process(target=serve, args=(questions, answers)) for _ in range(2)]
    for w in workers:
        w.start()
    for q in range(100):
        questions.put(q)
    for w in workers:
        questions.put(None)
    got = sorted(answers.get() for _ in range(100))
    for w in workers:
        w.join()
    print("queue", hashlib.sha256(repr(got).encode()).hexdigest()[:16], flush=True)

    with context.Manager() as manager:
        log, table = manager.list(), manager.dict()
        workers = [context.Process(target=note, args=(log, table, i)) for i in range(2)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        print("manager", sorted(log) == [(i, n) for i in range(2) for n in range(20)], len(table), table[1, 7][:16], flush=True)


if __name__ == "__main__":
    mp.current_process()._config["semprefix"] = "/" + sys.argv[1]
    for n, method in enumerate(("fork", "fork", "spawn", "fork", "forkserver", "fork")):
        round_of(mp.get_context(method), n, sys.argv[1])
        print("round", n, flush=True)
