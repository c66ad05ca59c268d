#include "tools/request.h"

#include <errno.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>

#include <sstream>

#include "image/base/careful_signal.h"
#include "image/publish.h"
#include "tools/clock.h"
#include "tools/duration.h"
#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

constexpr double kAnswerLimit = 10;  ///< seconds for a job to take a request
constexpr double kOrphanLimit = 60;  ///< for a checkpoint whose mig was killed to come to its end
constexpr double kEndLimit = 60;     ///< for a job that was told to end

volatile sig_atomic_t interrupt_signal = 0;

void on_interrupt(int signal) {
  interrupt_signal = signal;
}

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaction(s, &action, nullptr);
}

double answer_limit() {
  const char* text = getenv("MIG_ANSWER_LIMIT");
  return text && *text ? parse_duration("MIG_ANSWER_LIMIT", text) : kAnswerLimit;
}

/// Waits until the word differs from `value`, or a slice of time has passed.
void futex_wait(const uint32_t* word, uint32_t value, double seconds) {
  timespec t = {static_cast<time_t>(seconds),
                static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
  syscall(SYS_futex, word, FUTEX_WAIT, value, &t, nullptr, 0);
}

void futex_wake(const uint32_t* word) {
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool blocks(int pid, int tid, int signal) {
  std::string mask = thread_status_field(pid, tid, "SigBlk");
  return strtoull(mask.c_str(), nullptr, 16) >> (signal - 1) & 1;
}

/// The thread that takes the request: the first, unless it has ended, cannot be interrupted now or blocks the
/// signal.
int choose_thread(int pid, int signal) {
  for (int tid : thread_ids(pid)) {
    auto stat = read_thread_stat(pid, tid);
    if (stat && !strchr("ZXD", stat->state) && !blocks(pid, tid, signal)) return tid;
  }
  return pid;
}

/// Tells the job in which call the thread sits; once the signal has ended the call, nobody can tell any more.
void note_blocked_call(JobRequest& request, int pid, int tid) {
  std::istringstream in(slurp(fmt::format("/proc/{}/task/{}/syscall", pid, tid)));
  std::string number, word, last;
  in >> number;
  while (in >> word) last = word;
  bool known = !number.empty() && number != "running" && number != "-1" && !last.empty();
  request.target_tid = tid;
  request.target_call = known ? strtoll(number.c_str(), nullptr, 10) : -1;
  request.target_pc = known ? strtoull(last.c_str(), nullptr, 16) : 0;
}

/// False: that thread has ended.
bool send_signal(const Member& m, int tid, int signal) {
  siginfo_t info = {};
  info.si_signo = signal, info.si_code = SI_QUEUE;
  info.si_pid = getpid(), info.si_uid = getuid();
  info.si_value.sival_int = kRequestValue;
  HeldThread thread(m.pid, tid);
  long r = member_alive(m) ? thread.send(signal, info) : -ESRCH;
  if (r == -EAGAIN && syscall(SYS_tgkill, m.pid, tid, signal) == 0) return true;
  if (r == -ESRCH && tid != m.pid) return false;
  if (r == -EPERM) throw Problem(Error::kWrongUser, fmt::format("pid {}", m.pid));
  if (r < 0) throw Problem(Error::kNoSuchJob, fmt::format("pid {}", m.pid), kernel_reason(r));
  return true;
}

/// A stopped process (Ctrl-Z) takes the signal only when it is continued; it stops again afterwards (preload/stop/stopped.cpp).
void continue_stopped(JobFile& job, const Member& member) {
  auto stat = read_stat(member.pid);
  if (!stat || stat->state != 'T') return;
  for (Member& m : job->members)
    if (m.pid == member.pid) __atomic_fetch_or(&m.flags, kMemberStopped, __ATOMIC_ACQ_REL);
  siginfo_t info = {};
  info.si_signo = SIGCONT, info.si_code = SI_QUEUE;
  info.si_pid = getpid(), info.si_uid = getuid();
  info.si_value.sival_int = kCutValue;
  syscall(SYS_rt_sigqueueinfo, member.pid, SIGCONT, &info);
}

}  // namespace

bool interrupted() {
  return interrupt_signal != 0;
}

/// A member that has ended meanwhile has nothing to say; one that is needed is missed by the request.
void check_answerable(const Member& member, const std::string& object) {
  std::string tracer = status_field(member.pid, "TracerPid");
  if (!tracer.empty() && tracer != "0")
    throw Problem(Error::kUnsupportedProcess, object, fmt::format("it is traced by process {} (a debugger)", tracer),
                  "Detach the debugger and ask again.");
  std::string seccomp = status_field(member.pid, "Seccomp");
  if (seccomp == "1" || seccomp == "2")
    throw Problem(Error::kUnsupportedSetting, object,
                  seccomp == "1" ? "it runs under strict seccomp"
                                 : "it runs under a seccomp filter, which no ordinary user can read or restore",
                  "Start the program without it.");
}

Request::Request(JobPtr job) : job_(std::move(job)), request_((*job_)->request), member_(main_member(*job_)) {
  catch_interrupts();
  claim();
}

Request::~Request() {
  if (sent_) withdraw_unanswered();
  __atomic_store_n(&request_.requester, 0, __ATOMIC_RELEASE);
  job_->release();
  futex_wake(&request_.phase);
}

Phase Request::phase() const {
  return static_cast<Phase>(__atomic_load_n(&request_.phase, __ATOMIC_ACQUIRE));
}

bool Request::handed_over() const {
  return phase() == Phase::kWritten && __atomic_load_n(&request_.handed_over, __ATOMIC_ACQUIRE);
}

void Request::fail(const Problem& p) {
  request_.code = p.code();
  text_copy(request_.message, p.what(), sizeof request_.message);
  set_phase(Phase::kFailed);
}

void Request::set_phase(Phase p) {
  __atomic_store_n(&request_.phase, static_cast<uint32_t>(p), __ATOMIC_RELEASE);
  futex_wake(&request_.phase);
}

void Request::claim() {
  if (!job_->claim())
    throw Problem(Error::kBusy, "job " + job_->name(),
                  fmt::format("another checkpoint of it is under way (mig with pid {})", request_.requester));
  request_.requester_start = read_stat(getpid()).value_or(ProcessStat{}).start;
  __atomic_store_n(&request_.requester, getpid(), __ATOMIC_RELEASE);
}

/// What a mig that was killed had asked: an unanswered request is withdrawn, an unpublished image removed.
void Request::settle_orphan() {
  withdraw_unanswered();
  const double until = monotonic_seconds() + kOrphanLimit;
  for (Phase p = phase(); p == Phase::kStopping || p == Phase::kSaving; p = phase()) {
    if (member_gone()) {
      forget_taken();
      break;
    }
    if (interrupted() || monotonic_seconds() > until)
      throw Problem(Error::kBusy, "job " + job_->name(), "a checkpoint that nobody waits for is under way");
    futex_wait(&request_.phase, static_cast<uint32_t>(p), kSlice);
  }
  if (handed_over())
    throw Problem(
        Error::kBusy, "job " + job_->name(),
        fmt::format("it was handed over to {}, and it is not known whether it runs there", text_of(request_.destination)),
        "`mig move` to the same host finds out.");
  if (phase() == Phase::kWritten) {
    std::string partial = text_of(request_.partial);
    if (partial.find(".partial-") != std::string::npos) remove_tree(partial.c_str());
    set_phase(Phase::kFailed);
  }
}

void Request::send(uint32_t flags, const std::string& images, const std::string& partial, double limit) {
  settle_orphan();
  if (images.size() >= sizeof request_.images || partial.size() >= sizeof request_.partial)
    throw Problem(Error::kBadArgument, images, "the path is too long");
  request_.flags = flags;
  request_.handed_over = request_.taker = 0;
  request_.code = 0;
  request_.number++;
  request_.progress = request_.bytes = request_.processes = 0;
  request_.stopped = request_.total = 0;
  request_.limit = static_cast<int64_t>(limit * 1e9);
  text_copy(request_.images, images.c_str(), sizeof request_.images);
  text_copy(request_.partial, partial.c_str(), sizeof request_.partial);
  request_.image[0] = request_.message[0] = 0;
  sent_ = true;
  set_phase(Phase::kRequested);
  int tid = ask_thread();
  const double until = monotonic_seconds() + answer_limit();
  while (phase() == Phase::kRequested) {
    if (interrupted())
      throw Problem(Error::kRequesterTimeout, "job " + job_->name(), "interrupted; the request was withdrawn",
                    "The program goes on.");
    if (member_gone()) throw_gone();
    if (monotonic_seconds() > until) {
      withdraw_unanswered();
      if (phase() != Phase::kIdle) break;  // taken at the last moment
      throw Problem(Error::kRequesterTimeout, "job " + job_->name(),
                    fmt::format("it did not answer within {:g} s (pid {} is {})", answer_limit(), member_.pid,
                                state_word(read_stat(member_.pid).value_or(ProcessStat{}).state)),
                    "It is as it was; see `mig ls`, and ask again later or with a longer MIG_ANSWER_LIMIT.");
    }
    futex_wait(&request_.phase, static_cast<uint32_t>(Phase::kRequested), kSlice);
    if (phase() != Phase::kRequested) break;
    if (!read_thread_stat(member_.pid, tid)) tid = ask_thread();
    else continue_stopped(*job_, member_);
  }
}

/// Signals a thread and returns its tid. A thread that ends takes the signal with it; then another one is asked.
int Request::ask_thread() {
  int tid = member_.pid;
  for (int tries = 0; tries < 1000; ++tries) {
    tid = choose_thread(member_.pid, (*job_)->signal);
    note_blocked_call(request_, member_.pid, tid);
    if (send_signal(member_, tid, (*job_)->signal)) break;
  }
  continue_stopped(*job_, member_);
  return tid;
}

Phase Request::wait_for(Phase wanted, double idle, const std::function<void()>& tick, double slice) {
  uint64_t progress = 0;
  Phase last = phase();
  double until = monotonic_seconds() + idle;
  for (;;) {
    Phase p = phase();
    if (p == Phase::kFailed) throw_failure();
    if (p >= wanted || p == Phase::kIdle) return p;
    uint64_t done = __atomic_load_n(&request_.progress, __ATOMIC_RELAXED);
    if (done != progress || p != last) progress = done, last = p, until = monotonic_seconds() + idle;
    if (member_gone()) {
      if (phase() >= wanted && phase() != Phase::kFailed) return phase();
      throw_gone();
    }
    if (monotonic_seconds() > until)
      throw Problem(Error::kThreadDoesNotStop, "job " + job_->name(),
                    fmt::format("the checkpoint made no progress for {:g} s", idle),
                    "The program has not answered; see `mig ls` for its state.");
    if (tick) tick();
    futex_wait(&request_.phase, static_cast<uint32_t>(p), slice);
  }
}

/// Whoever took the request answers it: with kRequestKill the others end before.
const Member& Request::taker() const {
  uint32_t taker = __atomic_load_n(&request_.taker, __ATOMIC_ACQUIRE);
  bool taken = phase() != Phase::kRequested && taker && taker <= kMaxMembers;
  return taken ? (*job_)->members[taker - 1] : member_;
}

bool Request::member_gone() const {
  return !member_alive(taker());
}

/// Of a member that died before it wrote the image: the others go on by themselves.
void Request::forget_taken() {
  for (Phase p : {Phase::kStopping, Phase::kSaving}) {
    auto taken = static_cast<uint32_t>(p);
    __atomic_compare_exchange_n(&request_.phase, &taken, static_cast<uint32_t>(Phase::kFailed), false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
  }
}

void Request::withdraw_unanswered() {
  auto requested = static_cast<uint32_t>(Phase::kRequested);
  __atomic_compare_exchange_n(&request_.phase, &requested, static_cast<uint32_t>(Phase::kIdle), false, __ATOMIC_ACQ_REL,
                              __ATOMIC_RELAXED);
}

void Request::throw_failure() {
  throw Problem::said(request_.code ? request_.code : static_cast<unsigned>(Error::kInternal), text_of(request_.message));
}

void Request::throw_gone() {
  forget_taken();
  if (!job_gone())
    throw Problem(Error::kThreadDoesNotStop, fmt::format("process {}", taker().vpid), "it ended while it led the checkpoint");
  throw Problem(Error::kNoSuchJob, "job " + job_->name(),
                fmt::format("its process {} ended during the checkpoint, and there is no image of it", member_.pid),
                "Its last complete image, if there is one, is intact.");
}

void await_end(const JobPtr& job, const std::vector<Member>& members) {
  double until = monotonic_seconds() + kEndLimit;
  while (!live_members(*job).empty() || std::any_of(members.begin(), members.end(), member_alive)) {
    if (monotonic_seconds() > until)
      throw Problem(Error::kRequesterTimeout, "job " + job->name(), "it was told to end and has not",
                    "End it with `mig signal TARGET KILL`.");
    usleep(2000);
  }
  find_job_named(job->name());  // removes what it may have left
}

}  // namespace mig
