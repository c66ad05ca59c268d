// The tid that libc keeps in each thread's descriptor (struct pthread).
#pragma once
#include <pthread.h>
#include <stdint.h>

namespace mig {

/// Finds out, in the first thread, where in the descriptor the word is.
void learn_tid_word();

/// Before the program's first thread, and after a restart: what the end of a thread needs. Few programs have threads, and the
/// start of each should cost next to nothing.
void expect_threads();

/// The thread's word, which holds its virtual tid (0: it has ended); nullptr where it is unknown.
int32_t* tid_word(pthread_t thread);

/// The only thread of a program that has just begun gets a virtual tid.
void set_first_tid(int32_t number);

/// The thread's virtual tid, also while its word shows the real one; 0: it has ended. The word is known.
int32_t virtual_tid_of(pthread_t thread);

/// The real tid stands in the calling thread's word until hide_real_tid(). A restart in between changes it. They nest.
void show_real_tid();
void hide_real_tid();

/// The calling thread's real tid, while it is shown.
struct ShownTid {
  int32_t real;            ///< 0: not known
  int32_t virtual_number;  ///< once shown, for life: so another thread may look at it at any moment
  uint32_t depth;
};
inline thread_local ShownTid shown_tid __attribute__((tls_model("initial-exec"))) = {};

/// In a thread that a restart has brought back, maybe while its word held the real tid.
void renew_tid_word(int32_t virtual_tid);
/// In the child of a fork, whose word libc has set anew.
void forget_shown_tid();

/// In a thread that a restart has brought back, or whose virtual tid is not its real one: what its end needs.
void watch_thread_end();

/// Before the process ends: robust mutexes in shared memory that the calling thread holds.
void give_up_shared_mutexes();

/// First of all in a thread that was born after a restart: a virtual tid that no other thread has.
void settle_new_thread();

/// The real tid stands in a thread's word for the length of a scope: for functions of libc that hand the word to the
/// kernel and cannot be replaced. In a thread other than the calling one this is a short lie.
class ScopedRealTid {
 public:
  explicit ScopedRealTid(pthread_t thread);
  ~ScopedRealTid() { end(); }
  void end();
  ScopedRealTid(const ScopedRealTid&) = delete;
  ScopedRealTid& operator=(const ScopedRealTid&) = delete;

 private:
  pthread_t thread_;
  int32_t* word_;
  int32_t virtual_ = 0;
};

}  // namespace mig
