// The kinds of thing that a descriptor can refer to: recognised by what fstat and /proc/thread-self/fd show.
#include "preload/save/description.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "preload/job/standard.h"
#include "preload/save/events.h"
#include "preload/save/inotify.h"
#include "preload/save/locks.h"
#include "preload/save/pipes.h"
#include "preload/save/regular.h"
#include "preload/save/sockets.h"
#include "preload/save/terminal.h"

namespace mig {
namespace {

/// Objects that only the kernel knows, by the name it shows for them.
struct Nameless {
  const char* link;
  bool (*save)(Saving&, OpenDescription&);
  const char* refusal;
};
constexpr Nameless kNameless[] = {
    {"anon_inode:[eventfd]", save_eventfd, nullptr},
    {"anon_inode:[eventpoll]", save_epoll, nullptr},
    {"anon_inode:[timerfd]", save_timerfd, nullptr},
    {"anon_inode:[signalfd]", save_signalfd, nullptr},
    {"anon_inode:inotify", save_inotify, nullptr},
    {"anon_inode:[pidfd]", save_pidfd, nullptr},
    {"pidfd:", save_pidfd, nullptr},
    {"anon_inode:[userfaultfd]", nullptr, "a userfaultfd belongs to the kernel's view of this address space"},
    {"anon_inode:[io_uring]", nullptr, "the rings of io_uring are shared with the kernel, which goes on with them by itself"},
    {"anon_inode:[perf_event]", nullptr, "the counters of a perf event are the kernel's"},
    {"anon_inode:[fanotify]", nullptr, "the state of a fanotify group cannot be read back"},
    {"anon_inode:bpf", nullptr, "BPF objects live in the kernel and cannot be read back"},
    {"anon_inode:kvm", nullptr, "a virtual machine lives in the kernel"},
    {"anon_inode:[landlock-ruleset]", nullptr, "a Landlock ruleset cannot be read back"},
    {"anon_inode:seccomp notify", nullptr, "a seccomp listener belongs to another process's filter"},
};

bool save_nameless(Saving& saving, OpenDescription& d) {
  for (const Nameless& n : kNameless)
    if (text_starts(d.path, n.link)) return n.save ? n.save(saving, d) : unsupported(d, n.refusal);
  return unsupported(d, "this kind of object is not supported");
}

bool save_path_only(Saving& saving, OpenDescription& d) {
  struct stat st;
  long r = sys(__NR_newfstatat, AT_FDCWD, d.path, &st, AT_SYMLINK_NOFOLLOW);
  if (r < 0 || st.st_ino != d.record.inode) return unsupported(d, "an O_PATH descriptor of a file that was removed");
  return saving.write(d, DescriptionKind::kPathOnly);
}

bool save_character_device(Saving& saving, OpenDescription& d) {
  unsigned major_number = major(d.record.rdev), minor_number = minor(d.record.rdev);
  if (is_terminal(d)) return save_terminal(saving, d);
  if (major_number == 1 && minor_number != 1 && minor_number != 2 && minor_number != 4)
    return saving.write(d, DescriptionKind::kDevice);
  return unsupported(d, "the state of this device is not known to mig");
}

bool save_by_kind(Saving& saving, OpenDescription& d) {
  uint32_t mode = d.record.mode;
  if (d.record.open_flags & O_PATH) return save_path_only(saving, d);
  if (d.path[0] != '/' && !S_ISFIFO(mode) && !S_ISSOCK(mode)) return save_nameless(saving, d);
  switch (mode & S_IFMT) {
    case S_IFREG: return save_regular(saving, d);
    case S_IFDIR: return save_directory(saving, d);
    case S_IFCHR: return save_character_device(saving, d);
    case S_IFBLK: return saving.write(d, DescriptionKind::kDevice);
    case S_IFIFO: return save_pipe(saving, d);
    case S_IFSOCK: return save_socket(saving, d);
    default: return unsupported(d, "this kind of object is not supported");
  }
}

}  // namespace

bool Saving::out_of_memory() {
  return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

const OpenDescription* Saving::behind(int fd) const {
  size_t low = 0, high = numbers_.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (numbers_[middle].fd == fd) return begin_ + numbers_[middle].description;
    if (numbers_[middle].fd < fd) low = middle + 1;
    else high = middle;
  }
  return nullptr;
}

bool Saving::write(OpenDescription& d, DescriptionKind kind) {
  owned_ = owns(d);
  d.record.kind = static_cast<uint32_t>(kind);
  return writer_.record(RecordType::kDescription, d.record, d.path, strlen(d.path) + 1) || out_of_memory();
}

void describe_descriptor(Text& text, const OpenDescription& d) {
  if (d.underway) text << d.path << " (mapped, or under way in a socket)";
  else text << "fd " << d.fd << " (" << d.path << ")";
}

bool unsupported(const OpenDescription& d, const char* why) {
  char object[4200];
  Text text(object);
  describe_descriptor(text, d);
  return refuse(Error::kUnsupportedDescriptor, object, why);
}

void degraded(OpenDescription& d, const char* how) {
  d.verdict = Verdict::kDegraded;
  d.reason = how;
}

void carried(OpenDescription& d, const char* what) {
  if (d.verdict == Verdict::kDegraded) return;
  d.verdict = Verdict::kCarried;
  d.reason = what;
}

bool enter_description(OpenDescription& d) {
  if (d.record.open_flags & O_PATH) return true;
  if (S_ISREG(d.record.mode)) return enter_regular(d);
  if (!owns(d)) return true;
  switch (d.record.mode & S_IFMT) {
    case S_IFCHR: return enter_terminal(d);
    case S_IFIFO: return enter_pipe(d);
    case S_IFSOCK: return enter_socket(d);
    default: return true;
  }
}

bool save_description(Saving& saving, OpenDescription& d) {
  if (int stream = inherited_stream(d); stream >= 0) return save_inherited(saving, d, stream);
  return save_by_kind(saving, d) && save_locks(saving, d);
}

}  // namespace mig
