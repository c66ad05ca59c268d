#include "tools/words.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "image/records.h"

namespace mig {

namespace {

struct Word {
  int64_t value;
  const char* text;
};

template <size_t N>
std::string look_up(const Word (&table)[N], int64_t value, const char* otherwise) {
  for (const Word& w : table)
    if (w.value == value) return w.text;
  return fmt::format("{} {}", otherwise, value);
}

template <size_t N>
std::string join_bits(const Word (&table)[N], uint64_t bits, const char* separator) {
  std::string s;
  for (const Word& w : table)
    if ((bits & static_cast<uint64_t>(w.value)) == static_cast<uint64_t>(w.value))
      s += (s.empty() ? "" : separator) + std::string(w.text);
  return s;
}

constexpr Word kMappingKinds[] = {{1, "anonymous"}, {2, "file-private"}, {3, "file-shared"}, {4, "shared-anonymous"},
                                  {5, "memfd"},     {6, "system-v"},     {7, "device"},      {8, "async-ring"}};

constexpr Word kDescriptionKinds[] = {
    {1, "file"},         {2, "directory"},        {3, "device"},        {4, "terminal"},     {5, "pipe"},       {6, "fifo"},
    {7, "epoll"},        {8, "eventfd"},          {9, "timerfd"},       {10, "signalfd"},    {11, "inotify"},   {12, "memfd"},
    {13, "socket-pair"}, {14, "unix-listener"},   {15, "tcp-listener"}, {16, "tcp-lost"},    {17, "inherited"}, {18, "path-only"},
    {19, "pidfd"},       {20, "datagram-socket"}, {21, "proc"},         {22, "fresh-socket"}};

constexpr Word kTextRoles[] = {{1, "executable"}, {2, "working-directory"}, {3, "host"},   {4, "kernel"}, {5, "job"},
                               {6, "images"},     {7, "terminal"},          {8, "library"}};

constexpr Word kAdvice[] = {
    {kDontFork, "dontfork"},     {kDontDump, "dontdump"},     {kHugePage, "hugepage"},       {kNoHugePage, "nohugepage"},
    {kMergeable, "mergeable"},   {kWipeOnFork, "wipeonfork"}, {kGrowsDown, "growsdown"},     {kLocked, "locked"},
    {kNoReserve, "noreserve"},   {kHugeTlb, "hugetlb"},       {kDroppable, "droppable"},     {kSealed, "sealed"},
    {kSequential, "sequential"}, {kRandom, "random"},         {kLockOnFault, "lockonfault"}, {kStack, "stack"}};

constexpr Word kOpenFlags[] = {{O_APPEND, "O_APPEND"},  {O_NONBLOCK, "O_NONBLOCK"}, {O_ASYNC, "O_ASYNC"},
                               {O_SYNC, "O_SYNC"},      {040000, "O_DIRECT"},       {O_DIRECTORY, "O_DIRECTORY"},
                               {01000000, "O_NOATIME"}, {010000000, "O_PATH"}};

constexpr Word kClocks[] = {{CLOCK_REALTIME, "realtime"},
                            {CLOCK_MONOTONIC, "monotonic"},
                            {CLOCK_PROCESS_CPUTIME_ID, "process-cpu"},
                            {CLOCK_THREAD_CPUTIME_ID, "thread-cpu"},
                            {CLOCK_BOOTTIME, "boottime"},
                            {CLOCK_REALTIME_ALARM, "realtime-alarm"},
                            {CLOCK_BOOTTIME_ALARM, "boottime-alarm"},
                            {CLOCK_TAI, "tai"}};

constexpr Word kLimits[] = {
    {RLIMIT_CPU, "cpu"},           {RLIMIT_FSIZE, "fsize"}, {RLIMIT_DATA, "data"},     {RLIMIT_STACK, "stack"},
    {RLIMIT_CORE, "core"},         {RLIMIT_RSS, "rss"},     {RLIMIT_NPROC, "nproc"},   {RLIMIT_NOFILE, "nofile"},
    {RLIMIT_MEMLOCK, "memlock"},   {RLIMIT_AS, "as"},       {RLIMIT_LOCKS, "locks"},   {RLIMIT_SIGPENDING, "sigpending"},
    {RLIMIT_MSGQUEUE, "msgqueue"}, {RLIMIT_NICE, "nice"},   {RLIMIT_RTPRIO, "rtprio"}, {RLIMIT_RTTIME, "rttime"}};

constexpr Word kPolicies[] = {{SCHED_OTHER, "other"}, {SCHED_FIFO, "fifo"}, {SCHED_RR, "rr"},
                              {3, "batch"},           {5, "idle"},          {6, "deadline"}};

/// Those in which a thread can be found blocked.
constexpr Word kSystemCalls[] = {{SYS_read, "read"},
                                 {SYS_write, "write"},
                                 {SYS_readv, "readv"},
                                 {SYS_writev, "writev"},
                                 {SYS_pread64, "pread64"},
                                 {SYS_pwrite64, "pwrite64"},
                                 {SYS_poll, "poll"},
                                 {SYS_ppoll, "ppoll"},
                                 {SYS_select, "select"},
                                 {SYS_pselect6, "pselect6"},
                                 {SYS_epoll_wait, "epoll_wait"},
                                 {SYS_epoll_pwait, "epoll_pwait"},
                                 {SYS_epoll_pwait2, "epoll_pwait2"},
                                 {SYS_futex, "futex"},
                                 {SYS_nanosleep, "nanosleep"},
                                 {SYS_clock_nanosleep, "clock_nanosleep"},
                                 {SYS_pause, "pause"},
                                 {SYS_rt_sigsuspend, "rt_sigsuspend"},
                                 {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
                                 {SYS_wait4, "wait4"},
                                 {SYS_waitid, "waitid"},
                                 {SYS_accept, "accept"},
                                 {SYS_accept4, "accept4"},
                                 {SYS_connect, "connect"},
                                 {SYS_recvfrom, "recvfrom"},
                                 {SYS_recvmsg, "recvmsg"},
                                 {SYS_recvmmsg, "recvmmsg"},
                                 {SYS_sendto, "sendto"},
                                 {SYS_sendmsg, "sendmsg"},
                                 {SYS_sendmmsg, "sendmmsg"},
                                 {SYS_msgrcv, "msgrcv"},
                                 {SYS_msgsnd, "msgsnd"},
                                 {SYS_semop, "semop"},
                                 {SYS_semtimedop, "semtimedop"},
                                 {SYS_flock, "flock"},
                                 {SYS_fcntl, "fcntl"},
                                 {SYS_open, "open"},
                                 {SYS_openat, "openat"},
                                 {SYS_io_getevents, "io_getevents"},
                                 {SYS_io_pgetevents, "io_pgetevents"},
                                 {SYS_mq_timedreceive, "mq_timedreceive"},
                                 {SYS_mq_timedsend, "mq_timedsend"},
                                 {SYS_splice, "splice"},
                                 {SYS_sendfile, "sendfile"},
                                 {SYS_fsync, "fsync"},
                                 {SYS_fdatasync, "fdatasync"},
                                 {SYS_getrandom, "getrandom"},
                                 {SYS_restart_syscall, "restart_syscall"}};

}  // namespace

std::string mapping_kind_word(uint32_t kind) {
  return look_up(kMappingKinds, kind, "kind");
}
std::string description_kind_word(uint32_t kind) {
  return look_up(kDescriptionKinds, kind, "kind");
}
std::string text_role_word(uint32_t role) {
  return look_up(kTextRoles, role, "text");
}
std::string advice_words(uint32_t advice) {
  return join_bits(kAdvice, advice, ",");
}
std::string clock_word(int clock) {
  return look_up(kClocks, clock, "clock");
}
std::string limit_word(uint32_t resource) {
  return look_up(kLimits, resource, "limit");
}
std::string policy_word(uint32_t policy) {
  return look_up(kPolicies, policy, "policy");
}

std::string protection_text(uint32_t protection, bool shared) {
  std::string s = "---p";
  if (protection & PROT_READ) s[0] = 'r';
  if (protection & PROT_WRITE) s[1] = 'w';
  if (protection & PROT_EXEC) s[2] = 'x';
  if (shared) s[3] = 's';
  return s;
}

std::string open_flag_words(uint32_t flags) {
  const char* access[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string more = join_bits(kOpenFlags, flags, "|");
  return access[flags & O_ACCMODE] + (more.empty() ? "" : "|" + more);
}

std::string lock_word(uint32_t kind) {
  const char* kinds[] = {"posix", "ofd", "flock", "lease"};
  return kind < 4 ? kinds[kind] : "lock";
}

std::string system_call_word(int64_t number) {
  return number < 0 ? "" : look_up(kSystemCalls, number, "call");
}

}  // namespace mig
