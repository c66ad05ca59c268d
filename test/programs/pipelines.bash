# Pipelines, background jobs, a coprocess, traps and wait: what is printed depends on no order of events.
set -o pipefail
first=$$ usr=0
trap 'usr=$((usr + 1))' USR1
trap 'echo "end after $usr signals"' EXIT

# The status of a child, also when a trap ends the first wait.
status_of() { while wait "$1"; status=$?; ((status > 128)); do :; done; }

coproc SQUARE { while read -r a; do echo $((a * a)); done; exit 6; }
square=$SQUARE_PID
mkfifo fifo

for n in {1..16}; do
  echo "pipe $n $(seq $((n * 900)) | sed 's/7/x/g' | grep -v 3 | sort -r | cksum)"
  seq 9 | (read -r a; sleep 0.05; exit 3) | cat
  echo "pipe status ${PIPESTATUS[*]:1}"

  pids=()
  for i in 1 2 3; do
    (s=0; for ((k = 0; k < 900; k++)); do s=$(((s * 31 + k) % 65521)); done; sleep 0.0$i; exit $((s % 50 + i))) &
    pids+=($!)
  done
  for p in "${pids[@]}"; do status_of "$p"; printf 'ended with %d ' $status; done
  echo

  (kill -USR1 $$; sleep 0.05; exit 9) &
  status_of $!
  echo "signals $usr status $status"

  echo "$n" >&"${SQUARE[1]}"
  read -r a <&"${SQUARE[0]}"
  (sleep 0.03; echo "through the fifo $n") >fifo &
  read -r b <fifo
  wait $!
  echo "$a $b"
  diff <(seq 5) <(seq 2 6) | tr '\n' ' '
  seq 2000 | tee >(cksum >sum) | tail -1
  until [ -s sum ]; do sleep 0.01; done
  cat sum; rm sum
  [ $$ = $first ] && [ "$(bash -c 'echo $PPID; :')" = $BASHPID ] && kill -0 $square && echo "known by the same numbers"
done
eval "exec ${SQUARE[1]}>&-"
status_of $square
echo "coprocess $status"
