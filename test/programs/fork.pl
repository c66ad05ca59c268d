use strict; use warnings; use POSIX ':sys_wait_h'; use Socket; use IPC::Open3; use IO::Handle;
$| = 1;
my ($usr, $parent) = (0, $$);
$SIG{USR1} = sub { ++$usr };
for my $n (1..14) {
  my %ended;
  my @pids = map { my $i = $_; my $pid = fork // die; if (!$pid) { select undef, undef, undef, 0.03 * $i; exit $i + $n } $pid } 1..4;
  while ((my $pid = waitpid -1, 0) > 0) { $ended{$pid} = $? >> 8 }
  print "statuses @ended{@pids}\n";

  pipe my $r, my $w; socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; $_->autoflush for $w, $a, $b;
  my $pid = fork // die;
  if (!$pid) { close $a; close $r; while (<$b>) { chomp; select undef, undef, undef, 0.01; print $b $_ * 2, "\n"; print $w "$_;" } kill USR1 => getppid; exit 0 }
  close $b; close $w;
  my $sum = 0; for (1..8) { print $a $n * $_, "\n"; $sum += <$a> }
  shutdown $a, 1; my $log = <$r>; waitpid $pid, 0;
  print "sum $sum log $log status $? signals $usr\n";

  open my $out, '-|', 'seq 3000 | sort -r | cksum' or die; print "opened ", <$out>; close $out;
  my $three = open3(my $in, my $from, undef, 'sh', '-c', 'read a; sleep 0.05; echo "$a back"; exit 3'); print $in "there\n"; print scalar <$from>; waitpid $three, 0; print $? >> 8, "\n";
  print "system ", system('sleep 0.02; exit 4') >> 8, ' ', `echo \$PPID` == $$ && $$ == $parent ? 'same' : 'other', "\n";
}
