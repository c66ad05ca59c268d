BEGIN {
  for (n = 0; n < 11000000; ++n) { k = n * 7919 % 100003; t[k] += n % 17; if (n % 9 == 0) delete t[k]; if (n % 2000000 == 0) { print n; fflush() } }
  for (k in t) s += k * t[k]
  print s, length(t)
}
