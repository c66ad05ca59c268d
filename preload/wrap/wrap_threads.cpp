// Wrappers: functions of pthreads that hand a thread's number to the kernel, and the birth of threads.
//
// Until the first restart every one goes straight to libc. After it they do by the real tid what libc would do with the
// word in the thread's descriptor, which stays virtual (preload/tid_words.h).
//
// pthread_cancel: libc does its bookkeeping, then signals the thread by its word, and tells ESRCH because no thread has
// that number; the signal is then sent to the right one. Only where the virtual tid happens to be the real one of
// another thread must the word be changed for the moment.
// New threads: real and virtual tid are the same, unless the number is in use as another thread's virtual one.
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/tid_words.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"
#include "preload/wrap/send.h"

namespace mig {
namespace {

MIG_ORIGINAL(pthread_create);
MIG_ORIGINAL(pthread_cancel);
MIG_ORIGINAL(pthread_setaffinity_np);
MIG_ORIGINAL(pthread_getaffinity_np);
MIG_ORIGINAL(pthread_setschedparam);
MIG_ORIGINAL(pthread_getschedparam);
MIG_ORIGINAL(pthread_setschedprio);
MIG_ORIGINAL(pthread_setname_np);
MIG_ORIGINAL(pthread_getname_np);
MIG_ORIGINAL(pthread_getattr_np);

constexpr int kCancelSignal = 32;
constexpr size_t kNameSize = 16;
constexpr IdCall kOnTask{{IdKind::kTask}};

/// A system call on the thread: the kernel's result, or -ESRCH when it has ended.
long on_thread(pthread_t thread, long number, long b = 0, long c = 0) {
  int32_t tid = virtual_tid_of(thread);
  return tid > 0 ? call_with_ids(kOnTask, number, tid, b, c) : -ESRCH;
}

struct Start {
  void* (*run)(void*);
  void* argument;
};

void* start_settled(void* memory) {
  Start start = *static_cast<Start*>(memory);
  free(memory);
  settle_new_thread();
  return start.run(start.argument);
}

long open_comm(pthread_t thread, int flags) {
  char path[64];
  Text(path) << "/proc/self/task/" << real_id(virtual_tid_of(thread)) << "/comm";
  return open_path(path, flags);
}

int cancel(pthread_t thread) {
  if (!ids_moved()) return original_pthread_cancel(thread);
  int32_t tid = virtual_tid_of(thread);
  if (tid > 0 && real_id(tid) != tid && sys(__NR_tgkill, ids.real_pid, tid, 0) == 0) {
    ScopedRealTid real(thread);
    return original_pthread_cancel(thread);
  }
  int error = original_pthread_cancel(thread);
  if (error != ESRCH || tid <= 0) return error;
  send_to_own_thread(tid, kCancelSignal);
  return 0;
}

bool is_other_thread(pthread_t thread) {
  return ids_moved() && thread != pthread_self();
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) noexcept {
  expect_threads();
  if (!ids_moved()) return original_pthread_create(thread, attributes, run, argument);
  auto start = static_cast<Start*>(malloc(sizeof(Start)));
  if (!start) return EAGAIN;
  *start = {run, argument};
  int error = original_pthread_create(thread, attributes, start_settled, start);
  if (error) free(start);
  return error;
}

/// Of the calling thread it may not return.
MIG_EXPORT int pthread_cancel(pthread_t thread) {
  if (thread == pthread_self()) return cancel(thread);
  Mark mark;
  return cancel(thread);
}

MIG_EXPORT int pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t* cpus) noexcept {
  Mark mark;
  if (!ids_moved()) return original_pthread_setaffinity_np(thread, size, cpus);
  return as_error(on_thread(thread, __NR_sched_setaffinity, static_cast<long>(size), reinterpret_cast<long>(cpus)));
}
MIG_EXPORT int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t* cpus) noexcept {
  Mark mark;
  if (!ids_moved()) return original_pthread_getaffinity_np(thread, size, cpus);
  long r = on_thread(thread, __NR_sched_getaffinity, static_cast<long>(size), reinterpret_cast<long>(cpus));
  if (failed(r)) return as_error(r);
  memset(reinterpret_cast<char*>(cpus) + r, 0, size - static_cast<size_t>(r));
  return 0;
}

MIG_EXPORT int pthread_setschedparam(pthread_t thread, int policy, const sched_param* parameters) noexcept {
  Mark mark;
  if (!ids_moved()) return original_pthread_setschedparam(thread, policy, parameters);
  return as_error(on_thread(thread, __NR_sched_setscheduler, policy, reinterpret_cast<long>(parameters)));
}
MIG_EXPORT int pthread_getschedparam(pthread_t thread, int* policy, sched_param* parameters) noexcept {
  Mark mark;
  if (!ids_moved()) return original_pthread_getschedparam(thread, policy, parameters);
  long r = on_thread(thread, __NR_sched_getscheduler);
  if (failed(r)) return as_error(r);
  *policy = static_cast<int>(r);
  return as_error(on_thread(thread, __NR_sched_getparam, reinterpret_cast<long>(parameters)));
}
MIG_EXPORT int pthread_setschedprio(pthread_t thread, int priority) noexcept {
  Mark mark;
  if (!ids_moved()) return original_pthread_setschedprio(thread, priority);
  sched_param parameters{};
  parameters.sched_priority = priority;
  return as_error(on_thread(thread, __NR_sched_setparam, reinterpret_cast<long>(&parameters)));
}

MIG_EXPORT int pthread_setname_np(pthread_t thread, const char* name) noexcept {
  if (!is_other_thread(thread)) return original_pthread_setname_np(thread, name);
  size_t length = strlen(name);
  if (length >= kNameSize) return ERANGE;
  ScopedFd fd(open_comm(thread, O_RDWR));
  return fd.ok() ? as_error(write_all(fd.get(), name, length)) : fd.error();
}
MIG_EXPORT int pthread_getname_np(pthread_t thread, char* name, size_t size) noexcept {
  if (!is_other_thread(thread)) return original_pthread_getname_np(thread, name, size);
  if (size < kNameSize) return ERANGE;
  ScopedFd fd(open_comm(thread, O_RDONLY));
  if (!fd.ok()) return fd.error();
  long n = sys(__NR_read, fd.get(), name, size);
  if (n < 0) return as_error(n);
  name[n && name[n - 1] == '\n' ? n - 1 : n == static_cast<long>(size) ? n - 1 : n] = 0;
  return 0;
}

/// Also asks for the thread's affinity by its word.
MIG_EXPORT int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
  ScopedRealTid real(thread);
  return original_pthread_getattr_np(thread, attributes);
}
