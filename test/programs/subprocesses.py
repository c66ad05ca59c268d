# subprocess with pipes both ways, with timeouts, sessions and groups of their own.
import os, signal, subprocess, sys

parent = os.getpid()
for n in range(14):
    p = subprocess.Popen(["sort", "-r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    out, _ = p.communicate("".join(f"{i * 7919 % 1009}\n" for i in range(4000)), timeout=60)
    print("sort", n, len(out), out[:20].split(), p.returncode)

    slow = subprocess.Popen(["sh", "-c", "echo begun; sleep 100"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    print(slow.stdout.readline().strip())
    try:
        slow.communicate(timeout=0.15)
        print("no timeout")
    except subprocess.TimeoutExpired as e:
        print("timeout", e.timeout, os.getsid(slow.pid) == slow.pid, os.getpgid(slow.pid) == slow.pid)
    os.killpg(slow.pid, signal.SIGTERM)
    print("killed", slow.wait(60))

    a = subprocess.Popen(["seq", "3000"], stdout=subprocess.PIPE)
    b = subprocess.Popen(["gzip", "-cn"], stdin=a.stdout, stdout=subprocess.PIPE)
    c = subprocess.Popen(["cksum"], stdin=b.stdout, stdout=subprocess.PIPE, text=True)
    a.stdout.close()
    b.stdout.close()
    print("pipeline", c.communicate()[0].strip(), a.wait(), b.wait())

    done = subprocess.run([sys.executable, "-c", "import os, time; time.sleep(0.1); print(os.getppid()); raise SystemExit(7)"],
                          capture_output=True, text=True, timeout=60)
    print("parent", int(done.stdout) == parent == os.getpid(), done.returncode)
    print("output", subprocess.check_output("printf %s $((6 * 7)); exit 0", shell=True), flush=True)
