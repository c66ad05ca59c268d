// Descriptors: opened aside while everything can still be given up, put into place when nothing can fail any more.
//
// Aside means: on numbers that the program does not have, whatever is free between its own. Above its highest would be
// simpler, but a program may sit at its limit of descriptors, and that limit may be hard.
//
// An epoll instance knows its entries by number, so they are registered at the commit, each under its number; a
// number may by then be somebody else's (see preload/save/epoll.cpp), so registering comes before putting into place.
//
// What several processes have was opened before they were forked (restore/shared.h). Each puts it under its numbers and
// closes what it does not have; the owner alone finishes it, and each takes the POSIX locks that it had through it.
#include "restore/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include <initializer_list>

#include "restore/contents.h"
#include "restore/description.h"
#include "restore/failure.h"
#include "restore/image_file.h"
#include "restore/job.h"
#include "restore/locks.h"
#include "restore/meeting.h"
#include "restore/options.h"
#include "restore/pidfds.h"
#include "restore/shared.h"
#include "restore/sharing.h"
#include "restore/sockets.h"
#include "restore/terminal.h"

namespace mig {
namespace {

HomeArray<DescriptorRecord> descriptors;  ///< in order of their numbers
HomeArray<int> reserved;                  ///< other numbers that will be used for a moment
using Numbers = HomeArray<uint64_t>;      ///< bit per number
Numbers used;                             ///< that some process of the job has or reserves
Numbers occupied;                         ///< that are kept free for the program in a table that others use too
HomeArray<PreparedDescription> prepared;

/// A description as this process's file has it.
struct OwnDescription {
  DescriptionRecord record;
  size_t index;         ///< in `prepared`
  RecordReader behind;  ///< the records behind it in this file
};
HomeArray<OwnDescription> own;  ///< by DescriptorRecord::description
int32_t own_process;
int standard[3] = {-1, -1, -1};  ///< the restart's own
int next_aside = 3;

/// Numbers of the program, and some besides, may lie beyond the limit.
void raise_descriptor_limit(uint64_t wanted) {
  uint64_t limit[2];
  sys(__NR_prlimit64, 0, 7, nullptr, limit);
  uint64_t raised[2] = {limit[1], limit[1]};
  if (limit[1] < wanted) raised[0] = raised[1] = wanted;
  if (sys(__NR_prlimit64, 0, 7, raised, nullptr) == 0) return;
  raised[0] = raised[1] = limit[1];
  sys(__NR_prlimit64, 0, 7, raised, nullptr);
}

void read_descriptors() {
  RecordReader reader = image.records();
  size_t next = 0;
  while (next < prepared.size() && !belongs_here(prepared[next])) ++next;
  while (const RecordHeader* h = reader.next()) {
    if (h->type == RecordType::kDescriptor) descriptors.push(record_as<DescriptorRecord>(h));
    if (h->type == RecordType::kDescription) {
      auto record = record_as<DescriptionRecord>(h);
      bool mine = next < prepared.size() && belongs_here(prepared[next]) && prepared[next].record.id == record.id;
      own.push({record, mine ? next++ : shared_description(record.shared), reader});
    }
    if (h->type == RecordType::kEpollEntry) reserved.push(record_as<EpollEntryRecord>(h).fd);
  }
}

bool has(const Numbers& numbers, int fd) {
  size_t word = static_cast<size_t>(fd) / 64;
  return word < numbers.size() && (numbers[word] >> fd % 64 & 1);
}

void add(Numbers& numbers, int fd) {
  if (fd < 0) return;
  size_t word = static_cast<size_t>(fd) / 64;
  if (word >= numbers.size()) numbers.add(word + 1 - numbers.size());
  numbers[word] |= 1UL << fd % 64;
}

bool is_used(int fd) {
  return has(used, fd);
}

/// What the restarting shell left open by mistake.
void close_strangers(int keep) {
  HomeArray<int> strangers;
  ScopedFd dir(open_path("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int>(Scan(name).number());
    if (fd > 2 && fd != dir.get() && fd != keep) strangers.push(fd);
    return true;
  });
  for (int fd : strangers) sys(__NR_close, fd);
}

/// A terminal that was all three standard streams may be three different things now.
int source_of(const DescriptorRecord& d) {
  const OwnDescription& o = own[d.description];
  const PreparedDescription& p = prepared[o.index];
  bool stream = kind_of(p) == DescriptionKind::kInherited && d.fd < 3 && (o.record.value[0] >> d.fd & 1);
  return stream && standard[d.fd] >= 0 ? standard[d.fd] : p.fd;
}

/// Other processes that have this table open and close files of theirs, which must not get a number of the program.
void occupy(int fd) {
  if (fd <= 2 || has(occupied, fd)) return;
  add(occupied, fd);
  Patience patience("a number for a descriptor");
  long null = open_path("/dev/null", O_RDONLY), r;
  if (null == fd) return;
  while ((r = sys(__NR_fcntl, null, F_DUPFD_CLOEXEC, fd)) != fd) {
    if (failed(r)) give_up(Error::kResourceFailed, "a descriptor", "keep its number free", r);
    sys(__NR_close, r);
    patience.wait();
  }
  sys(__NR_close, null);
}

void occupy_numbers() {
  for (const DescriptorRecord& d : descriptors) occupy(d.fd);
  for (int fd : reserved) occupy(fd);
}

void put_in_place(const DescriptorRecord& d) {
  long r = sys(__NR_dup3, source_of(d), d.fd, d.close_on_exec ? O_CLOEXEC : 0);
  if (r < 0) give_up(Error::kResourceFailed, prepared[own[d.description].index].path, "give it its descriptor number", r);
}

void register_epoll_entries() {
  for (const PreparedDescription& p : prepared)
    if (belongs_here(p) && kind_of(p) == DescriptionKind::kEpoll)
      each_extra<EpollEntryRecord>(p, RecordType::kEpollEntry, [&](const EpollEntryRecord& e, const char*, size_t) {
        epoll_event event{};
        event.events = e.events;
        event.data.u64 = e.data;
        size_t target = e.shared ? shared_description(e.shared) : own[e.description].index;
        long r = sys(__NR_dup3, prepared[target].fd, e.fd, O_CLOEXEC);
        if (r >= 0) r = sys(__NR_epoll_ctl, p.fd, EPOLL_CTL_ADD, e.fd, &event);
        if (r < 0) give_up(Error::kResourceFailed, "an epoll instance", "register a descriptor", r);
      });
}

/// Of a process whose descriptors another one puts into place: what it needed for its memory.
void close_own() {
  for (const PreparedDescription& p : prepared)
    if (belongs_here(p) && !p.common)
      for (int fd : {p.fd, p.helper})
        if (fd >= 0) sys(__NR_close, fd);
}

void close_rest(int keep) {
  for (const PreparedDescription& p : prepared) {
    if (p.fd >= 0) sys(__NR_close, p.fd);
    for (int fd : {p.helper, p.promise[0], p.promise[1]})
      if (fd >= 0) sys(__NR_close, fd);
  }
  for (int fd : standard)
    if (fd >= 0) sys(__NR_close, fd);
  size_t next = 0;
  auto close_unused = [&](int fd) {
    while (next < descriptors.size() && descriptors[next].fd < fd) ++next;
    bool used = next < descriptors.size() && descriptors[next].fd == fd;
    if (!used && fd != keep) sys(__NR_close, fd);
  };
  for (int fd = 0; fd < 3; ++fd) close_unused(fd);
  for (int fd : reserved) next = 0, close_unused(fd);
}

/// One that is another process's, with what this process has of it.
PreparedDescription borrowed(const OwnDescription& o) {
  PreparedDescription p = prepared[o.index];
  p.behind = o.behind;
  return p;
}

void settle(const OwnDescription& o, int fd) {
  PreparedDescription& p = prepared[o.index];
  if (belongs_here(p)) settle_description(p, fd);
  else take_process_locks(borrowed(o), fd);
}

/// The first number of each description; -1: it is under way in a socket.
void find_numbers(HomeArray<int>& numbers) {
  for (size_t i = 0; i < own.size(); ++i) numbers.push(-1);
  for (const DescriptorRecord& d : descriptors)
    if (numbers[d.description] < 0) numbers[d.description] = d.fd;
}

void settle_underway(const HomeArray<int>& numbers) {
  for (size_t i = 0; i < own.size(); ++i)
    if (PreparedDescription& p = prepared[own[i].index]; numbers[i] < 0 && belongs_here(p)) settle_description(p, p.fd);
}

void settle_all(const HomeArray<int>& numbers) {
  for (size_t i = 0; i < own.size(); ++i)
    if (numbers[i] >= 0) settle(own[i], numbers[i]);
}

/// Pidfds that its epoll instances watch and that it does not have itself.
void prepare_watched(const PreparedDescription& epoll) {
  each_extra<EpollEntryRecord>(epoll, RecordType::kEpollEntry, [](const EpollEntryRecord& e, const char*, size_t) {
    PreparedDescription* p = e.shared ? &prepared[shared_description(e.shared)] : nullptr;
    if (p && kind_of(*p) == DescriptionKind::kPidfd) open_pidfd(*p);
  });
}

/// The keeper of the table does all the rest. It may close what both have.
void share_files() {
  keep_messages();
  keep_job_descriptor();
}

void prepare(const OwnDescription& o) {
  PreparedDescription& p = prepared[o.index];
  if (kind_of(p) == DescriptionKind::kPidfd) return open_pidfd(p);
  if (belongs_here(p) && kind_of(p) == DescriptionKind::kEpoll) prepare_watched(p);
  if (!belongs_here(p)) prepare_locks(borrowed(o));
  else if (!p.common) open_description(p);
}

}  // namespace

bool belongs_here(const PreparedDescription& p) {
  return p.process == own_process;
}

HomeArray<PreparedDescription>& all_descriptions() {
  return prepared;
}

int move_aside(const char* what, long fd) {
  if (failed(fd)) give_up(Error::kResourceFailed, what, "open", fd);
  auto from = static_cast<int>(fd);
  if (from > 2 && !is_used(from)) return from;
  int aside = copy_aside(what, from);
  sys(__NR_close, from);
  return aside;
}

int copy_aside(const char* what, int from) {
  for (;;) {
    while (is_used(next_aside)) ++next_aside;
    long r = sys(__NR_fcntl, from, F_DUPFD_CLOEXEC, next_aside);
    if (failed(r)) give_up(Error::kResourceFailed, what, "find a free descriptor number (raise the limit: ulimit -n)", r);
    next_aside = static_cast<int>(r) + 1;
    if (!is_used(static_cast<int>(r))) return static_cast<int>(r);
    sys(__NR_close, r);
  }
}

void set_descriptor(PreparedDescription& p, long fd) {
  p.fd = move_aside(p.path, fd);
}

void reserve_numbers(const Plan& plan) {
  size_t descriptions = 0;
  for (const PlannedProcess& p : plan.processes) {
    p.file.each_as<DescriptorRecord>(RecordType::kDescriptor, [](const DescriptorRecord& d, const char*) { add(used, d.fd); });
    p.file.each_as<EpollEntryRecord>(RecordType::kEpollEntry, [](const EpollEntryRecord& e, const char*) { add(used, e.fd); });
    p.file.each(RecordType::kDescription, [&](const RecordHeader*) { ++descriptions; });
  }
  close_strangers(options.ready_fd);
  raise_descriptor_limit(used.size() * 64 + descriptions + 64);
  keep_messages();
  if (options.ready_fd >= 0) options.ready_fd = move_aside("the caller's pipe", options.ready_fd);
}

void prepare_files(int32_t process) {
  own_process = process;
  temporary_directory();
  read_descriptors();
  int highest = descriptors.size() ? descriptors[descriptors.size() - 1].fd : 2;
  raise_descriptor_limit(static_cast<uint64_t>(highest) + descriptors.size() + 64);
  image.set_fd(move_aside("the image", image.fd()));
  if (!keeps_files()) return share_files();
  if (shares_files()) occupy_numbers();
  for (int i = 0; i < 3; ++i)
    if (long fd = sys(__NR_dup, i); fd >= 0) standard[i] = move_aside("a standard stream", fd);
  for (const OwnDescription& o : own) prepare(o);
}

void install_files(int keep) {
  for (PreparedDescription& p : prepared)
    if (belongs_here(p)) finish_description(p);
  meet(BirthStep::kFinished);
  send_unix_datagrams();
  restore_foreground();
  if (!keeps_files()) return close_own();
  register_epoll_entries();
  for (const DescriptorRecord& d : descriptors) put_in_place(d);
  HomeArray<int> numbers;
  find_numbers(numbers);
  settle_underway(numbers);
  close_rest(keep);
  settle_all(numbers);
}

}  // namespace mig
