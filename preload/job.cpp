// The job's control block: how `mig` finds this process and how the two talk while a checkpoint is made.
//
// The file is mapped and its descriptor closed at once: the program never sees one of ours. What can go wrong here
// (no run directory, a full disk) must not keep the program from running, so nothing here is fatal.
#include "preload/job.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "image/publish.h"
#include "preload/ids.h"
#include "preload/process.h"

namespace mig {
namespace {

constexpr int64_t kPublishPoll = 200 * kMillisecond;

void lock_members() {
  uint32_t open = 0;
  for (int i = 0; i < 1000; ++i, open = 0) {
    if (__atomic_compare_exchange_n(&state.job->lock, &open, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    futex_wait(&state.job->lock, 1, kMillisecond, true);
  }
}
void unlock_members() {
  store(&state.job->lock, 0);
  futex_wake(&state.job->lock, true);
}

bool is_alive(int32_t pid) {
  return pid > 0 && sys(__NR_kill, pid, 0) != -ESRCH;
}

/// The entry that this process left in the table: another program ran in it before exec.
Member* own_entry() {
  auto pid = static_cast<int32_t>(sys(__NR_getpid));
  for (uint32_t i = 0; i < state.job->member_count && i < kMaxMembers; ++i)
    if (Member& m = state.job->members[i]; m.pid == pid) return &m;
  return nullptr;
}

/// After exec the process keeps the ids it had. False: the entry is of an earlier process with the same pid.
bool adopt_own_entry(Member* m) {
  if (m->start != own_start_time()) return false;
  if (!state.generation) adopt_own_ids(m->vpid, m->vppid);
  return true;
}

void enter_member() {
  Job* job = state.job;
  lock_members();
  while (Member* own = own_entry()) own->pid = 0;
  int32_t at = 0;
  while (at < kMaxMembers && job->members[at].pid) ++at;
  state.member = at < kMaxMembers ? at : -1;
  if (state.member >= 0) {
    Member& m = job->members[at];
    m.vpid = process_vpid(), m.vppid = process_vppid();
    m.start = own_start_time();
    if (static_cast<uint32_t>(at) >= job->member_count) job->member_count = static_cast<uint32_t>(at) + 1;
    __atomic_store_n(&m.pid, static_cast<int32_t>(sys(__NR_getpid)), __ATOMIC_RELEASE);
  }
  unlock_members();
}

bool is_requester_alive(const JobRequest& r) {
  char path[64];
  Text(path) << "/proc/" << r.requester << "/stat";
  char letter = r.requester > 0 ? state_letter(path) : 'X';
  return letter != 'Z' && letter != 'X';
}

void job_path(Text& path) {
  path << state.run_directory << "/" << state.job_name << ".job";
}

void initialise(Job* job) {
  memcpy(job->magic, kJobMagic, sizeof job->magic);
  job->version = 1;
  job->signal = state.signal;
  text_copy(job->name, state.job_name, sizeof job->name);
  text_copy(job->images, state.images, sizeof job->images);
  job->keep = state.keep;
  job->generation = static_cast<uint32_t>(state.generation);
}

long make_directories(const char* path) {
  char part[4096];
  text_copy(part, path, sizeof part);
  for (char* p = part + 1; *p; ++p) {
    if (*p != '/') continue;
    *p = 0;
    sys(__NR_mkdirat, AT_FDCWD, part, 0777);
    *p = '/';
  }
  long r = sys(__NR_mkdirat, AT_FDCWD, part, 0700);
  return r == -EEXIST ? 0 : r;
}

/// mig publishes after the program runs again; with kRequestKill the program waits, stopped, for the outcome. Once it was
/// handed over it may run elsewhere: then it waits until some mig knows.
bool wait_for_publication() {
  JobRequest& r = state.job->request;
  while (load(&r.phase) == static_cast<uint32_t>(Phase::kWritten)) {
    if (!is_requester_alive(r) && !load(&r.handed_over))
      return refuse(Error::kWriteFailed, "mig", "it ended before the image was published");
    futex_wait(&r.phase, static_cast<uint32_t>(Phase::kWritten), kPublishPoll, true);
  }
  return load(&r.phase) == static_cast<uint32_t>(Phase::kPublished);
}

void set_phase(Phase phase) {
  store(&state.job->request.phase, static_cast<uint32_t>(phase));
  futex_wake(&state.job->request.phase, true);
}

[[noreturn]] void end_process() {
  leave_job();
  for (;;) {
    sys(__NR_kill, sys(__NR_getpid), SIGKILL);
    sys(__NR_sched_yield);
  }
}

bool tell_written(const ImagePlace& place, const Request& request, int64_t began) {
  JobRequest& r = state.job->request;
  r.total = r.stopped = clock_now(CLOCK_MONOTONIC) - began;
  r.processes = 1;
  text_copy(r.partial, place.partial, sizeof r.partial);
  text_copy(r.image, place.final_path, sizeof r.image);
  state.job->last_checkpoint = clock_now(CLOCK_REALTIME);
  set_phase(Phase::kWritten);
  if (!(request.flags & kRequestKill)) return true;
  if (!wait_for_publication()) return false;
  set_phase(Phase::kDone);
  end_process();
}

/// Maps the file into state.job. A file of another size is not a job's.
bool map_job(const char* path, int flags) {
  ScopedFd fd(open_path(path, flags | O_NOFOLLOW, 0600));
  struct stat st;
  if (!fd.ok() || sys(__NR_fstat, fd.get(), &st) < 0 || st.st_uid != static_cast<uid_t>(sys(__NR_geteuid))) return false;
  if (flags & O_CREAT ? sys(__NR_ftruncate, fd.get(), sizeof(Job)) < 0 : st.st_size != sizeof(Job)) return false;
  long p = sys(__NR_mmap, 0L, sizeof(Job), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0L);
  if (failed(p)) return false;
  state.job = reinterpret_cast<Job*>(p);
  return true;
}

/// Enters a job that other members have made, or this process before its exec. False: it is a left-over.
bool join_members() {
  if (Member* own = own_entry(); own && adopt_own_entry(own)) {
    enter_member();
    return true;
  }
  for (uint32_t i = 0; i < state.job->member_count && i < kMaxMembers; ++i) {
    int32_t pid = state.job->members[i].pid;
    if (pid <= 0 || pid == sys(__NR_getpid) || sys(__NR_kill, pid, 0) == -ESRCH) continue;
    enter_member();
    return true;
  }
  sys(__NR_munmap, state.job, sizeof(Job));
  state.job = nullptr;
  return false;
}

}  // namespace

void join_job() {
  char path[512], fresh[512];
  Text text(path), fresh_text(fresh);
  job_path(text);
  fresh_text << state.run_directory << "/." << state.job_name << "." << sys(__NR_getpid);
  sys(__NR_mkdirat, AT_FDCWD, state.run_directory, 0700);
  if (map_job(path, O_RDWR) && join_members()) return;
  if (!map_job(fresh, O_RDWR | O_CREAT | O_TRUNC)) return;
  initialise(state.job);
  enter_member();
  sys(__NR_renameat, AT_FDCWD, fresh, AT_FDCWD, path);
}

void rejoin_job() {
  state.job = nullptr;
  ScopedFd fd(state.resume.job_fd);
  long p = fd.ok() ? sys(__NR_mmap, 0L, sizeof(Job), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0L) : -1;
  if (failed(p)) return join_job();
  state.job = reinterpret_cast<Job*>(p);
  initialise(state.job);
  state.member = 0;
}

void job_of_child() {
  if (!state.job) return;
  enter_member();
  char path[512];
  Text text(path);
  job_path(text);
  if (sys(__NR_access, path, 0) == 0) return;
  state.job = nullptr;  // the parent was the last member and has removed the file
  join_job();
}

void leave_job() {
  if (!state.job || state.member < 0) return;
  lock_members();
  state.job->members[state.member].pid = 0;
  bool last = true;
  for (uint32_t i = 0; i < state.job->member_count; ++i) last = last && !is_alive(state.job->members[i].pid);
  unlock_members();
  state.member = -1;
  if (!last) return;
  char path[512];
  Text text(path);
  job_path(text);
  sys(__NR_unlinkat, AT_FDCWD, path, 0);
  sys(__NR_unlinkat, AT_FDCWD, state.run_directory, AT_REMOVEDIR);
}

Request take_request() {
  Request request{};
  request.blocked.number = -1;
  if (!state.job) return request;
  JobRequest& r = state.job->request;
  auto asked = static_cast<uint32_t>(Phase::kRequested);
  if (!__atomic_compare_exchange_n(&r.phase, &asked, static_cast<uint32_t>(Phase::kStopping), false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    return request;
  futex_wake(&r.phase, true);
  request.from_mig = true;
  request.flags = r.flags;
  if (r.target_tid == sys(__NR_gettid)) {
    request.blocked.number = r.target_call;
    request.blocked.program_counter = r.target_pc;
  }
  return request;
}

bool place_image(ImagePlace& place) {
  const char* images = state.job && state.job->request.images[0] && load(&state.job->request.phase) != 0
                           ? state.job->request.images
                           : state.images;
  text_copy(place.images, images, sizeof place.images);
  bool streamed = images != state.images && (state.job->request.flags & kRequestStream);
  if (long r = streamed ? 0 : make_directories(images); r < 0) return refuse_errno(Error::kNotWritable, images, "create", r);
  uint64_t number = next_image_number(images);
  for (int i = 0; i < 100; ++i, ++number) {
    Text(place.partial) << images << "/." << number << ".partial-" << sys(__NR_getpid);
    Text(place.final_path) << images << "/" << number;
    long r = sys(__NR_mkdirat, AT_FDCWD, place.partial, 0700);
    if (r == -EEXIST) continue;
    if (r < 0) return refuse_errno(r == -ENOSPC ? Error::kNoSpace : Error::kNotWritable, images, "create an image in", r);
    place.directory.reset(open_path(place.partial, O_RDONLY | O_DIRECTORY));
    if (!place.directory.ok()) return refuse_errno(Error::kNotWritable, place.partial, "open", -place.directory.error());
    return true;
  }
  return refuse(Error::kNotWritable, images, "no number for a new image is free");
}

bool conclude_image(ImagePlace& place, const Request& request, bool ok, int64_t began) {
  place.directory.reset();
  if (ok && request.from_mig) ok = tell_written(place, request, began);
  else if (ok) {
    long r = publish(place.partial, place.final_path, place.images);
    if (r < 0) ok = refuse_errno(Error::kWriteFailed, place.final_path, "publish", r);
    else if (state.keep) prune_images(place.images, state.keep);
  }
  if (!ok && place.partial[0]) remove_tree(place.partial);
  return ok;
}

void report(const Request& request, bool ok, int64_t began) {
  if (!state.job) return;
  JobRequest& r = state.job->request;
  if (load(&r.phase) == static_cast<uint32_t>(Phase::kRequested)) return;  // mig has ended this one, and the next is asked for
  r.code = static_cast<uint32_t>(state.failure.error);
  text_copy(r.message, state.failure.message, sizeof r.message);
  if (ok) r.stopped = clock_now(CLOCK_MONOTONIC) - began;
  if (!ok && request.from_mig) set_phase(Phase::kFailed);
  if (ok && request.from_mig && (request.flags & kRequestCheck)) set_phase(Phase::kDone);
}

}  // namespace mig
