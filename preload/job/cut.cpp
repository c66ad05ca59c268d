// The cut: all members stand still at the same time, save, and go on together.
//
// The leader is whoever takes the request. It signals a thread of each other member, after it has noted which call that
// thread is blocked in (stop.cpp tells why), and looks through the table again and again until a whole look finds nobody who
// still runs. New members enter the table before their parents report, so the last look sees them. Members report by a step
// in their own entries; the word `changes` wakes the leader. Whoever waits looks every 50 ms whether the others live.
//
// Nothing of this happens in a job of one process but the look through the table.
#include "preload/job/cut.h"

#include <errno.h>

#include "image/base/careful_signal.h"
#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/job/members.h"
#include "preload/stop/stopped.h"

namespace mig {
namespace {

constexpr int64_t kLook = 50 * kMillisecond;
constexpr int64_t kSaveLimit = 3600 * kSecond;
constexpr int64_t kReturnLimit = 30 * kSecond;
constexpr int64_t kEndLimit = 10 * kSecond;
constexpr int64_t kBirthLimit = kSecond;
constexpr int64_t kMeetingLimit = 600 * kSecond;

Role now;
bool company;
uint32_t late_leader;  ///< whose cut this process leads since that one has died: as in Cut::leader, 0: nobody's
uint32_t number;       ///< of the cut that this process takes part in
int64_t births_until;  ///< so long the leader waits for children of the dead

Cut& cut() {
  return state.job->cut;
}
Member& own() {
  return state.job->members[state.member];
}
bool is_other(uint32_t index) {
  return static_cast<int32_t>(index) != state.member && __atomic_load_n(&state.job->members[index].pid, __ATOMIC_ACQUIRE) > 0;
}
bool others_exist() {
  for (uint32_t i = 0; i < member_count(); ++i)
    if (is_other(i)) return true;
  return false;
}
uint64_t progress_at(uint32_t cut_number, uint32_t step) {
  return uint64_t{cut_number} << 32 | step;
}
uint64_t progress_of(const Member& m) {
  return __atomic_load_n(&m.progress, __ATOMIC_ACQUIRE);
}
void set_progress(Member& m, uint32_t cut_number) {
  __atomic_store_n(&m.progress, progress_at(cut_number, 0), __ATOMIC_RELEASE);
}
uint32_t step_of(const Member& m) {
  return static_cast<uint32_t>(progress_of(m));
}
bool takes_part(const Member& m) {
  return progress_of(m) >> 32 == load(&cut().number);
}
bool has_done(const Member& m, CutStep step) {
  return takes_part(m) && step_of(m) >= static_cast<uint32_t>(step);
}
bool is_leader_alive(uint32_t leader) {
  if (!leader || leader > kMaxMembers) return false;
  const Member& m = state.job->members[leader - 1];
  return m.pid > 0 && is_process_alive(m.pid, m.start);
}
CutStep step_now() {
  return static_cast<CutStep>(load(&cut().step));
}
void set_step(CutStep step) {
  store(&cut().step, static_cast<uint32_t>(step));
  futex_wake(&cut().step, true);
}
/// Only for its own cut: the next one may have begun for a member that has not quite left this one.
void report_step(CutStep step) {
  uint64_t before = progress_of(own());
  while (before >> 32 == number)
    if (__atomic_compare_exchange_n(&own().progress, &before, progress_at(number, static_cast<uint32_t>(step)), false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      break;
  __atomic_fetch_add(&cut().changes, 1, __ATOMIC_ACQ_REL);
  futex_wake(&cut().changes, true);
}

/// The first failure of the cut is the one that is told.
void fail_cut() {
  uint32_t none = 0, claimed = 2;
  if (!__atomic_compare_exchange_n(&cut().failed, &none, claimed, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
  cut().code = static_cast<uint32_t>(state.failure.error);
  Text text(cut().message);
  if (now == Role::kFollows && !text_starts(state.failure.message, "process ")) text << "process " << state.vpid << ": ";
  text << state.failure.message;
  store(&cut().failed, 1);
}
bool has_failed() {
  return load(&cut().failed) != 0;
}
/// What another member said becomes what this one says.
void take_failure() {
  for (int i = 0; i < 1000 && load(&cut().failed) == 2; ++i) futex_wait(&cut().failed, 2, kMillisecond, true);
  if (load(&cut().failed) != 1) return;
  state.failure.error = static_cast<Error>(cut().code);
  text_copy(state.failure.message, cut().message, sizeof state.failure.message);
}

/// 0: the process is just entering.
uint64_t load_start(const Member& m) {
  return __atomic_load_n(&m.start, __ATOMIC_ACQUIRE);
}

void note_blocked_call(Member& m, int32_t tid) {
  char path[64], text[256];
  m.target_tid = tid, m.target_call = -1, m.target_pc = 0;
  Text(path) << "/proc/" << m.pid << "/task/" << tid << "/syscall";
  if (read_text(path, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9') return;
  Scan scan(text);
  int64_t number = scan.number();
  for (int i = 0; i < 7; ++i) scan.hex();
  m.target_pc = scan.hex();
  m.target_call = number;
}

/// A thread of the member that can take a signal: the first that has not ended.
int32_t choose_thread(int32_t pid) {
  char path[64];
  Text(path) << "/proc/" << pid << "/task/" << pid << "/stat";
  if (char s = state_letter(path); s != 'Z' && s != 'X') return pid;
  Text(path) << "/proc/" << pid << "/task";
  ScopedFd tasks(open_path(path, O_RDONLY | O_DIRECTORY));
  int32_t found = pid;
  if (tasks.ok())
    each_entry(tasks.get(), [&](const char* name, unsigned char) {
      auto tid = static_cast<int32_t>(Scan(name).number());
      if (tid == pid) return true;
      found = tid;
      return false;
    });
  return found;
}

/// A stopped process is continued when nobody runs any more who could stop or continue it, and its parent cannot see it.
bool may_continue(const ProcessStat& stat, bool others_run) {
  if (others_run) return false;
  for (uint32_t i = 0; i < member_count(); ++i)
    if (const Member& m = state.job->members[i]; m.pid == stat.ppid && is_other(i)) return has_done(m, CutStep::kStopping);
  return true;
}

/// Entries of processes that were killed stay, and their numbers may be strangers' by now. One that executes is left alone, but
/// if it was stopped meanwhile it would not get through: its new program takes the request before anything else.
/// False: it is stopped, and stays so for now.
bool stop_member_by(int32_t tid, Member& m, bool others_run) {
  bool executes = load(&m.flags) & kMemberExecuting;
  int32_t pid = m.pid;
  HeldThread thread(pid, tid);
  ProcessStat stat = process_stat(pid);
  if (!load_start(m) || stat.state == 'X' || stat.state == 'Z' || stat.start > load_start(m)) return true;
  if (stat.main_ended && tid == pid) return stop_member_by(choose_thread(pid), m, others_run);
  if (stat.state == 'T' && !may_continue(stat, others_run)) return false;
  if (stat.state != 'T' && executes) return true;
  note_blocked_call(m, tid);
  set_progress(m, cut().number);
  siginfo_t info{};
  info.si_signo = state.signal;
  info.si_code = SI_QUEUE;
  info.si_pid = static_cast<pid_t>(sys(__NR_getpid));
  info.si_value.sival_int = kCutValue;
  if (thread.send(state.signal, info) < 0) set_progress(m, cut().number - 1);
  else if (stat.state == 'T') continue_member(m);
  return true;
}
bool stop_member(Member& m, bool others_run) {
  return stop_member_by(m.pid, m, others_run);
}

/// The number was given out again within the tick of the clock in which the member had begun. Members handle the request, but for
/// those that execute.
bool is_stranger(const Member& m, int32_t pid) {
  return !(load(&m.flags) & kMemberExecuting) && process_stat(pid).start == load_start(m) &&
         !takes_signal(pid, choose_thread(pid), state.signal);
}

bool refuse_member(const Member& m, const char* cause, Error code = Error::kThreadDoesNotStop) {
  char object[64];
  Text(object) << "process " << m.vpid;
  return refuse(code, object, cause);
}

/// A dead process stands for its children until they have entered, but not for ever: one may have been killed before.
bool is_awaiting_births(const Member& m) {
  return load(&m.flags) >= kMemberBirth && clock_now(CLOCK_MONOTONIC) < births_until;
}

bool is_stopped(const Member& m) {
  return m.pid > 0 && process_stat(m.pid).state == 'T';
}

struct Look {
  uint32_t open = 0;     ///< that do not yet stand still
  uint32_t running = 0;  ///< of these, all that are not stopped by a signal
  uint32_t first = 0;    ///< one of them
};

/// One look at all others. Every `thorough` look finds the dead.
Look look(bool thorough, bool others_run) {
  Look seen;
  for (uint32_t i = 0; i < member_count(); ++i) {
    Member& m = state.job->members[i];
    if (!is_other(i) || has_done(m, CutStep::kStopping)) continue;
    int32_t pid = m.pid;
    bool dead = thorough && (!is_process_alive(pid, load_start(m)) || is_stranger(m, pid));
    if (dead && !is_awaiting_births(m)) {
      free_entry(m, pid);
      continue;
    }
    bool runs = takes_part(m) ? !thorough || !is_stopped(m) : dead || stop_member(m, others_run);
    seen.running += runs;
    seen.first = i;
    ++seen.open;
  }
  return seen;
}

/// The thread that was signalled has ended, and the signal with it; or the process was stopped only then.
void signal_again(bool others_run) {
  for (uint32_t i = 0; i < member_count(); ++i) {
    Member& m = state.job->members[i];
    if (!is_other(i) || !takes_part(m) || step_of(m)) continue;
    char path[64];
    Text(path) << "/proc/" << m.pid << "/task/" << m.target_tid << "/stat";
    if (char s = state_letter(path); s == 'X' || s == 'Z') stop_member(m, others_run);
    else if (s == 'T' && may_continue(process_stat(m.pid), others_run)) continue_member(m);
  }
}

/// Signalling it could be its end.
bool refuse_confined() {
  for (uint32_t i = 0; i < member_count(); ++i)
    if (const Member& m = state.job->members[i];
        (load(&m.flags) & kMemberConfined) && is_other(i) && is_process_alive(m.pid, load_start(m)))
      return refuse_member(m, "it runs under a seccomp filter, which no ordinary user can read or restore",
                           Error::kUnsupportedSetting);
  return true;
}

bool refuse_slow(const Member& m) {
  bool executes = load(&m.flags) & kMemberExecuting;
  return refuse_member(m, executes ? "it has not got through its exec within the limit" : "it does not stop within the limit");
}

bool stop_members() {
  int64_t limit = cut().limit > 0 ? cut().limit : state.stop_limit;
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + limit;
  births_until = clock_now(CLOCK_MONOTONIC) + kBirthLimit;
  bool thorough = false, others_run = true;
  for (;;) {
    uint32_t changes = load(&cut().changes);
    if (!refuse_confined()) return false;
    Look seen = look(thorough, others_run);
    if (!seen.open) seen = look(true, others_run);
    if (!seen.open) return !has_failed();
    if (has_failed()) return false;
    bool may_go_on = others_run && !seen.running;
    others_run = seen.running;
    if (may_go_on) continue;
    thorough = futex_wait(&cut().changes, changes, kLook, true) == -ETIMEDOUT;
    if (thorough) signal_again(others_run);
    if (clock_now(CLOCK_MONOTONIC) > deadline) return refuse_slow(state.job->members[seen.first]);
  }
}

/// Stopped while it stood still.
void continue_late(Member& m) {
  if (is_stopped(m)) continue_member(m);
}

/// The leader waits until all that take part have done the step.
bool await_members(CutStep step, int64_t limit, bool dead_fail) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + limit;
  for (;;) {
    uint32_t seen = load(&cut().changes), open = 0;
    for (uint32_t i = 0; i < member_count(); ++i)
      if (is_other(i) && takes_part(state.job->members[i]) && !has_done(state.job->members[i], step)) ++open;
    if (!open) return true;
    if (futex_wait(&cut().changes, seen, kLook, true) != -ETIMEDOUT) continue;
    for (uint32_t i = 0; i < member_count(); ++i) {
      Member& m = state.job->members[i];
      int32_t pid = m.pid;
      if (!is_other(i) || !takes_part(m) || has_done(m, step)) continue;
      if (is_process_alive(pid, load_start(m))) {
        continue_late(m);
        continue;
      }
      free_entry(m, pid);
      if (dead_fail) return refuse_member(m, "it ended while the image was written");
    }
    if (clock_now(CLOCK_MONOTONIC) > deadline)
      return refuse(Error::kThreadDoesNotStop, "a process of the job", "it does not answer");
  }
}

bool refuse_dead_leader(uint32_t leader) {
  return refuse_member(state.job->members[leader - 1], "it ended while it led the checkpoint");
}

/// The leader is dead: whoever finds out first leads what is left, which is to let everybody go on.
bool succeed() {
  uint32_t leader = load(&cut().leader), self = static_cast<uint32_t>(state.member) + 1;
  if (!leader || leader > kMaxMembers || is_leader_alive(leader) || load(&cut().number) != number) return false;
  if (!__atomic_compare_exchange_n(&cut().leader, &leader, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return false;
  now = Role::kLeads;
  late_leader = leader;
  refuse_dead_leader(leader);
  fail_cut();
  return true;
}

void continue_leader() {
  uint32_t leader = load(&cut().leader);
  if (leader && leader <= kMaxMembers && load(&cut().number) == number) continue_late(state.job->members[leader - 1]);
}

/// Some member stands still in the cut of a dead leader, and will succeed to it.
bool has_heir() {
  for (uint32_t i = 0; i < member_count(); ++i)
    if (const Member& m = state.job->members[i]; is_other(i) && has_done(m, CutStep::kStopping) &&
                                                 !has_done(m, CutStep::kReturning) && is_process_alive(m.pid, load_start(m)))
      return true;
  return false;
}

/// A follower waits until the leader is at least at that step. False: it has given up before, or it is dead; then this process
/// may lead.
bool await_leader(CutStep step) {
  for (;;) {
    uint32_t s = load(&cut().step);
    if (load(&cut().number) != number || s == 0) return false;
    if (s >= static_cast<uint32_t>(step)) return true;
    if (futex_wait(&cut().step, s, kLook, true) != -ETIMEDOUT) continue;
    if (succeed()) return false;
    continue_leader();
  }
}

bool claim_cut() {
  uint32_t leader = load(&cut().leader), self = static_cast<uint32_t>(state.member) + 1;
  if (leader && leader != self && (is_leader_alive(leader) || has_heir())) return false;
  if (!__atomic_compare_exchange_n(&cut().leader, &leader, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return false;
  if (leader && leader <= kMaxMembers) {
    refuse_dead_leader(leader);
    abandon_image(leader, cut().partial);
  }
  cut().failed = cut().code = cut().flags = cut().processes = 0;
  cut().bytes = 0;
  cut().limit = 0;
  cut().partial[0] = cut().message[0] = 0;
  __atomic_fetch_add(&cut().number, 1, __ATOMIC_ACQ_REL);
  number = cut().number;
  set_progress(own(), number);
  return true;
}

void end_cut() {
  set_step(CutStep::kOver);
  store(&cut().leader, 0);
}

/// One that was killed before it ran.
const Member* dead_member() {
  for (uint32_t i = 0; i < member_count(); ++i) {
    const Member& m = state.job->members[i];
    if (m.pid > 0 && !(load(&m.flags) & kMemberZombie) && !is_process_alive(m.pid, load_start(m))) return &m;
  }
  return nullptr;
}

/// Nothing of the job has run yet, and nothing will.
[[noreturn]] void give_up_restart(const Member* dead) {
  const ErrorInfo* info = error_info(static_cast<unsigned>(Error::kResourceFailed));
  if (!__atomic_exchange_n(&state.job->rebirth.failed, 1, __ATOMIC_ACQ_REL) && dead) {
    char buffer[600];
    Text t(buffer);
    t << "mig: pid " << dead->pid << ": this process of the job ended while it was restored. " << info->remedy << " (MIG0"
      << info->code << ")\n";
    write_all(2, t.c_str(), t.size());
  }
  leave_job();
  for (;;) sys(__NR_exit_group, info->exit);
}

/// All but `missing` members.
void await_arrivals(RebirthStep step, uint32_t missing) {
  if (!state.job || state.job->rebirth.expected < 2) return;
  Rebirth& r = state.job->rebirth;
  uint32_t* arrived = &r.arrived[static_cast<uint32_t>(step)];
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kMeetingLimit;
  for (uint32_t n; (n = load(arrived)) + missing < r.expected;) {
    if (load(&r.failed)) give_up_restart(nullptr);
    if (futex_wait(arrived, n, kLook, true) != -ETIMEDOUT) continue;
    if (const Member* dead = dead_member()) give_up_restart(dead);
    if (clock_now(CLOCK_MONOTONIC) > deadline) give_up_restart(nullptr);
  }
}

bool has_job() {
  return state.job && state.member >= 0;
}

}  // namespace

bool is_cut_signal(const siginfo_t* info) {
  return info->si_code != SI_USER && info->si_value.sival_int == kCutValue;
}

bool is_late(const siginfo_t* info) {
  if (!is_cut_signal(info)) return false;
  return !has_job() || step_now() != CutStep::kStopping || !takes_part(own()) || step_of(own());
}

bool is_saving_soon() {
  return has_job() && step_now() == CutStep::kStopping && !(cut().flags & kRequestCheck) && is_leader_alive(load(&cut().leader));
}

Role claim_role(const siginfo_t* info) {
  company = false;
  if (is_cut_signal(info)) {
    number = load(&cut().number);
    return now = is_late(info) ? Role::kNone : Role::kFollows;
  }
  if (!has_job() || claim_cut()) return now = Role::kLeads;
  return now = Role::kNone;
}

Role role() {
  return now;
}
bool in_company() {
  return company;
}

uint32_t cut_size() {
  uint32_t n = 1;
  for (uint32_t i = 0; i < member_count(); ++i)
    if (is_other(i) && takes_part(state.job->members[i])) ++n;
  return n;
}

bool cut_stands() {
  if (has_failed()) return refuse(Error::kInternal, "the checkpoint", "another process could not be saved");
  if (now == Role::kFollows) {
    continue_leader();
    return is_leader_alive(load(&cut().leader)) ||
           refuse(Error::kInternal, "the checkpoint", "the process that led it has ended");
  }
  for (uint32_t i = 0; i < member_count(); ++i) {
    Member& m = state.job->members[i];
    if (!is_other(i) || !takes_part(m)) continue;
    if (!is_process_alive(m.pid, m.start)) return refuse_member(m, "it ended while the image was written");
    continue_late(m);
  }
  return true;
}

Request followed_request() {
  Request request{};
  request.from_mig = true;
  request.flags = cut().flags;
  request.blocked.number = -1;
  if (own().target_tid == sys(__NR_gettid)) {
    request.blocked.number = own().target_call;
    request.blocked.program_counter = own().target_pc;
  }
  return request;
}

bool all_stopped(bool ok, const Request& request) {
  if (!has_job()) return ok;
  if (now == Role::kFollows) {
    company = true;
    if (!ok) fail_cut();
    report_step(CutStep::kStopping);
    return ok && await_leader(CutStep::kSaving) && step_now() == CutStep::kSaving;
  }
  cut().flags = request.flags;
  if (request.from_mig) cut().limit = state.job->request.limit;
  if (ok && others_exist()) {
    company = true;
    set_step(CutStep::kStopping);
    ok = stop_members();
    if (has_failed()) take_failure();
  }
  company = company && others_exist();
  if (!ok) store(&cut().failed, 1);
  return ok;
}

void show_place(const ImagePlace& place) {
  if (!company || now != Role::kLeads) return;
  text_copy(cut().partial, place.partial, sizeof cut().partial);
}

void begin_saving() {
  if (company && now == Role::kLeads) set_step(CutStep::kSaving);
}

bool enter_place(ImagePlace& place) {
  text_copy(place.partial, cut().partial, sizeof place.partial);
  place.directory.reset(open_path(place.partial, O_RDONLY | O_DIRECTORY));
  return place.directory.ok() || refuse_errno(Error::kNotWritable, place.partial, "open", -place.directory.error());
}

void tell_failure() {
  if (has_job() && company) fail_cut();
}

bool all_saved(bool ok, uint64_t bytes) {
  if (!has_job()) return ok;
  __atomic_fetch_add(&cut().bytes, bytes, __ATOMIC_ACQ_REL);
  __atomic_fetch_add(&cut().processes, 1, __ATOMIC_ACQ_REL);
  if (!company) return ok;
  if (!ok) fail_cut();
  if (now == Role::kFollows) {
    report_step(CutStep::kSaving);
    return ok;
  }
  if (ok && !await_members(CutStep::kSaving, kSaveLimit, true)) ok = false, fail_cut();
  if (!ok) await_members(CutStep::kSaving, kSaveLimit, false);
  if (has_failed()) take_failure();
  return !has_failed();
}

bool has_saved(uint32_t index) {
  return company && is_other(index) && has_done(state.job->members[index], CutStep::kSaving);
}

bool must_end() {
  if (await_leader(CutStep::kReturning)) return step_now() == CutStep::kEnding;
  if (now != Role::kLeads) return false;
  bool ends = (cut().flags & kRequestKill) && wait_for_publication();
  if (ends) end_members();
  else begin_returning(false);
  return ends;
}

void end_members() {
  if (!company) return;
  set_step(CutStep::kEnding);
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kEndLimit;
  for (uint32_t i = 0; i < member_count(); ++i)
    while (is_other(i) && is_process_alive(state.job->members[i].pid, state.job->members[i].start) &&
           clock_now(CLOCK_MONOTONIC) < deadline) {
      timespec t = to_timespec(kMillisecond);
      sys(__NR_nanosleep, &t, nullptr);
    }
}

void begin_returning(bool ok) {
  if (!ok && has_job()) fail_cut();
  if (company && now == Role::kLeads) set_step(CutStep::kReturning);
}

void all_returned() {
  if (!has_job() || !company) return;
  note_late_stop();
  if (now == Role::kFollows) {
    report_step(CutStep::kReturning);
    await_leader(CutStep::kOver);
  }
  if (now == Role::kLeads) await_members(CutStep::kReturning, kReturnLimit, false);
}

void leave_cut() {
  note_late_stop();
  if (has_job() && now == Role::kLeads && late_leader) abandon_image(late_leader, cut().partial);
  if (has_job() && now == Role::kLeads) end_cut();
  if (has_job() && now == Role::kFollows) report_step(CutStep::kReturning);
  now = Role::kNone;
  company = false;
  late_leader = 0;
}

void await_others(RebirthStep step) {
  await_arrivals(step, 1);
}

void meet(RebirthStep step) {
  if (!state.job || state.job->rebirth.expected < 2) return;
  uint32_t* arrived = &state.job->rebirth.arrived[static_cast<uint32_t>(step)];
  __atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
  futex_wake(arrived, true);
  await_arrivals(step, 0);
}

}  // namespace mig
