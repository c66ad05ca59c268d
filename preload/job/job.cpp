// The job's control block: how `mig` finds this process and how the two talk while a checkpoint is made.
//
// The file is mapped and its descriptor closed at once: the program never sees one of ours. What can go wrong here
// (no run directory, a full disk) must not keep the program from running, so nothing here is fatal.
#include "preload/job/job.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "image/publish.h"
#include "preload/ids.h"
#include "preload/job/cut.h"
#include "preload/job/members.h"
#include "preload/job/namespaces.h"
#include "preload/job/standard.h"
#include "preload/lasting.h"
#include "preload/late.h"
#include "preload/save/file_limit.h"
#include "preload/save/named_memory.h"
#include "preload/save/process.h"
#include "preload/save/sockets.h"
#include "preload/start.h"
#include "preload/stop/stop_claim.h"
#include "preload/wrap/confined.h"
#include "preload/wrap/executing.h"

namespace mig {
namespace {

constexpr int64_t kPublishPoll = 200 * kMillisecond;
constexpr int kLooksAtRemoval = 1000;  ///< at a file that is about to go

/// The new program has its handlers: whoever waits for that may signal it. What came during exec it asks for itself, and what was
/// sent to a thread that exec has ended: who finds a request that nobody has taken may take it.
MIG_START void end_executing() {
  Member& m = state.job->members[state.member];
  uint32_t flags = load(&m.flags);
  if (!(flags & kMemberExecuting)) return;
  while (!__atomic_compare_exchange_n(&m.flags, &flags, flags & ~(kMemberExecuting | kMemberAsked), false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
  }
  if (flags & kMemberAsked) ask_again(m.asked);
  else if (load(&state.job->request.phase) == static_cast<uint32_t>(Phase::kRequested)) ask_again(kRequestValue);
}

bool is_requester_alive(const JobRequest& r) {
  int32_t pid = __atomic_load_n(&r.requester, __ATOMIC_ACQUIRE);
  return pid > 0 && is_process_alive(pid, r.requester_start);
}

MIG_START void job_path(Text& path) {
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
  job->settings.stop_limit = state.stop_limit;
  job->settings.period = state.period;
  text_copy(job->settings.cpu_level, state.cpu_level, sizeof job->settings.cpu_level);
  share_outside(job->settings.outside);
  note_namespaces(*job);
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

void set_phase(Phase phase) {
  store(&state.job->request.phase, static_cast<uint32_t>(phase));
  futex_wake(&state.job->request.phase, true);
}

bool tell_written(const ImagePlace& place, const Request& request, int64_t began) {
  JobRequest& r = state.job->request;
  r.total = r.stopped = clock_now(CLOCK_MONOTONIC) - began;
  r.processes = state.job->cut.processes;
  r.bytes = state.job->cut.bytes;
  text_copy(r.partial, place.partial, sizeof r.partial);
  text_copy(r.image, place.final_path, sizeof r.image);
  state.job->last_checkpoint = clock_now(CLOCK_REALTIME);
  set_phase(Phase::kWritten);
  if (!(request.flags & kRequestKill)) return true;
  if (!wait_for_publication()) return false;
  end_members();
  set_phase(Phase::kDone);
  end_process();
}

/// Maps the file into state.job. A file of another size is not a job's.
MIG_START bool map_job(const char* path, int flags) {
  ScopedFd fd(open_path(path, flags | O_NOFOLLOW, 0600));
  struct stat st;
  if (!fd.ok() || sys(__NR_fstat, fd.get(), &st) < 0 || st.st_uid != static_cast<uid_t>(sys(__NR_geteuid))) return false;
  if (flags & O_CREAT ? size_own_file(fd.get(), sizeof(Job)) < 0 : st.st_size != sizeof(Job)) return false;
  long p = sys(__NR_mmap, 0L, sizeof(Job), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0L);
  if (failed(p)) return false;
  state.job = reinterpret_cast<Job*>(p);
  forget_member_count();
  return true;
}

/// What an earlier control block, which is the child's alone by now, knew of numbers.
void take_ids_along(Job* before) {
  if (state.job && ids.moved) {
    IdSpace& space = state.job->ids;
    ScopedIdLock lock(space);
    constexpr size_t lock_size = offsetof(IdSpace, moved);
    if (!space.moved) memcpy(&space.moved, &before->ids.moved, sizeof space - lock_size);
    insert_id_pair(space, {state.vpid, ids.real_pid});
    state.job->generation = before->generation;
    ids.space = &space;
  }
  if (state.job || !ids.moved) sys(__NR_munmap, before, sizeof(Job));
}

void forget_job() {
  sys(__NR_munmap, state.job, sizeof(Job));
  state.job = nullptr;
}

/// The mapped file is that of a job that lives: it has this process's entry or another living member. The first access writes,
/// for one that reads would be followed by another page fault.
MIG_START bool is_living_job() {
  bool over = __atomic_fetch_or(&state.job->over, 0, __ATOMIC_ACQ_REL);
  if (over || memcmp(state.job->magic, kJobMagic, sizeof kJobMagic) != 0) return false;
  if (Member* own = own_entry()) {
    if (adopt_own_entry(own)) return true;
    free_entry(*own, own->pid);
  }
  return others_live();
}

void make_job() {
  char path[512], fresh[512];
  Text text(path), fresh_text(fresh);
  job_path(text);
  fresh_text << state.run_directory << "/." << state.job_name << "." << sys(__NR_getpid);
  sys(__NR_mkdirat, AT_FDCWD, state.run_directory, 0700);
  if (!map_job(fresh, O_RDWR | O_CREAT | O_TRUNC)) {
    sys(__NR_unlinkat, AT_FDCWD, fresh, 0);
    return;
  }
  initialise(state.job);
  enter_member(0);
  sys(__NR_renameat, AT_FDCWD, fresh, AT_FDCWD, path);
}

void remove_job() {
  char path[512];
  Text text(path);
  job_path(text);
  sys(__NR_unlinkat, AT_FDCWD, path, 0);
  sys(__NR_unlinkat, AT_FDCWD, state.run_directory, AT_REMOVEDIR);
}

/// The last member says that the file goes before it looks once more, a new one looks at that after it has entered: one of
/// the two sees the other. True: the file has gone, or would go.
MIG_START bool is_over() {
  uint32_t* over = &state.job->over;
  for (int i = 0; i < kLooksAtRemoval && __atomic_load_n(over, __ATOMIC_SEQ_CST); ++i) sys(__NR_sched_yield);
  return load(over);
}

/// A process that was not in the table before: born without the library, or as the copy of a member (which has ids).
MIG_START void take_own_number() {
  if (ids.space) return;
  use_id_space();
  if (ids.moved) forget_own_ids();
}

MIG_START void enter_or_make(int32_t first) {
  take_own_number();
  enter_member(first);
  if (state.member < 0 || !is_over()) return;
  learn_settings();
  Job* before = state.job;
  state.job = nullptr;
  make_job();
  take_ids_along(before);
}

}  // namespace

MIG_START bool find_job() {
  char path[512];
  Text text(path);
  job_path(text);
  if (!map_job(path, O_RDWR)) return false;
  state.member = -1;
  if (is_living_job()) return true;
  forget_job();
  return false;
}

MIG_START void join_job() {
  if (!state.job) return make_job();
  if (state.member >= 0) return end_executing();
  state.landlocked = is_parent_landlocked();
  enter_or_make(1);
  free_twin();
}

void rejoin_job() {
  Job* before = state.job;
  state.job = nullptr;
  ScopedFd fd(state.resume.job_fd);
  if (!fd.ok()) return make_job();
  long p = sys(__NR_mmap, before, sizeof(Job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd.get(), 0L);
  if (failed(p)) p = map_lasting_file(fd.get(), sizeof(Job));
  if (failed(p)) return make_job();
  state.job = reinterpret_cast<Job*>(p);
  forget_member_count();
  initialise(state.job);
  Member* own = own_entry();
  state.member = own ? static_cast<int32_t>(own - state.job->members) : -1;
}

MIG_START void expect_child() {
  if (state.job && state.member >= 0) __atomic_fetch_add(&state.job->members[state.member].flags, kMemberBirth, __ATOMIC_ACQ_REL);
}

void note_landlock() {
  state.landlocked = true;
  if (state.job && state.member >= 0)
    __atomic_fetch_or(&state.job->members[state.member].flags, kMemberLandlocked, __ATOMIC_ACQ_REL);
}

void forget_expected_child() {
  if (state.job && state.member >= 0) end_birth(state.job->members[state.member], static_cast<int32_t>(sys(__NR_getpid)));
}

MIG_START void job_of_child(int32_t parent) {
  if (!state.job) return;
  Member* of_parent = state.member < 0 ? nullptr : &state.job->members[state.member];
  Job* job = state.job;
  enter_or_make(state.member < 0 ? 1 : state.member + 1);
  if (of_parent && state.job == job) end_birth(*of_parent, parent);
}

void return_to_job() {
  if (state.job) enter_or_make(1);
}

/// From the moment in which the entry says so its last child may free it: no stop may find this process a member still.
MIG_START void leave_job_at_end() {
  if (!state.job || state.member < 0) return;
  ScopedStopClaim no_stop;
  uint32_t* flags = &state.job->members[state.member].flags;
  if (__atomic_fetch_or(flags, kMemberLeft, __ATOMIC_ACQ_REL) < kMemberBirth) return leave_job();
  state.member = -1;
}

MIG_START void leave_job() {
  if (!state.job || state.member < 0) return;
  Member& own = state.job->members[state.member];
  state.member = -1;
  own.start = 0;
  __atomic_store_n(&own.pid, 0, __ATOMIC_SEQ_CST);
  if (others_live()) return;
  __atomic_store_n(&state.job->over, 1, __ATOMIC_SEQ_CST);
  if (others_live()) return store(&state.job->over, 0);
  remove_job();
}

void end_process() {
  remove_taken_along();
  end_connections_at_once();
  leave_job();
  for (;;) {
    sys(__NR_kill, sys(__NR_getpid), SIGKILL);
    sys(__NR_sched_yield);
  }
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
  store(&r.taker, static_cast<uint32_t>(state.member) + 1);
  futex_wake(&r.phase, true);
  request.from_mig = true;
  request.flags = r.flags;
  if (r.target_tid == sys(__NR_gettid)) {
    request.blocked.number = r.target_call;
    request.blocked.program_counter = r.target_pc;
  }
  return request;
}

bool wait_for_publication() {
  JobRequest& r = state.job->request;
  while (load(&r.phase) == static_cast<uint32_t>(Phase::kWritten)) {
    if (!is_requester_alive(r) && !load(&r.handed_over))
      return refuse(Error::kWriteFailed, "mig", "it ended before the image was published");
    futex_wait(&r.phase, static_cast<uint32_t>(Phase::kWritten), kPublishPoll, true);
  }
  return load(&r.phase) == static_cast<uint32_t>(Phase::kPublished);
}

bool place_image(ImagePlace& place, const Request& request) {
  const char* images = request.from_mig && state.job->request.images[0] ? state.job->request.images : state.images;
  text_copy(place.images, images, sizeof place.images);
  bool streamed = images != state.images && (request.flags & kRequestStream);
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
    long r = publish_as_next(place.partial, place.final_path, place.images);
    if (r < 0) ok = refuse_errno(Error::kWriteFailed, place.final_path, "publish", r);
    else if (state.keep) prune_images(place.images, state.keep);
  }
  if (!ok && place.partial[0]) remove_tree(place.partial);
  return ok;
}

void abandon_image(uint32_t leader, const char* partial) {
  JobRequest& r = state.job->request;
  bool asked = load(&r.taker) == leader;
  auto stopping = static_cast<uint32_t>(Phase::kStopping);
  if (asked && load(&r.phase) != stopping && text_equal(r.partial, partial)) return;
  if (text_find(partial, ".partial-")) remove_tree(partial);
  if (!asked) return;
  r.code = static_cast<uint32_t>(state.failure.error);
  text_copy(r.message, state.failure.message, sizeof r.message);
  if (__atomic_compare_exchange_n(&r.phase, &stopping, static_cast<uint32_t>(Phase::kFailed), false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE))
    futex_wake(&r.phase, true);
}

void report(const Request& request, bool ok, int64_t began) {
  if (!state.job || !request.from_mig) return;
  JobRequest& r = state.job->request;
  if (load(&r.phase) == static_cast<uint32_t>(Phase::kRequested)) return;  // mig has ended this one, and the next is asked for
  r.code = static_cast<uint32_t>(state.failure.error);
  text_copy(r.message, state.failure.message, sizeof r.message);
  if (ok) r.stopped = clock_now(CLOCK_MONOTONIC) - began;
  if (!ok) set_phase(Phase::kFailed);
  if (ok && (request.flags & kRequestCheck)) set_phase(Phase::kDone);
}

}  // namespace mig
