# As pipelines.bash, in zsh's own ways: TRAPUSR1, a coprocess, =(...) and $pipestatus.
TMPPREFIX=$PWD/zsh  # zsh leaves the file of =(...) behind in a pipeline
emulate -R zsh
zmodload zsh/zselect
setopt no_monitor no_notify
typeset -i usr=0
TRAPUSR1() { usr+=1 }
first=$$

coproc while read -r a; do print $((a * a)); done

for n in {1..16}; do
  print "pipe $n $(seq $((n * 900)) | sed s/7/x/g | grep -v 3 | sort -r | cksum)"
  seq 9 | (read -r a; zselect -t 5; exit 3) | cat
  print "pipe status $pipestatus[2,-1]"

  pids=()
  for i in 1 2 3; do
    (s=0; for ((k = 0; k < 900; k++)); do s=$(((s * 31 + k) % 65521)); done; sleep 0.0$i; exit $((s % 50 + i))) &
    pids+=($!)
  done
  for p in $pids; do wait $p; print -n "ended with $? "; done
  print

  (kill -USR1 $$; exit 9) &
  wait $!
  until ((usr == n)); do zselect -t 1; done
  print "signals $usr"

  print -p $n
  read -rp a
  print $a
  diff <(seq 5) =(seq 2 6) | tr '\n' ' '
  print -- "$(seq 2000 | tee >(cksum >sum) | tail -1) $(until [[ -s sum ]]; do zselect -t 1; done; cat sum; rm sum)"
  sh -c 'echo $PPID' | read parent
  [[ $$ = $first && $parent = $$ ]] && print "known by the same numbers"
done
print "end after $usr signals"
