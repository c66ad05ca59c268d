#include "restore/meeting.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "restore/failure.h"
#include "restore/job.h"

namespace mig {
namespace {

constexpr int64_t kSlice = 100 * kMillisecond;
constexpr int64_t kBirthLimit = 60 * kSecond;
constexpr int64_t kLoadLimit = 600 * kSecond;  ///< the slowest process has all its memory to load
constexpr int64_t kEndLimit = 10 * kSecond;
constexpr int kMostSlices = 20000;

struct Newborn {
  int32_t pid;
  uint32_t reserved;
  uint64_t start;
};
struct Nursery {
  uint32_t arrived[6];
  uint32_t turns;   ///< that are over
  uint32_t status;  ///< exit status of the restart: of the first failure
  int64_t monotonic, boottime;
  Newborn born[];
};

Job* job;
Nursery* nursery;
int32_t self = -1, births, members;
bool settled;  ///< zombies and helpers may be gone

bool lives(int32_t birth) {
  int32_t pid = real_number(birth);
  return pid && is_process_alive(pid, nursery->born[birth].start);
}

/// Processes run, and may end, only after all have arrived.
bool is_missed(int32_t birth, const uint32_t* word, uint32_t expected) {
  return birth != self && real_number(birth) && !lives(birth) && load(word) < expected;
}

/// Nobody says more about a process that was killed.
void look_after(int32_t birth, const uint32_t* word, uint32_t expected) {
  if (!is_missed(birth, word, expected)) return;
  char object[64];
  Text(object) << "pid " << real_number(birth);
  give_up(Error::kResourceFailed, object, "this process of the job ended while it was restored");
}

void look_after_others(const uint32_t* word, uint32_t expected) {
  if (load(&job->rebirth.failed)) end_restart(0);
  if (self != 0) return look_after(0, word, expected);
  for (int32_t i = 1; i < (settled ? members : births); ++i) look_after(i, word, expected);
}

void wait_for_all(const uint32_t* word, uint32_t expected) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + (settled ? kLoadLimit : kBirthLimit);
  for (uint32_t n; (n = load(word)) < expected;) {
    look_after_others(word, expected);
    if (clock_now(CLOCK_MONOTONIC) > deadline) give_up(Error::kInternal, "the job", "a process of it did not become ready");
    futex_wait(word, n, kSlice, true);
  }
  if (load(&job->rebirth.failed)) end_restart(0);
}

void arrive(uint32_t* word, uint32_t expected) {
  if (__atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL) == expected) futex_wake(word, true);
  wait_for_all(word, expected);
}

uint32_t* word_of(BirthStep step) {
  return &nursery->arrived[static_cast<int>(step)];
}
uint32_t* word_of(RebirthStep step) {
  return &job->rebirth.arrived[static_cast<int>(step)];
}

int64_t first_reading(int64_t& word, int clock) {
  int64_t none = 0, now = clock_now(clock);
  bool first = __atomic_compare_exchange_n(&word, &none, now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  return first ? now : none;
}

/// Kills whoever is left; returns whether there is nobody.
bool end_others() {
  bool none = true;
  for (int32_t i = 1; i < births; ++i) {
    if (!lives(i)) continue;
    none = false;
    sys(__NR_kill, real_number(i), SIGKILL);
  }
  long reaped;
  while ((reaped = sys(__NR_wait4, -1, nullptr, WNOHANG | __WALL, nullptr)) > 0) {
  }
  return none && reaped != 0;
}

/// Whoever loses its parent meanwhile becomes a child of this process.
void end_everybody() {
  sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kEndLimit;
  while (!end_others() && clock_now(CLOCK_MONOTONIC) < deadline)
    futex_wait(&nursery->arrived[0], nursery->arrived[0], kMillisecond, true);
  remove_job();
}

}  // namespace

void open_meeting(Job* block, const Lineage& lineage) {
  job = block;
  self = 0;
  births = static_cast<int32_t>(lineage.births.size());
  for (const Birth& b : lineage.births) members += b.role == Role::kMember;
  size_t size = sizeof(Nursery) + static_cast<size_t>(births) * sizeof(Newborn);
  nursery = static_cast<Nursery*>(share_home_memory(size, -1));
}

void enter_meeting(int32_t birth) {
  self = birth;
  enter_newborn(birth, static_cast<int32_t>(sys(__NR_getpid)));
  if (load(&job->rebirth.failed)) end_restart(0);
}

void enter_newborn(int32_t birth, int32_t pid) {
  Newborn& born = nursery->born[birth];
  int32_t none = 0;
  __atomic_store_n(&born.start, process_stat(pid).start, __ATOMIC_RELEASE);
  __atomic_compare_exchange_n(&born.pid, &none, pid, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void leave_meeting() {
  self = -1;
}

bool is_first_process() {
  return self == 0;
}

int32_t real_number(int32_t birth) {
  return __atomic_load_n(&nursery->born[birth].pid, __ATOMIC_ACQUIRE);
}

void meet(BirthStep step) {
  arrive(word_of(step), static_cast<uint32_t>(step >= BirthStep::kLoaded ? members : births));
  settled = step >= BirthStep::kSettled;
}

void await(BirthStep step) {
  wait_for_all(word_of(step), static_cast<uint32_t>(births));
}

void meet(RebirthStep step) {
  arrive(word_of(step), static_cast<uint32_t>(members));
}

void await_others(RebirthStep step) {
  wait_for_all(word_of(step), static_cast<uint32_t>(members) - 1);
  look_after_others(word_of(step), static_cast<uint32_t>(members));
}

void await_turn(uint32_t turn) {
  wait_for_all(&nursery->turns, turn);
}

void end_turn() {
  __atomic_add_fetch(&nursery->turns, 1, __ATOMIC_ACQ_REL);
  futex_wake(&nursery->turns, true);
}

Clocks common_clocks() {
  return {first_reading(nursery->monotonic, CLOCK_MONOTONIC), first_reading(nursery->boottime, CLOCK_BOOTTIME)};
}

void Patience::wait() {
  if (load(&job->rebirth.failed)) end_restart(0);
  if (++slices_ > kMostSlices) give_up(Error::kInternal, what_, "it did not happen in time");
  futex_wait(&job->rebirth.failed, 0, kMillisecond, true);
}

bool claim_failure(int status) {
  if (!job) return true;
  uint32_t none = 0;
  bool first = __atomic_compare_exchange_n(&nursery->status, &none, static_cast<uint32_t>(status), false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE);
  store(&job->rebirth.failed, 1);
  futex_wake(&job->rebirth.failed, true);
  return first;
}

void end_restart(int status) {
  if (job && self == 0) {
    end_everybody();
    status = static_cast<int>(load(&nursery->status));
  }
  if (job && self > 0 && !lives(0)) remove_job();
  for (;;) sys(__NR_exit_group, status);
}

}  // namespace mig
