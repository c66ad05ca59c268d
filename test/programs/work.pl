use strict; use Digest::SHA 'sha1_hex';
$| = 1;
my (%h, $s); local $SIG{ALRM} = sub { alarm 1 }; alarm 1;
for my $n (1..6000000) { my $k = "k" . ($n * 7919 % 100003); $h{$k} .= chr(65 + $n % 26); $h{$k} =~ s/ABC/x/g; delete $h{$k} if length $h{$k} > 30; print "$n\n" if $n % 1000000 == 0 }
print sha1_hex(join ",", map { "$_=$h{$_}" } sort keys %h), "\n";
alarm 0;
