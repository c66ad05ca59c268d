// Threads blocked without a timeout in futexes and signal waits: mutex, condition, semaphore, read-write lock, barrier,
// raw futex in its forms, pause, sigsuspend, sigwaitinfo, plain sleep(3) of an hour.
// mig-test: shaken
#include <linux/futex.h>
#include <semaphore.h>

#include "lib/blocked.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;
static int go, word, bitset_word, pi_word;
static atomic_int round_of_mutex;

static void on_signal(int n) {}

static void hold_mutex(struct blocked *b) { pthread_mutex_lock(&mutex); }
static void block_mutex(struct blocked *b) {
  CALL(b, pthread_mutex_lock(&mutex), 0);
  CALL(b, pthread_mutex_unlock(&mutex), 0);
  while (round_of_mutex <= b->returned) sleep_ms(1);
}
static void release_mutex(struct blocked *b) {
  CALL(b, pthread_mutex_unlock(&mutex), 0);
  sleep_ms(20);
  CALL(b, pthread_mutex_lock(&mutex), 0);
  round_of_mutex++;
}
static void block_condition(struct blocked *b) {
  pthread_mutex_lock(&cond_mutex);
  while (!go) CALL(b, pthread_cond_wait(&condition, &cond_mutex), 0);
  go = 0;
  pthread_mutex_unlock(&cond_mutex);
}
static void signal_condition(struct blocked *b) {
  pthread_mutex_lock(&cond_mutex);
  go = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&cond_mutex);
}
static void make_semaphore(struct blocked *b) { sem_init(&semaphore, 0, 0); }
static void block_semaphore(struct blocked *b) { CALL(b, sem_wait(&semaphore), 0); }
static void post_semaphore(struct blocked *b) { sem_post(&semaphore); }
static void block_futex(struct blocked *b) { CALL(b, syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0), 0); }
static void wake_futex(struct blocked *b) { CALL(b, syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0), 1); }
static void block_bitset(struct blocked *b) {
  CALL(b, syscall(SYS_futex, &bitset_word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 4), 0);
}
static void wake_bitset(struct blocked *b) {
  CALL(b, syscall(SYS_futex, &bitset_word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 3), 0);
  CALL(b, syscall(SYS_futex, &bitset_word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 6), 1);
}
static void kill_thread(struct blocked *b, int signal) { CALL(b, syscall(SYS_tgkill, getpid(), (pid_t)b->tid, signal), 0); }
// These two return EINTR by nature: exactly when the program's own signal comes, and only then.
static void block_pause(struct blocked *b) {
  CALL(b, pause(), -1);
  if (errno != EINTR) fail("pause: %s", strerror(errno));
}
static void end_pause(struct blocked *b) { kill_thread(b, SIGUSR1); }
static void block_sigsuspend(struct blocked *b) {
  sigset_t all;
  sigfillset(&all), sigdelset(&all, SIGUSR2);
  CALL(b, sigsuspend(&all), -1);
}
static void end_sigsuspend(struct blocked *b) { kill_thread(b, SIGUSR2); }
static void block_sigwait(struct blocked *b) {
  sigset_t s;
  siginfo_t info;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 5);
  CALL(b, sigwaitinfo(&s, &info), SIGRTMIN + 5);
  if (info.si_value.sival_int != 31) fail("sigwaitinfo: value %d", info.si_value.sival_int);
}
static void end_sigwait(struct blocked *b) { CALL(b, sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = 31}), 0); }
static void block_sleep(struct blocked *b) {
  struct timespec hour = {3600, 0}, left = {0, 0};
  CALL(b, nanosleep(&hour, &left), -1);
  if (left.tv_sec < 3500 || left.tv_sec > 3600) fail("nanosleep: %ld s left", (long)left.tv_sec);
}
static void hold_rwlock(struct blocked *b) { pthread_rwlock_wrlock(&rwlock); }
static atomic_int rwlock_round;
static void block_rwlock(struct blocked *b) {
  CALL(b, pthread_rwlock_rdlock(&rwlock), 0);
  CALL(b, pthread_rwlock_unlock(&rwlock), 0);
  while (rwlock_round <= b->returned) sleep_ms(1);
}
static void release_rwlock(struct blocked *b) {
  pthread_rwlock_unlock(&rwlock);
  sleep_ms(20);
  pthread_rwlock_wrlock(&rwlock);
  rwlock_round++;
}

static struct blocked table[] = {
    {"pthread_mutex_lock", block_mutex, release_mutex, hold_mutex},
    {"pthread_cond_wait", block_condition, signal_condition, NULL},
    {"sem_wait", block_semaphore, post_semaphore, make_semaphore},
    {"futex", block_futex, wake_futex, NULL},
    {"futex bitset", block_bitset, wake_bitset, NULL},
    {"pthread_rwlock_rdlock", block_rwlock, release_rwlock, hold_rwlock},
    {"pause", block_pause, end_pause, NULL},
    {"sigsuspend", block_sigsuspend, end_sigsuspend, NULL},
    {"sigwaitinfo", block_sigwait, end_sigwait, NULL},
    {"nanosleep", block_sleep, end_pause, NULL},
};
enum { kCount = sizeof table / sizeof *table };

static void setup(void) {
  struct sigaction a = {.sa_handler = on_signal};
  sigset_t s;
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGUSR2, &a, NULL);
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 5), sigaddset(&s, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  (void)pi_word;
  blocked_start(table, kCount);
}

static void verify(void) { blocked_round(table, kCount); }
