# Threads, a queue, locks, timers and random numbers: the output depends on none of their order.
import hashlib, queue, random, threading, time

work, done, lock = queue.Queue(8), {}, threading.Lock()

def worker(name):
    while (n := work.get()) is not None:
        h = str(n).encode()
        for _ in range(9000):
            h = hashlib.sha256(h).digest()
        with lock:
            done[n] = h.hex()

threads = [threading.Thread(target=worker, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
timer = threading.Timer(0.5, lambda: None)
timer.start()
random.seed(5)
for n in range(1000):
    work.put(n)
    if n % 200 == 0:
        print("fed", n, random.random(), flush=True)
        time.sleep(0.02)
for _ in threads:
    work.put(None)
for t in threads:
    t.join()
timer.join()
print(hashlib.sha256(repr(sorted(done.items())).encode()).hexdigest())
