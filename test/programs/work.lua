local t, sum = {}, 0
local gen = coroutine.wrap(function() for i = 1, 1e9 do coroutine.yield(i * 7919 % 100003) end end)
for n = 1, 30000000 do
  local k = gen()
  t[k] = (t[k] or 0) + n % 13
  if n % 7 == 0 then t[k] = nil end
  if n % 5000000 == 0 then print(n); io.flush() end
end
for k, v in pairs(t) do sum = sum + k * v end
print(string.format("%.0f", sum), string.rep("ab", 3))
