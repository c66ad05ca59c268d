rand("seed", 3); a = reshape(mod((1:40000) * 7919, 1009), 200, 200) / 1009; b = a;
for n = 1:320
  b = sort(a * b / 100, 2); [q, r] = qr(b); e = sum(abs(diag(r)));
  if mod(n, 80) == 0, printf("%d %.6g\n", n, e); fflush(stdout); end
end
s = struct("x", {{1, "two", [3 4]}}); printf("%.6g %s\n", sum(b(:)), class(s));
