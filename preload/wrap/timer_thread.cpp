// Timers that start a thread (SIGEV_THREAD), made after a restart.
//
// libc serves all of them by one helper thread, to which the kernel sends a signal per expiry. It starts the helper once
// and keeps its tid where nobody else gets at it. After a restart that thread has another tid: timers made before
// are restored to it by mig, but timer_create gives the kernel the old number, which is nobody's, or somebody else's.
// So new ones are served by a helper of our own that works the same way, and only a program that makes such timers
// after a restart ever has it. libc takes a timer whose number is not negative for one of the kernel's, so its other
// functions need no wrappers for these.
#include "preload/wrap/timer_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "image/base/futex.h"
#include "preload/ids.h"
#include "preload/save/signals.h"
#include "preload/state.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(pthread_attr_setstacksize);  // in libpthread before 2.34, with another version

constexpr int kTimerSignal = 32;  ///< libc's own: no program handles or waits for it
constexpr size_t kHelperStack = 64 << 10;

struct Service {
  void (*function)(sigval);
  sigval value;
  pthread_attr_t attributes;
  bool has_attributes;
  int32_t id;
  Service* next;
};
struct Helper {
  uint32_t ready;  ///< futex word
  int32_t vtid, process;
};
enum : uint32_t { kNobody, kStarting };

Service* services;
Helper helper;
uint32_t locked;

class Lock {
 public:
  Lock() {
    while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE)) sys(__NR_sched_yield);
  }
  ~Lock() { __atomic_store_n(&locked, 0, __ATOMIC_RELEASE); }
};

struct Call {
  void (*function)(sigval);
  sigval value;
};

void* run_function(void* memory) {
  Call call = *static_cast<Call*>(memory);
  free(memory);
  uint64_t none = 0;
  sys(__NR_rt_sigprocmask, SIG_SETMASK, &none, nullptr, 8);
  call.function(call.value);
  return nullptr;
}

bool find(const void* wanted, Service& found) {
  Lock lock;
  for (const Service* s = services; s; s = s->next)
    if (s == wanted) {
      found = *s;
      return true;
    }
  return false;
}

void serve(const void* wanted) {
  Service s;
  if (!find(wanted, s)) return;
  auto call = static_cast<Call*>(malloc(sizeof(Call)));
  if (!call) return;
  *call = {s.function, s.value};
  pthread_attr_t plain;
  pthread_attr_init(&plain);
  pthread_attr_t* attributes = s.has_attributes ? &s.attributes : &plain;
  pthread_attr_setdetachstate(attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  if (pthread_create(&thread, attributes, run_function, call)) free(call);
  pthread_attr_destroy(&plain);
}

/// libc takes its own signal out of the mask that a new thread inherits.
void* help(void*) {
  uint64_t set = uint64_t{1} << (kTimerSignal - 1);
  sys(__NR_rt_sigprocmask, SIG_BLOCK, &set, nullptr, 8);
  helper.vtid = own_tid();
  store(&helper.ready, 1);
  futex_wake(&helper.ready);
  for (;;) {
    siginfo_t info{};
    long r = sys(__NR_rt_sigtimedwait, &set, &info, nullptr, 8);
    if (r == kTimerSignal && info.si_code == SI_TIMER) serve(info.si_value.sival_ptr);
  }
}

bool start_helper() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  original_pthread_attr_setstacksize(&attributes, kHelperStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  uint64_t all = ~own_signals(), before = 0;
  sys(__NR_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, help, nullptr);
  sys(__NR_rt_sigprocmask, SIG_SETMASK, &before, nullptr, 8);
  pthread_attr_destroy(&attributes);
  if (error) return false;
  while (!load(&helper.ready)) futex_wait(&helper.ready, 0, kSecond);
  return true;
}

/// A forked child has no helper: it makes its own.
bool ensure_helper() {
  static uint32_t starting = kNobody;
  int32_t process = own_pid();
  for (uint32_t nobody = kNobody; !(load(&helper.ready) && helper.process == process); nobody = kNobody) {
    if (!__atomic_compare_exchange_n(&starting, &nobody, kStarting, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      futex_wait(&starting, kStarting, kMillisecond);
      continue;
    }
    bool there = load(&helper.ready) && helper.process == process;
    if (!there) helper = {0, 0, process};
    bool ok = there || start_helper();
    store(&starting, kNobody);
    if (!ok) return false;
  }
  return true;
}

Service* enter(const sigevent& event) {
  auto s = static_cast<Service*>(calloc(1, sizeof(Service)));
  if (!s) return nullptr;
  s->function = event.sigev_notify_function;
  s->value = event.sigev_value;
  s->id = -1;
  if (event.sigev_notify_attributes) s->attributes = *event.sigev_notify_attributes, s->has_attributes = true;
  Lock lock;
  s->next = services;
  services = s;
  return s;
}

void leave(Service* gone) {
  {
    Lock lock;
    for (Service** at = &services; *at; at = &(*at)->next)
      if (*at == gone) {
        *at = gone->next;
        break;
      }
  }
  free(gone);
}

long create(clockid_t clock, Service* s) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kTimerSignal;
  event.sigev_value.sival_ptr = s;
  event._sigev_un._tid = real_id(helper.vtid);
  int32_t id = 0;
  long r = sys(__NR_timer_create, real_clock(clock), &event, &id);
  s->id = r < 0 ? -1 : id;
  return r;
}

}  // namespace

int create_thread_timer(clockid_t clock, const sigevent& event, timer_t* timer) {
  Service* s = ensure_helper() ? enter(event) : nullptr;
  long r = s ? create(clock, s) : -EAGAIN;
  if (r < 0) {
    if (s) leave(s);
    return int_with_errno(r);
  }
  *timer = reinterpret_cast<timer_t>(static_cast<long>(s->id));
  return 0;
}

void forget_thread_timer(timer_t timer) {
  auto id = static_cast<int32_t>(reinterpret_cast<long>(timer));
  Service* gone = nullptr;
  {
    Lock lock;
    for (Service* s = services; s; s = s->next)
      if (s->id == id) gone = s;
  }
  if (gone) leave(gone);
}

}  // namespace mig
