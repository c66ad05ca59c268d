// mig-restart: turns the process that runs it into the one of the image.
//
//   move home -> read and verify all tables -> plan the tree -> open what several share -> fork the tree; each process:
//   check -> open files aside -> clear the address space -> reload memory (verified)
//   -> commit: files, limits, credentials, timers -> release
//
// Nothing of the user's is changed before the commit, to which all come together; everything that can be refused is refused
// before it.
#include "image/base/clock.h"
#include "image/resume.h"
#include "restore/address_space.h"
#include "restore/arch/x86_64/switch.h"
#include "restore/birth.h"
#include "restore/datagrams.h"
#include "restore/extended_state.h"
#include "restore/failure.h"
#include "restore/files.h"
#include "restore/home.h"
#include "restore/image_file.h"
#include "restore/job.h"
#include "restore/mappings.h"
#include "restore/meeting.h"
#include "restore/memory.h"
#include "restore/memory_settings.h"
#include "restore/messages.h"
#include "restore/options.h"
#include "restore/plan.h"
#include "restore/process.h"
#include "restore/shared.h"
#include "restore/sharing.h"
#include "restore/signals.h"
#include "restore/threads.h"
#include "restore/timers.h"
#include "restore/vdso.h"

namespace mig {
namespace {

constexpr size_t kHomeBase = 64 << 20, kPerThread = 12 << 10;

Plan plan;
Lineage lineage;

const char* keep(const char* text) {
  if (!text) return nullptr;
  size_t n = text_length(text) + 1;
  auto copy = static_cast<char*>(home_memory(n));
  text_copy(copy, text, n);
  return copy;
}

void keep_options(const Options& given) {
  options = given;
  options.image = keep(given.image);
  options.cores = static_cast<const char**>(home_memory(static_cast<size_t>(given.core_count) * sizeof(char*)));
  for (int i = 0; i < given.core_count; ++i) options.cores[i] = keep(given.cores[i]);
  options.vdso = keep(given.vdso), options.arrival = keep(given.arrival);
  options.job = keep(given.job), options.run_directory = keep(given.run_directory);
  for (int i = 0; i < options.environment_count; ++i) options.environment[i] = keep(given.environment[i]);
  for (int i = 0; i < options.map_count; ++i) options.maps[i] = {keep(given.maps[i].from), keep(given.maps[i].to)};
}

void block_signals() {
  uint64_t all = ~0UL;
  sys(__NR_rt_sigprocmask, 0, &all, nullptr, 8);
}

void tell_environment(ResumeInfo& info) {
  info.environment_size = 0;
  for (int i = 0; i < options.environment_count; ++i) {
    size_t n = text_length(options.environment[i]) + 1;
    if (info.environment_size + n > sizeof info.environment) give_up(Error::kBadArgument, "--env", "more than 8 KiB of them");
    text_copy(info.environment + info.environment_size, options.environment[i], n);
    info.environment_size += static_cast<uint32_t>(n);
  }
}

void tell_library(uint64_t vdso, const Clocks& clocks) {
  auto info = static_cast<ResumeInfo*>(home_memory(sizeof(ResumeInfo)));
  info->restarted = 1;
  info->real_pid = static_cast<int32_t>(sys(__NR_getpid));
  info->ready_fd = options.ready_fd;
  info->job_fd = job_descriptor();
  tell_environment(*info);
  info->vdso = vdso;
  info->monotonic = clocks.monotonic, info->boottime = clocks.boottime;
  info->restarted_at = clock_now(CLOCK_REALTIME);
  info->home = home_range().start, info->home_size = home_range().end - home_range().start;
  text_copy(info->job, options.job, sizeof info->job);
  text_copy(info->image, options.image, sizeof info->image);
  text_copy(info->directory, options.run_directory, sizeof info->directory);
  image.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) {
    size_t known = p.resume_size < sizeof *info ? p.resume_size : sizeof *info;
    __builtin_memcpy(reinterpret_cast<void*>(p.resume_address), info, known);
  });
}

/// When the process's own clocks stand at what it noted, if all members are to read the same from now on.
Clocks beginning_of(const Plan& plan, int32_t process) {
  Clocks now = common_clocks();
  const ClocksRecord& own = plan.processes[static_cast<size_t>(process)].clocks;
  return {now.monotonic - (plan.clocks.monotonic - own.monotonic), now.boottime - (plan.clocks.boottime - own.boottime)};
}

[[noreturn]] void restart_process(const Plan& plan, int32_t process) {
  image = plan.processes[static_cast<size_t>(process)].file;
  image.reopen();
  check_process();
  check_mapped_files();
  prepare_files(process);
  fill_queues(plan, process);
  send_datagrams();
  meet(RebirthStep::kChecked);
  uint64_t vdso = clear_address_space();
  if (options.vdso) vdso = map_made_up_vdso(options.vdso);
  restore_memory(plan);
  adapt_extended_state();
  restore_process();
  finish_memory();
  restore_signal_actions();
  create_threads();
  meet(BirthStep::kLoaded);
  Clocks clocks = beginning_of(plan, process);
  install_files(options.ready_fd);
  if (is_first_process()) publish_job();
  drop_to_process();
  tell_library(vdso, clocks);
  sys(__NR_close, image.fd());
  restore_timers();
  release_all_threads();
}

[[noreturn]] void restart(void* argument) {
  keep_options(*static_cast<const Options*>(argument));
  block_signals();
  make_plan(plan);
  plan_births(plan, lineage);
  plan_sharing(plan, lineage);
  reserve_numbers(plan);
  open_meeting(make_job(plan, lineage), lineage);
  open_shared_things(plan);
  restart_process(plan, give_birth(lineage));
}

/// What the tables and threads of one process need at home; its mappings are added to `taken`.
uint64_t need_of(const char* core, Array<AddressRange>& taken) {
  ImageFile file;
  size_t threads = 0, before = taken.size();
  file.open(core, map_pages);
  file.close();
  add_used_ranges(file, taken);
  file.each(RecordType::kThread, [&](const RecordHeader*) { ++threads; });
  return 2 * file.tail_size() + threads * kPerThread + (taken.size() - before) * 1024;
}

/// First life, wherever the kernel put the program: find a place that no process of the image needs.
[[noreturn]] void leave() {
  Array<AddressRange> taken;
  uint64_t size = kHomeBase;
  for (int i = 0; i < options.core_count; ++i) size += need_of(options.cores[i], taken);
  sort_ranges(taken.begin(), taken.size());
  size = page_up(size);
  uint64_t base = find_free_range(taken.begin(), taken.size(), size);
  if (!base) give_up(Error::kNoMemory, "the restart stub", "no free range of addresses beside the image's");
  move_home(base, size, restart, &options, sizeof options);
}

}  // namespace
}  // namespace mig

extern "C" [[noreturn]] void mig_main(long* stack) {
  mig::relocate(mig::own_base());
  mig::read_options(reinterpret_cast<char**>(stack + 1));
  mig::leave();
}
