// What the program was given at its start: standard streams and other descriptors that lead outside the job.
//
// A standard stream that is a terminal, pipe or socket of somebody else cannot travel; the restart's own takes its
// place. It is recognised by device and inode, so duplicates of it and other descriptors of the same terminal are
// found too. After a restart it may be anything, also a file or /dev/null, of which the program can have others:
// then only the very description that sits on the stream's number counts.
//
// What leads outside is a matter of the job: its first program looks, and programs that members start later compare
// with that list, when their first checkpoint comes. A pipe between two members is not on it.
#include "preload/job/standard.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "image/base/futex.h"
#include "preload/save/terminal.h"
#include "preload/start.h"

namespace mig {
namespace {

constexpr uint32_t kInherited = sizeof state.inherited / sizeof *state.inherited;

bool leads_outside(uint32_t mode, uint64_t device) {
  return S_ISFIFO(mode) || S_ISSOCK(mode) || (S_ISCHR(mode) && major(device) != 1);
}

void note_stream(int stream, const struct stat& st, int fd) {
  state.standard_kept |= 1 << stream;
  state.standard_inode[stream] = st.st_ino;
  state.standard_device[stream] = st.st_dev;
  state.standard_fd[stream] = fd;
}

}  // namespace

void note_inherited() {
  ScopedFd dir(open_path("/proc/thread-self/fd", O_RDONLY | O_DIRECTORY));
  if (!dir.ok()) return;
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int32_t>(Scan(name).number());
    struct stat st;
    if (fd == dir.get() || sys(__NR_fstat, fd, &st) < 0 || !leads_outside(st.st_mode, st.st_rdev)) return true;
    if (fd < 3) note_stream(fd, st, fd);
    else state.inherited[state.inherited_count++] = {st.st_dev, st.st_ino};
    return state.inherited_count < kInherited;
  });
}

MIG_START void note_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    struct stat st;
    if (sys(__NR_fstat, fd, &st) == 0 && leads_outside(st.st_mode, st.st_rdev)) note_stream(fd, st, fd);
  }
}

void adopt_outside(const Outside& outside) {
  uint32_t count = load(&outside.count) < kMaxOutside ? load(&outside.count) : kMaxOutside;
  int32_t kept = 0;
  for (uint32_t n = 0; n < count; ++n) {
    const auto& e = outside.entry[n];
    for (int i = 0; i < 3; ++i)
      if (state.standard_inode[i] == e.inode && state.standard_device[i] == e.device) kept |= 1 << i;
    if (state.inherited_count < kInherited) state.inherited[state.inherited_count++] = {e.device, e.inode};
  }
  state.standard_kept &= kept;
}

void share_outside(Outside& outside) {
  auto add = [&](uint64_t device, uint64_t inode) {
    uint32_t at = __atomic_fetch_add(&outside.count, 1, __ATOMIC_ACQ_REL);
    if (at < kMaxOutside) outside.entry[at] = {device, inode};
  };
  for (int i = 0; i < 3; ++i)
    if (state.standard_kept >> i & 1) add(state.standard_device[i], state.standard_inode[i]);
  for (uint32_t i = 0; i < state.inherited_count; ++i) add(state.inherited[i].device, state.inherited[i].inode);
}

void note_inherited_again() {
  state.inherited_count = 0;
  state.standard_kept &= state.standard_saved;
  for (int i = 0; i < 3; ++i) {
    struct stat st;
    if (!(state.standard_kept >> i & 1)) continue;
    if (sys(__NR_fstat, state.standard_fd[i], &st) < 0) state.standard_kept &= ~(1 << i);
    else note_stream(i, st, state.standard_fd[i]);
  }
}

uint32_t stream_bits(int fd, uint64_t inode) {
  uint32_t bits = 0;
  for (int i = 0; i < 3; ++i)
    if ((state.standard_kept >> i & 1) && state.standard_fd[i] == fd && state.standard_inode[i] == inode) bits |= 1u << i;
  return bits;
}

int inherited_stream(const OpenDescription& d) {
  int found = -1;
  for (int i = 0; i < 3; ++i) {
    if (!(state.standard_kept >> i & 1) || state.standard_inode[i] != d.record.inode ||
        state.standard_device[i] != d.record.device)
      continue;
    if (d.streams >> i & 1) return i;
    bool suits = i == 0 ? can_read(d) : can_write(d);
    if (leads_outside(d.record.mode, d.record.rdev) && suits && found < 0) found = i;
  }
  return found;
}

bool save_inherited(Saving& saving, OpenDescription& d, int stream) {
  d.record.peer = static_cast<uint64_t>(stream);
  d.record.value[0] = d.streams;
  if (!saving.only_looking()) {
    bool on_its_number = false;
    for (const OpenDescription& other : saving) on_its_number = on_its_number || (other.streams >> stream & 1);
    if (!on_its_number) state.standard_fd[stream] = d.fd;
    state.standard_saved |= 1 << stream | static_cast<int32_t>(d.streams);
  }
  d.reason = "the restart's own standard stream takes its place";
  return saving.write(d, DescriptionKind::kInherited) && (!is_terminal(d) || save_terminal_settings(saving, d));
}

bool was_inherited(const OpenDescription& d) {
  for (uint32_t i = 0; i < state.inherited_count; ++i)
    if (state.inherited[i].inode == d.record.inode && state.inherited[i].device == d.record.device) return true;
  return false;
}

}  // namespace mig
