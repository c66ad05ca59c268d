// Locks on files and leases.
//
// F_GETLK does not see one's own locks. The `lock:` lines of /proc/self/fdinfo do (proc(5), locks_show() in the
// kernel): those taken through this very description, of all four kinds:
//
//   lock:  1: POSIX  ADVISORY  WRITE 359 fe:00:12345 10 14      OFDLCK and FLOCK likewise
//   lock:  1: LEASE  ACTIVE    READ  359 fe:00:12345 0 EOF      BREAKING, BREAKER: somebody waits for it
#include "preload/save/locks.h"

#include <fcntl.h>

namespace mig {
namespace {

enum LockKind : uint32_t { kPosix, kOfd, kFlock, kLease };

const char* word_after(const char* at) {
  while (*at && *at != ' ' && *at != '\t') ++at;
  return Scan(at).skip_spaces().at();
}

bool parse(const char* line, FileLockRecord& lock) {
  if (!text_starts(line, "lock:")) return false;
  const char* at = word_after(Scan(line + 5).skip_spaces().at());
  if (text_starts(at, "POSIX")) lock.kind = kPosix;
  else if (text_starts(at, "OFDLCK")) lock.kind = kOfd;
  else if (text_starts(at, "FLOCK")) lock.kind = kFlock;
  else if (text_starts(at, "LEASE")) lock.kind = kLease;
  else return false;
  at = word_after(word_after(at));
  lock.type = text_starts(at, "WRITE") ? F_WRLCK : F_RDLCK;
  at = word_after(word_after(word_after(at)));
  Scan range(at);
  lock.start = range.number();
  const char* end = range.skip_spaces().at();
  lock.length = *end == 'E' ? 0 : Scan(end).number() - lock.start + 1;
  return true;
}

template <class Visit>
void each_lock(const OpenDescription& d, Visit visit) {
  each_fdinfo_line(d.fd, [&](const char* line) {
    FileLockRecord lock{};
    lock.description = d.record.id;
    return !parse(line, lock) || visit(lock);
  });
}

}  // namespace

bool save_locks(Saving& saving, OpenDescription& d) {
  if (!d.has_locks) return true;
  bool ok = true;
  each_lock(d, [&](FileLockRecord& lock) {
    if (lock.kind == kPosix) return ok = saving.extra_of_process(RecordType::kFileLock, lock);
    if (lock.kind == kLease) {
      long type = sys(__NR_fcntl, d.fd, F_GETLEASE);
      if (type == F_UNLCK) return true;
      lock.type = static_cast<int32_t>(type);
    }
    return ok = saving.extra(RecordType::kFileLock, lock);
  });
  return ok;
}

ScopedProcessLocks::ScopedProcessLocks(const OpenDescription* begin, const OpenDescription* end, const OpenDescription& d) {
  for (const OpenDescription* other = begin; other != end; ++other) {
    if (!other->has_locks || !same_object(*other, d)) continue;
    each_lock(*other, [&](const FileLockRecord& lock) { return lock.kind != kPosix || held_.push({other->fd, lock}); });
  }
}

ScopedProcessLocks::~ScopedProcessLocks() {
  for (const Held& h : held_) {
    struct flock l {};
    l.l_type = static_cast<short>(h.lock.type), l.l_whence = SEEK_SET, l.l_start = h.lock.start, l.l_len = h.lock.length;
    sys(__NR_fcntl, h.fd, F_SETLK, &l);
  }
}

}  // namespace mig
