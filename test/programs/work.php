<?php
$h = [];
for ($n = 0; $n < 14000000; ++$n) {
  $k = 'k' . ($n * 7919 % 100003);
  $h[$k] = md5(($h[$k] ?? '') . $n);
  if ($n % 2000000 == 0) { echo $n, "\n"; }
}
ksort($h);
echo sha1(serialize($h)), "\n";
