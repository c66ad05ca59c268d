require "digest"
$stdout.sync = true
Digest::SHA1.hexdigest("")  # loaded before the threads begin
results = Queue.new
threads = 3.times.map { |i| Thread.new { s = ""; 300000.times { |n| s = Digest::SHA1.hexdigest(s + n.to_s + i.to_s) }; results << s } }
f = Fiber.new { 5.times { |i| Fiber.yield i * i } }
h = Hash.new(0)
3000000.times { |n| h["k#{n * 7919 % 50021}"] += n; puts f.resume if n % 750000 == 0 }
threads.each(&:join)
puts 3.times.map { results.pop }.sort.join(" ")
puts Digest::SHA1.hexdigest(h.sort.to_s)
