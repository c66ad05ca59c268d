// Locks on files, leases, and who is told of events on a descriptor.
//
// OFD locks and flocks belong to a description and are taken while the restart can still be given up. POSIX locks
// belong to the process and end with any close of the file: they are asked for first and taken last.
#include "restore/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "restore/failure.h"
#include "restore/image_file.h"
#include "restore/job.h"

namespace mig {
namespace {

enum LockKind : uint32_t { kPosix, kOfd, kFlock, kLease };

struct flock range_of(const FileLockRecord& l) {
  struct flock f {};
  f.l_type = static_cast<short>(l.type), f.l_whence = SEEK_SET, f.l_start = l.start, f.l_len = l.length;
  return f;
}

[[noreturn]] void held_by_another(const PreparedDescription& p, long result) {
  if (result == -EAGAIN || result == -EACCES)
    give_up(Error::kResourceFailed, p.path, "another process holds the lock that the program had on it");
  give_up(Error::kResourceFailed, p.path, "lock it again", result);
}

void ask(const PreparedDescription& p, const FileLockRecord& l) {
  struct flock f = range_of(l);
  long r = sys(__NR_fcntl, p.fd, F_GETLK, &f);
  if (r < 0) held_by_another(p, r);
  if (f.l_type != F_UNLCK) held_by_another(p, -EAGAIN);
}

int32_t real_id(int32_t virtual_number) {
  int32_t real = 0;
  image.each_as<ThreadRecord>(RecordType::kThread, [&](const ThreadRecord& t, const char*) {
    if (t.vtid == virtual_number) real = *reinterpret_cast<const int32_t*>(t.real_tid_address);
  });
  return real ? real : real_process(virtual_number);
}

}  // namespace

void prepare_locks(const PreparedDescription& p) {
  each_extra<FileLockRecord>(p, RecordType::kFileLock, [&](const FileLockRecord& l, const char*, size_t) {
    struct flock f = range_of(l);
    long r = 0;
    if (l.kind == kPosix) ask(p, l);
    else if (l.kind == kOfd) r = sys(__NR_fcntl, p.fd, F_OFD_SETLK, &f);
    else if (l.kind == kFlock) r = sys(__NR_flock, p.fd, (l.type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
    if (r < 0) held_by_another(p, r);
  });
}

void take_lease(const PreparedDescription& p, int fd) {
  each_extra<FileLockRecord>(p, RecordType::kFileLock, [&](const FileLockRecord& l, const char*, size_t) {
    if (l.kind != kLease) return;
    long r = sys(__NR_fcntl, fd, F_SETLEASE, l.type);
    if (r < 0) give_up(Error::kResourceFailed, p.path, "take the lease again", r);
  });
}

void set_owner(const PreparedDescription& p, int fd) {
  if (p.record.owner_signal) sys(__NR_fcntl, fd, F_SETSIG, p.record.owner_signal);
  if (!p.record.owner) return;
  f_owner_ex owner{static_cast<decltype(owner.type)>(p.record.owner_kind), 0};
  owner.pid = owner.type == F_OWNER_PGRP ? real_group(p.record.owner) : real_id(p.record.owner);
  if (owner.pid) sys(__NR_fcntl, fd, F_SETOWN_EX, &owner);
}

void take_process_locks(const PreparedDescription& p, int fd) {
  each_extra<FileLockRecord>(p, RecordType::kFileLock, [&](const FileLockRecord& l, const char*, size_t) {
    if (l.kind != kPosix) return;
    struct flock f = range_of(l);
    long r = sys(__NR_fcntl, fd, F_SETLK, &f);
    if (r < 0) held_by_another(p, r);
  });
}

}  // namespace mig
