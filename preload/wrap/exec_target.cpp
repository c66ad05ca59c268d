// What will become of a program that is executed: whether the loader will load the library into it.
//
// The kernel decides by the same bytes: the ELF header and the table of segments (an interpreter among them means the loader,
// which takes LD_PRELOAD), or a #! line. A program with more privilege than its user has gets a loader that takes no
// library from a path. The loader itself, executed by name, has no interpreter and yet loads the library: it counts as
// uncovered, and its program enters the job as a new member. What cannot be read is taken for covered.
#include "preload/wrap/exec_target.h"

#include <elf.h>
#include <errno.h>
#include <sys/stat.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/start.h"

namespace mig {
namespace {

constexpr int kMostInterpreters = 5;  ///< as the kernel has it
constexpr size_t kHeadSize = 1024;

/// The kernel loads it with AT_SECURE. A capability counts for those who do not have all of them.
bool is_privileged(int fd, const struct stat& st) {
  auto user = static_cast<uid_t>(sys(__NR_geteuid));
  if ((st.st_mode & S_ISUID) && st.st_uid != user) return true;
  bool by_group = (st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP);
  if (by_group && st.st_gid != static_cast<gid_t>(sys(__NR_getegid))) return true;
  return user != 0 && sys(__NR_fgetxattr, fd, "security.capability", nullptr, 0L) > 0;
}

ExecTarget by_segments(int fd, const char* head, size_t size) {
  auto header = reinterpret_cast<const Elf64_Ehdr*>(head);
  if (size < sizeof *header || header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64)
    return ExecTarget::kUncovered;
  if (header->e_phentsize != sizeof(Elf64_Phdr)) return ExecTarget::kCovered;
  for (uint64_t i = 0; i < header->e_phnum; ++i) {
    Elf64_Phdr segment;
    uint64_t at = header->e_phoff + i * sizeof segment;
    if (at + sizeof segment <= size) __builtin_memcpy(&segment, head + at, sizeof segment);
    else if (pread_all(fd, &segment, sizeof segment, at) != sizeof segment) return ExecTarget::kCovered;
    if (segment.p_type == PT_INTERP) return ExecTarget::kCovered;
  }
  return ExecTarget::kUncovered;
}

/// The program behind #!, as a text of its own in the same memory; nullptr: none.
const char* interpreter(char* head) {
  if (head[0] != '#' || head[1] != '!') return nullptr;
  char* name = head + 2;
  while (*name == ' ' || *name == '\t') ++name;
  char* end = name;
  while (*end && *end != ' ' && *end != '\t' && *end != '\n') ++end;
  *end = 0;
  return *name ? name : nullptr;
}

}  // namespace

MIG_START ExecTarget exec_target(int directory, const char* path, int flags) {
  alignas(8) char head[2][kHeadSize + 1];
  for (int i = 0; i <= kMostInterpreters; ++i) {
    if (!path) return ExecTarget::kNone;
    struct stat st;
    if (sys(__NR_newfstatat, directory, path, &st, flags) < 0) return ExecTarget::kNone;
    if (!S_ISREG(st.st_mode)) return ExecTarget::kNone;
    bool by_descriptor = (flags & AT_EMPTY_PATH) && !*path;
    ScopedFd file(by_descriptor ? -1 : open_at(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    int fd = by_descriptor ? directory : file.get();
    long n = pread_all(fd, head[i & 1], kHeadSize, 0);
    if (n <= 0) return n == 0 ? ExecTarget::kNone : ExecTarget::kCovered;
    char* text = head[i & 1];
    text[n] = 0;
    if (text_starts(text, ELFMAG))
      return is_privileged(fd, st) ? ExecTarget::kUncovered : by_segments(fd, text, static_cast<size_t>(n));
    path = interpreter(text);
    if (!path) return ExecTarget::kCovered;
    directory = AT_FDCWD, flags = 0;
  }
  return ExecTarget::kNone;
}

}  // namespace mig
