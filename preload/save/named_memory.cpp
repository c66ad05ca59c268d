// Who else uses a file is asked of every process that this one may look into: its mappings and its descriptors.
#include "preload/save/named_memory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "image/device.h"
#include "preload/job/offspring.h"

namespace mig {
namespace {

constexpr char kDirectory[] = "/dev/shm/";
constexpr size_t kMost = 64;

struct TakenAlong {
  uint64_t device, inode;
  char path[256];
};
TakenAlong taken[kMost];
size_t taken_count;

bool maps(int32_t pid, const ObjectName& name) {
  char path[48];
  Text(path) << "/proc/" << pid << "/maps";
  LineReader<8192> lines(path);
  while (char* line = lines.next()) {
    if (!text_find(line, kDirectory)) continue;
    Scan scan(line);
    for (int field = 0; field < 3; ++field) scan.after(' ');
    uint64_t major = scan.hex(), minor = scan.skip(':').hex();
    if (static_cast<uint64_t>(scan.number()) == name.inode && stat_device(major << 32 | minor) == name.device) return true;
  }
  return false;
}

bool has_open(int32_t pid, const ObjectName& name) {
  char path[48];
  bool found = false;
  Text(path) << "/proc/" << pid << "/fd";
  ScopedFd dir(open_path(path, O_RDONLY | O_DIRECTORY));
  if (!dir.ok()) return false;
  each_entry(dir.get(), [&](const char* fd, unsigned char) {
    struct stat st;
    found = sys(__NR_newfstatat, dir.get(), fd, &st, 0) == 0 && st.st_ino == name.inode && st.st_dev == name.device;
    return !found;
  });
  return found;
}

bool is_used_outside(const ObjectName& name) {
  ScopedFd dir(open_path("/proc", O_RDONLY | O_DIRECTORY));
  bool found = !dir.ok();
  each_entry(dir.get(), [&](const char* entry, unsigned char) {
    auto pid = static_cast<int32_t>(Scan(entry).number());
    found = pid > 0 && !is_of_job(pid) && (maps(pid, name) || has_open(pid, name));
    return !found;
  });
  return found;
}

/// The name under which the first to come looks for users outside.
ObjectName question(const OpenDescription& d) {
  return {d.record.device, ~d.record.inode};
}

}  // namespace

bool is_named_memory(const char* path) {
  return text_starts(path, kDirectory) && !text_find(path + sizeof kDirectory - 1, "/");
}

bool open_named_memory(const Mappings& mappings, bool (*visit)(void*, int), void* argument) {
  const Mapping* last = nullptr;
  for (const Mapping& m : mappings) {
    if (m.record.kind != static_cast<uint32_t>(MappingKind::kFileShared) || !is_named_memory(m.path)) continue;
    if (last && last->record.inode == m.record.inode && last->record.device == m.record.device) continue;
    last = &m;
    ScopedFd fd(open_path(m.path, O_RDWR));
    if (!fd.ok()) fd.reset(open_path(m.path, O_RDONLY));
    struct stat st;
    if (!fd.ok() || sys(__NR_fstat, fd.get(), &st) < 0 || st.st_ino != m.record.inode) continue;
    if (!visit(argument, fd.release())) return false;
  }
  return true;
}

bool enter_named_memory(const OpenDescription& d) {
  if (!claim_object(question(d)) || is_used_outside(object_of(d))) return true;
  return note_object(object_of(d), kHasContents);
}

void note_taken_along(const OpenDescription& d) {
  if (taken_count == kMost || strlen(d.path) >= sizeof taken->path) return;
  TakenAlong& t = taken[taken_count++];
  t.device = d.record.device, t.inode = d.record.inode;
  text_copy(t.path, d.path, sizeof t.path);
}

void forget_taken_along() {
  taken_count = 0;
}

void remove_taken_along() {
  for (size_t i = 0; i < taken_count; ++i) {
    struct stat st;
    if (sys(__NR_newfstatat, AT_FDCWD, taken[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == taken[i].inode &&
        st.st_dev == taken[i].device)
      sys(__NR_unlinkat, AT_FDCWD, taken[i].path, 0);
  }
}

}  // namespace mig
