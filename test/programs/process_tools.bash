# A job that looks at itself with the tools that show processes: the shell, a child of it, a subshell with a child. Each time a file go.N
# appears it prints to out.N what they say of these four, a section for each tool, and then makes done.N.
exec 9>held
sleep 1234 &
A=$!
(sleep 4321; true) &
B=$!
S=$$
until C=$(cat /proc/$B/task/$B/children) && C=${C% } && [ -n "$C" ] && [ "$(cat /proc/$C/comm)" = sleep ] && [ "$(cat /proc/$A/comm)" = sleep ]; do
  sleep 0.01
done
ours=(-e $A -e $B -e $C -e $S)
four=$A,$B,$C,$S

section() { # NAME PROGRAM: false where there is no such program
  command -v "$2" >/dev/null && echo "== $1"
}
numbers() { # one a line, those of ours
  grep -owE '[0-9]+' | grep -x "${ours[@]}" | sort -n
}

look() {
  section 'ps -o' ps && ps -o pid,ppid,pgid,sid,tty,comm -p $four
  section 'ps -ef' ps && ps -ef | awk -v a=$A -v b=$B -v c=$C -v s=$S '$2 == a || $2 == b || $2 == c || $2 == s { print $2, $3, $8, $9 }'
  section 'ps --ppid' ps && ps -o pid=,comm= --ppid $S,$B | grep -e sleep | sort -n
  section 'ps -eL' ps && ps -eLo pid=,lwp= | numbers
  section 'pgrep' pgrep && { pgrep -P $S -x sleep; pgrep -f 'sleep 4321' | numbers; pgrep -g 0 -x sleep | numbers; }
  section 'pidof' pidof && pidof sleep | numbers
  section 'pstree' pstree && pstree -p $S | numbers
  section 'top' top && top -b -n1 -p $four | awk 'NR > 6 { print $1, $NF }' | sort -n
  section 'lsof' lsof && { lsof -t held | numbers; lsof -a -p $A -d cwd,txt -F pn; } 2>/dev/null
  section 'fuser' fuser && fuser held 2>/dev/null | numbers
  section 'find' find && { find /proc -maxdepth 1 -name $A; find /proc/$B/task -mindepth 1 -maxdepth 1; find /proc/$C -maxdepth 1 -name exe; } 2>/dev/null
  section 'ls' ls && { ls -d /proc/[0-9]* 2>/dev/null | numbers; ls /proc | numbers; ls -d /proc/$A; readlink /proc/$A/exe /proc/$B/exe /proc/$S/exe; }
  section 'cd' bash && (cd /proc && cat $A/comm && cd $B && cat comm && awk '{ print $1, $4 }' stat && readlink exe)
  section 'start-stop-daemon' start-stop-daemon && { start-stop-daemon --status --exec "$(readlink -f "$(command -v sleep)")" --pid $A; echo $?; }
  section 'pwdx, pmap' pwdx && { pwdx $A; pmap $A | head -1; }
  section 'prlimit, taskset, chrt, ionice' prlimit && { prlimit --pid $A --nofile -o SOFT --noheadings; taskset -p $B; chrt -p $C; ionice -p $S; }
  section 'kill' kill && { /bin/kill -0 $A; echo $?; kill -0 $C; echo $?; }
  section 'python' /usr/bin/python3 && /usr/bin/python3 - $A $B $C $S <<'PYTHON'
import glob, os, sys
for number in sys.argv[1:]:
    fd = os.open("/proc", os.O_RDONLY)
    pidfd = os.pidfd_open(int(number))
    print(number in os.listdir("/proc"), number in os.listdir(fd), number in [e.name for e in os.scandir("/proc")],
          f"/proc/{number}" in glob.glob("/proc/[0-9]*"), os.stat(number, dir_fd=fd).st_uid, os.readlink(f"{number}/exe", dir_fd=fd),
          open(f"/proc/self/fdinfo/{pidfd}").read().split("Pid:")[1].split()[0])
try:
    import psutil
    for number in sys.argv[1:]:
        p = psutil.Process(int(number))
        print(p.pid, p.ppid(), p.name(), p.exe(), [c.pid for c in p.children() if str(c.pid) in sys.argv], p.is_running())
except ImportError:
    pass
PYTHON
}

for ((n = 0; ; n++)); do
  until [ -e go.$n ]; do
    [ -e end ] && kill $A $C && exit 0
    sleep 0.05
  done
  look >out.$n 2>&1
  : >done.$n
done
