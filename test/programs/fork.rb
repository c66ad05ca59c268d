require "open3"
$stdout.sync = true
parent, usr = Process.pid, 0
trap("USR1") { usr += 1 }
(1..12).each do |n|
  pids = (1..4).map { |i| fork { sleep 0.03 * i; exit! i + n } }
  ended = pids.map { |p| Process.wait2(p)[1].exitstatus }
  puts "statuses #{ended.inspect}"
  r, w = IO.pipe
  a, b = IO.popen("-", "r+") || (r.close; while (l = $stdin.gets); sleep 0.01; puts l.to_i * 2; w.write("#{l.strip};"); end; Process.kill(:USR1, Process.ppid); exit!(0))
  w.close
  sum = (1..8).sum { |i| a.puts(i * n); a.gets.to_i }
  a.close_write
  log = r.read
  a.close
  sleep 0.01 until usr == n
  puts "sum #{sum} log #{log} status #{$?.exitstatus} signals #{usr}"
  out, status = Open3.capture2("sort -r | cksum", stdin_data: (1..3000).map { |i| "#{i}\n" }.join)
  puts "captured #{out.strip} #{status.exitstatus}"
  system("sleep 0.05; exit 4")
  puts "system #{$?.exitstatus} #{`echo $PPID`.to_i == Process.pid && Process.pid == parent ? 'same' : 'other'}"
  t = Process.detach(fork { sleep 0.05; exit!(6) })
  puts "detached #{t.value.exitstatus} #{Thread.new { IO.popen(%w[echo in a thread]).read }.value}"
end
