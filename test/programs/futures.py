# concurrent.futures: executors of processes, one that starts afresh (spawn), one beside threads.
import concurrent.futures as cf, hashlib, multiprocessing as mp, sys, time


def digest(n):
    h = str(n).encode()
    for _ in range(4000):
        h = hashlib.sha256(h).digest()
    return h.hex()[:12]


def fail(n):
    time.sleep(0.01)
    raise ValueError(n)


if __name__ == "__main__":
    mp.current_process()._config["semprefix"] = "/" + sys.argv[1]
    for n, method in enumerate(("fork", "spawn", "fork", "fork")):
        with cf.ProcessPoolExecutor(3, mp.get_context(method)) as pool, cf.ThreadPoolExecutor(2) as threads:
            for i, d in enumerate(pool.map(digest, range(n, n + 80), chunksize=3)):
                if i % 10 == 0:
                    print(method, i, d, flush=True)
            futures = [pool.submit(fail, i) for i in range(10)]
            print(sorted(str(f.exception()) for f in cf.as_completed(futures)))
            inner = [threads.submit(lambda i=i: pool.submit(digest, i).result()) for i in range(20)]
            print(hashlib.sha256("".join(f.result() for f in inner).encode()).hexdigest()[:16], flush=True)
