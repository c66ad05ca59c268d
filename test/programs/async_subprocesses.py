# asyncio subprocesses, watched by threads and by pidfds.
import asyncio, os


async def ask(n):
    p = await asyncio.create_subprocess_exec("sh", "-c", "while read a; do sleep 0.02; echo $((a * 3)); done; exit 5",
                                             stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    total = 0
    for i in range(5):
        p.stdin.write(b"%d\n" % (n + i))
        await p.stdin.drain()
        total += int(await p.stdout.readline())
    p.stdin.close()
    return total, await p.wait()


async def late(n):
    p = await asyncio.create_subprocess_shell("sleep 100")
    try:
        await asyncio.wait_for(p.wait(), 0.1)
    except asyncio.TimeoutError:
        p.kill()
    return await p.wait()


async def main(rounds):
    for n in range(rounds):
        got = await asyncio.gather(*(ask(n * 10 + i) for i in range(3)), late(n))
        p = await asyncio.create_subprocess_shell("seq 20000; echo wrong >&2", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await p.communicate()
        print(n, got, len(out), err, flush=True)


for watcher in (asyncio.ThreadedChildWatcher, asyncio.PidfdChildWatcher):
    asyncio.set_child_watcher(watcher())
    asyncio.run(main(8))
    print(watcher.__name__)
