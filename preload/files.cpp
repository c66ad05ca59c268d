// Descriptors: which open file descriptions there are, what kind of thing each is, and how it stands.
//
// The kernel tells all of it: /proc/self/fd, fstat, /proc/self/fdinfo, fcntl; kcmp(KCMP_FILE) tells which
// descriptors share a description. Each kind of thing has its own file that recognises and saves it.
#include "preload/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "image/base/text.h"
#include "preload/description.h"
#include "preload/state.h"

namespace mig {
namespace {

using Descriptions = ScratchArray<OpenDescription>;

bool list_descriptors(ScratchArray<int32_t>& fds, const ImageWriter& writer, int own) {
  ScopedFd dir(open_path("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  if (!dir.ok()) return refuse_errno(Error::kPendingLost, "/proc/self/fd", "open", -dir.error());
  bool ok = true;
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int32_t>(Scan(name).number());
    if (fd != dir.get() && fd != own && !writer.holds(fd)) ok = fds.push(fd);
    return ok;
  });
  return ok || refuse(Error::kPendingLost, "the list of descriptors", "the kernel gave no memory for it");
}

void read_fdinfo(OpenDescription& d) {
  char path[64], text[4096];
  Text(path) << "/proc/self/fdinfo/" << d.fd;
  if (read_text(path, text, sizeof text) <= 0) return;
  if (auto p = text_find(text, "pos:")) d.record.position = Scan(p + 4).skip_spaces().number();
  if (auto p = text_find(text, "flags:")) d.record.open_flags = static_cast<uint32_t>(Scan(p + 6).octal());
  d.record.open_flags &= ~static_cast<uint32_t>(O_CLOEXEC);
}

void read_owner(OpenDescription& d) {
  f_owner_ex owner{};
  if (sys(__NR_fcntl, d.fd, F_GETOWN_EX, &owner) == 0 && owner.pid) {
    d.record.owner_kind = static_cast<uint32_t>(owner.type);
    d.record.owner = virtual_id(owner.pid);
  }
  long signal = sys(__NR_fcntl, d.fd, F_GETSIG);
  d.record.owner_signal = signal > 0 ? static_cast<int32_t>(signal) : 0;
}

bool look_at(OpenDescription& d) {
  struct stat st;
  char link[64];
  Text(link) << "/proc/self/fd/" << d.fd;
  if (long r = sys(__NR_fstat, d.fd, &st); r < 0) return refuse_errno(Error::kUnsupportedDescriptor, link, "stat", r);
  DescriptionRecord& r = d.record;
  r.device = st.st_dev, r.inode = st.st_ino, r.size = static_cast<uint64_t>(st.st_size), r.rdev = st.st_rdev;
  r.mode = st.st_mode;
  r.mtime = st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
  d.links = static_cast<uint32_t>(st.st_nlink);
  long n = sys(__NR_readlink, link, d.path, sizeof d.path - 1);
  d.path[n > 0 ? n : 0] = 0;
  read_fdinfo(d);
  if (!(r.open_flags & O_PATH)) read_owner(d);
  return true;
}

bool same_description(int32_t a, int32_t b) {
  long pid = sys(__NR_getpid);
  return sys(__NR_kcmp, pid, pid, KCMP_FILE, static_cast<long>(a), static_cast<long>(b)) == 0;
}

/// Descriptors of one description have the same inode, so only those are compared.
OpenDescription* find_shared(Descriptions& all, const OpenDescription& d) {
  for (OpenDescription& other : all)
    if (other.record.inode == d.record.inode && other.record.device == d.record.device &&
        other.record.open_flags == d.record.open_flags && same_description(other.fd, d.fd))
      return &other;
  return nullptr;
}

bool add_descriptor(ImageWriter& writer, Descriptions& all, int32_t fd) {
  OpenDescription d{};
  d.fd = fd;
  if (!look_at(d)) return false;
  OpenDescription* known = find_shared(all, d);
  if (!known) {
    d.record.id = static_cast<uint32_t>(all.size());
    if (!all.push(d)) return refuse(Error::kPendingLost, "the list of descriptors", "the kernel gave no memory for it");
    known = &all[all.size() - 1];
  }
  uint32_t close_on_exec = sys(__NR_fcntl, fd, F_GETFD) & FD_CLOEXEC;
  DescriptorRecord r{fd, known->record.id, close_on_exec, 0};
  return writer.record(RecordType::kDescriptor, r) ||
         refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

}  // namespace

bool save_files(ImageWriter& writer, int own) {
  ScratchArray<int32_t> fds;
  Descriptions all;
  if (!list_descriptors(fds, writer, own)) return false;
  for (int32_t fd : fds)
    if (!add_descriptor(writer, all, fd)) return false;
  for (OpenDescription& d : all)
    if (!save_description(writer, d, all.begin(), all.end())) return false;
  return true;
}

}  // namespace mig
