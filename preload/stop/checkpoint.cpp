// One checkpoint, from the request to the program's next instruction.
//
//   take the request -> stop the threads -> (all members stand still) -> describe -> save -> (publish) -> release
//
// The member that leads writes the manifest and answers; the others do the same steps beside it (preload/job/cut.cpp).
//
// Everything runs on a stack of ours inside the signal handler of the thread that took the request. The restarted
// process comes out of mig_save_context() a second time: from there on both are the same again.
#include "preload/stop/checkpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "image/base/futex.h"
#include "image/base/text.h"
#include "image/publish.h"
#include "preload/api.h"
#include "preload/extended_state.h"
#include "preload/job/cut.h"
#include "preload/job/job.h"
#include "preload/job/offspring.h"
#include "preload/job/shared.h"
#include "preload/restarted.h"
#include "preload/save/async_contexts.h"
#include "preload/save/core_notes.h"
#include "preload/save/files.h"
#include "preload/save/image_writer.h"
#include "preload/save/manifest.h"
#include "preload/save/memory.h"
#include "preload/save/process.h"
#include "preload/save/room.h"
#include "preload/save/signals.h"
#include "preload/save/threads.h"
#include "preload/stop/check.h"
#include "preload/stop/stop.h"
#include "preload/stop/stopped.h"
#include "preload/times.h"

extern "C" int mig_save_context(mig::CallContext*) __attribute__((returns_twice));

namespace mig {
namespace {

bool out_of_memory() {
  return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

bool save_threads(ImageWriter& writer) {
  for (uint32_t i = 0; i < load(&state.claimed); ++i)
    if (!writer.record(RecordType::kThread, slot_at(i)->record)) return out_of_memory();
  return save_extended_state(writer) || out_of_memory();
}

/// Everything but the memory. Descriptors that are ours are named by `image_directory`.
bool save_environment(ImageWriter& writer, const Mappings& mappings, int image_directory) {
  bool ok = save_process(writer) && save_dead_children(writer) && save_threads(writer) && save_signals(writer) &&
            save_files(writer, mappings, image_directory);
  return (ok && writer.record(RecordType::kClocks, note_clocks())) || (ok && out_of_memory());
}

bool write_process_file(int directory, uint64_t& bytes) {
  char name[32];
  Text(name) << process_vpid() << ".core";
  ImageWriter writer;
  Mappings mappings;
  writer.progress = state.job ? &state.job->request.progress : nullptr;
  if (long r = writer.open(directory, name); r < 0) return refuse_errno(Error::kNotWritable, name, "create", r);
  if (!list_mappings(mappings) || !save_environment(writer, mappings, directory) || !save_memory(writer, mappings)) return false;
  if (!add_core_notes(writer, mappings)) return out_of_memory();
  if (long r = writer.finish(); r < 0)
    return refuse_errno(r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? Error::kNoSpace : Error::kWriteFailed, "the image", "write",
                        r);
  bytes = writer.total();
  return true;
}

/// A process that is not dumpable may not open its own /proc/self/mem: dumpable for the length of a scope.
class ScopedDumpable {
 public:
  ScopedDumpable() : was_(sys(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0)) {
    state.dumpable = static_cast<int32_t>(was_);
    if (was_ != 1) sys(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  ~ScopedDumpable() {
    if (was_ != 1) sys(__NR_prctl, PR_SET_DUMPABLE, was_, 0, 0, 0);
  }

 private:
  long was_;
};

/// A write beyond RLIMIT_FSIZE raises SIGXFSZ as well, one to a mig that has ended SIGPIPE; they were ours, not the program's.
void discard_write_signals() {
  Error e = state.failure.error;
  if (e != Error::kWriteFailed && e != Error::kNoSpace && e != Error::kNotWritable) return;
  take_back_signal(SIGXFSZ);
  take_back_signal(SIGPIPE);
}

/// Makes the place of the image, or goes where the leader has made it.
bool find_place(ImagePlace& place, const Request& request) {
  if (role() == Role::kFollows) return enter_place(place);
  if (!place_image(place, request)) return false;
  show_place(place);
  return true;
}

/// In a job of several processes: the table of what they share.
bool make_common_table(const ScopedFd& directory) {
  return !in_company() || role() != Role::kLeads || make_shared_table(directory.get(), cut_size());
}
bool open_common_table(const ScopedFd& directory) {
  return !in_company() || open_shared_table(directory.get());
}
void remove_common_table(const ScopedFd& directory) {
  if (in_company() && role() == Role::kLeads) remove_shared_table(directory.get());
}

bool save_image(ImagePlace& place, const Request& request, int64_t began) {
  bool scratch_open = open_scratch();
  uint64_t bytes = 0;
  bool ok = (scratch_open || refuse(Error::kPendingLost, "working memory", "the kernel gave none")) &&
            find_place(place, request) && make_common_table(place.directory);
  if (ok) begin_saving();
  if (!ok && role() == Role::kLeads) {
    if (scratch_open) close_scratch();
    return false;
  }
  ok = ok && open_common_table(place.directory);
  note_late_stop();  // before its SIGCONT is taken for one of the program's
  ok = ok && note_pending_signals() && write_process_file(place.directory.get(), bytes);
  if (role() == Role::kFollows) ok = ok && leave_member_part(bytes);
  if (!ok) tell_failure();
  if (!ok || role() == Role::kFollows) close_shared_table();
  if (!ok) discard_write_signals();
  ok = all_saved(ok, bytes);
  release_files();
  remove_common_table(place.directory);
  if (ok && role() == Role::kLeads && !write_manifest(place.directory.get(), bytes, clock_now(CLOCK_MONOTONIC) - began)) {
    discard_write_signals();
    ok = false;
  }
  close_shared_table();
  if (scratch_open) close_scratch();
  return ok;
}

/// What becomes of the image: the leader publishes it, the others learn whether they are to end.
bool conclude(ImagePlace& place, const Request& request, bool ok, int64_t began) {
  if (role() == Role::kFollows) {
    place.directory.reset();
    if (must_end()) end_process();
    return ok;
  }
  ok = conclude_image(place, request, ok, began);
  begin_returning(ok);
  return ok;
}

/// `mig check`: every member tells what it finds.
bool check_members() {
  bool scratch_open = open_scratch();
  ScopedFd directory(open_path(state.job->request.partial, O_RDONLY | O_DIRECTORY));
  bool ok = scratch_open || refuse(Error::kPendingLost, "working memory", "the kernel gave none");
  if (ok && !directory.ok()) ok = refuse_errno(Error::kNotWritable, "the findings", "open their directory", directory.get());
  ok = ok && make_common_table(directory);
  begin_saving();
  ok = ok && open_common_table(directory) && write_check(directory.get());
  if (!ok) tell_failure();
  close_shared_table();
  ok = all_saved(ok, 0);
  release_files();
  remove_common_table(directory);
  if (scratch_open) close_scratch();
  if (role() == Role::kLeads) begin_returning(ok);
  else must_end();
  return ok;
}

bool forbidden() {
  if (!checkpoints_forbidden()) return false;
  refuse(Error::kForbidden, "the program", "it called mig_forbid()");
  return true;
}

}  // namespace

void lead_checkpoint(ucontext_t* frame) {
  int64_t began = clock_now(CLOCK_MONOTONIC);
  state.failure = {};
  bool leads = role() == Role::kLeads;
  Request request = leads ? take_request() : followed_request();
  ScopedDescriptorRoom room;
  ScopedDumpable dumpable;
  ImagePlace place;
  place.partial[0] = 0;
  bool only_look = request.from_mig && (request.flags & kRequestCheck);
  bool ok = room.ok() && (only_look || !forbidden()) && stop_threads() &&
            (only_look || (!forbidden() && await_children(began + state.stop_limit) && rest_async_contexts()));
  note_news();
  note_own_stop();
  ok = all_stopped(ok, request);
  bool restarted = false;
  if (ok) {
    if (!only_look) gather_requests(true);
    note_late_signals();
    ThreadSlot* self = slot_at(0);
    self->frame = frame;
    self->real_tid = state.leader_tid;
    self->blocked = request.blocked;
    describe_thread(self);
    self->record.flags |= kThreadHandler;
    if (!only_look) tell_program(MIG_BEFORE_CHECKPOINT);
    if (!mig_save_context(&self->record.context)) {
      ok = only_look ? check_members() : save_image(place, request, began);
    } else {
      restarted = true;
      forget_shared_table();
      forget_files();
      place.directory.release();  // it was open in another life; the number may be the program's soon
      room.release();
      come_back();
    }
    if (!restarted && !only_look) ok = conclude(place, request, ok, began);
    return_pending_signals();
    return_signals_of_threads();
    if (restarted) begin_life();
    else all_returned();
    if (!only_look) tell_program(restarted ? MIG_AFTER_RESTART : MIG_AFTER_RESUME);
    resume_thread(self);
  }
  leave_cut();
  swallow_stops();
  stop_again();
  release_threads();
  if (leads && !restarted) report(request, ok, began);
}

}  // namespace mig
