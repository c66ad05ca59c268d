// The job's table of ids: what collides, what is removed, and what two processes write at the same time.
#include "image/ids.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

using namespace mig;

namespace {

auto table() {
  return std::make_unique<IdSpace>();
}
bool nobody(int32_t) {
  return false;
}
bool everybody(int32_t) {
  return true;
}

/// Numbers whose entries want the same place.
std::vector<int32_t> same_place(size_t count) {
  std::vector<int32_t> numbers{1000};
  for (int32_t n = 1001; numbers.size() < count; ++n)
    if (id_hash(n) % kIdSlots == id_hash(1000) % kIdSlots) numbers.push_back(n);
  return numbers;
}

struct SharedSpace {
  IdSpace* at = static_cast<IdSpace*>(mmap(nullptr, sizeof(IdSpace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ~SharedSpace() { munmap(at, sizeof(IdSpace)); }
};

}  // namespace

TEST_CASE("a pair is found in both directions, and others are their own", "[ids]") {
  auto space = table();
  REQUIRE(insert_id_pair(*space, {100, 200}));
  CHECK(space->moved == 1);
  CHECK(find_real(*space, 100) == 200);
  CHECK(find_virtual(*space, 200) == 100);
  CHECK(find_real(*space, 200) == 0);
  CHECK(find_virtual(*space, 100) == 0);
}

TEST_CASE("a number that did not change needs no entry", "[ids]") {
  auto space = table();
  REQUIRE(insert_id_pair(*space, {100, 100}));
  CHECK(space->moved == 0);
  CHECK(find_real(*space, 100) == 0);
}

TEST_CASE("numbers that want the same place are all found while others go", "[ids]") {
  auto space = table();
  auto numbers = same_place(5);
  for (int32_t n : numbers) REQUIRE(insert_id_pair(*space, {n, n + 1'000'000}));
  remove_id_pair(*space, {numbers[1], numbers[1] + 1'000'000});
  remove_id_pair(*space, {numbers[3], numbers[3] + 1'000'000});
  for (size_t i = 0; i < numbers.size(); ++i) CHECK(find_real(*space, numbers[i]) == (i % 2 ? 0 : numbers[i] + 1'000'000));
  REQUIRE(insert_id_pair(*space, {numbers[1], 77}));
  CHECK(find_real(*space, numbers[1]) == 77);
  CHECK(find_real(*space, numbers[4]) == numbers[4] + 1'000'000);
}

TEST_CASE("entries at the end of the table go on at its beginning", "[ids]") {
  auto space = table();
  std::vector<int32_t> last;
  for (int32_t n = 1; last.size() < 3; ++n)
    if (id_hash(n) % kIdSlots == kIdSlots - 1) last.push_back(n);
  for (int32_t n : last) REQUIRE(insert_id_pair(*space, {n, n + 5'000'000}));
  CHECK(space->by_virtual[0].virtual_number == last[1]);
  CHECK(space->by_virtual[1].virtual_number == last[2]);
  remove_id_pair(*space, {last[1], last[1] + 5'000'000});
  CHECK(find_real(*space, last[2]) == last[2] + 5'000'000);
  remove_id_pair(*space, {last[2], last[2] + 5'000'000});
  CHECK(space->by_virtual[0].virtual_number == 0);
  CHECK(space->by_virtual[1].virtual_number == 0);
}

TEST_CASE("places that were in use do not pile up", "[ids]") {
  auto space = table();
  for (int32_t n = 1; n < 300'000; ++n) {
    REQUIRE(insert_id_pair(*space, {n, n + 1'000'000}));
    remove_id_pair(*space, {n, n + 1'000'000});
  }
  for (uint32_t i = 0; i < kIdSlots; ++i) REQUIRE(space->by_virtual[i].virtual_number == 0);
}

TEST_CASE("a new owner of a number takes it over in both directions", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {100, 200});
  insert_id_pair(*space, {101, 200});
  CHECK(find_virtual(*space, 200) == 101);
  CHECK(find_real(*space, 100) == 0);
  insert_id_pair(*space, {101, 300});
  CHECK(find_virtual(*space, 200) == 0);
  CHECK(find_virtual(*space, 300) == 101);
}

TEST_CASE("a new task keeps its number unless a member has it", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {100, 200});
  CHECK(adopt_id(*space, 150, 1, everybody) == 150);
  int32_t fresh = adopt_id(*space, 100, 1, everybody);
  CHECK(fresh == kFirstFreshId);
  CHECK(find_real(*space, fresh) == 100);
  CHECK(find_real(*space, 100) == 200);
}

TEST_CASE("parent and child are told the same number of a birth", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {100, 200});
  int32_t first = adopt_id(*space, 100, 7, everybody);
  CHECK(adopt_id(*space, 100, 7, everybody) == first);
  CHECK(adopt_id(*space, 100, 7, nobody) == first);
  CHECK(adopt_id(*space, 100, 8, everybody) == first + 1);
  CHECK(find_real(*space, first) == 0);
}

TEST_CASE("a number given again within the same tick of the clock is another birth", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {100, 200});
  int32_t first = adopt_id(*space, 100, 7, everybody);
  remove_id_pair(*space, {first, 100});
  int32_t second = adopt_id(*space, 100, 7, everybody);
  CHECK(second != first);
  CHECK(find_real(*space, second) == 100);
}

TEST_CASE("a new task with the real number of a member that has ended is another", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {100, 200});
  CHECK(adopt_id(*space, 200, 9, nobody) == 200);
  CHECK(find_virtual(*space, 200) == 0);
  CHECK(find_real(*space, 100) == 0);
}

TEST_CASE("the number of a member that has ended may be used again", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {100, 200});
  CHECK(adopt_id(*space, 100, 9, nobody) == 100);
  CHECK(find_real(*space, 100) == 0);
}

TEST_CASE("the group of somebody outside keeps its number", "[ids]") {
  auto space = table();
  space->group = {500, 600};
  CHECK(adopt_id(*space, 500, 1, everybody) == kFirstFreshId);
  CHECK(adopt_id(*space, 600, 1, everybody) == 600);
  CHECK(space->group.virtual_number == 0);
}

TEST_CASE("fresh numbers begin again at the end, and pass over those in use", "[ids]") {
  auto space = table();
  insert_id_pair(*space, {kFirstFreshId, 200});
  CHECK(space->next_fresh == kFirstFreshId + 1);
  space->next_fresh = kLastFreshId;
  CHECK(fresh_id(*space) == kLastFreshId);
  CHECK(fresh_id(*space) == kFirstFreshId + 1);
}

TEST_CASE("entries of those that ended are swept when there is no room", "[ids]") {
  auto space = table();
  for (int32_t n = 1; n <= 2000; ++n) insert_id_pair(*space, {n, n + 1'000'000});
  sweep_ids(*space, [](int32_t real) { return real % 2 == 0; });
  for (int32_t n = 1; n <= 2000; ++n) REQUIRE(find_real(*space, n) == (n % 2 ? 0 : n + 1'000'000));
}

TEST_CASE("two processes write at the same time", "[ids]") {
  SharedSpace space;
  constexpr int32_t kEach = 3000;
  auto write = [&](int32_t first) {
    for (int32_t n = first; n < first + kEach; ++n) {
      ScopedIdLock lock(*space.at);
      insert_id_pair(*space.at, {n, n + 1'000'000});
      if (n % 3 == 0) remove_id_pair(*space.at, {n, n + 1'000'000});
    }
  };
  pid_t child = fork();
  if (child == 0) {
    write(1 + kEach);
    _exit(0);
  }
  write(1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  for (int32_t n = 1; n <= 2 * kEach; ++n) {
    REQUIRE(find_real(*space.at, n) == (n % 3 ? n + 1'000'000 : 0));
    REQUIRE(find_virtual(*space.at, n + 1'000'000) == (n % 3 ? n : 0));
  }
  CHECK(space.at->lock == 0);
}

TEST_CASE("the lock of a process that was killed is taken over", "[ids]") {
  SharedSpace space;
  pid_t child = fork();
  if (child == 0) {
    new ScopedIdLock(*space.at);
    for (;;) pause();
  }
  while (__atomic_load_n(&space.at->lock, __ATOMIC_ACQUIRE) != static_cast<uint32_t>(child)) sched_yield();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  {
    ScopedIdLock lock(*space.at);
    CHECK(space.at->lock == static_cast<uint32_t>(getpid()));
  }
  CHECK(space.at->lock == 0);
}

TEST_CASE("every signal is blocked while the lock is held", "[ids]") {
  auto space = table();
  sigset_t before, within, after;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  {
    ScopedIdLock lock(*space);
    sigprocmask(SIG_SETMASK, nullptr, &within);
  }
  sigprocmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&within, SIGTERM) == 1);
  CHECK(sigismember(&after, SIGTERM) == sigismember(&before, SIGTERM));
}
