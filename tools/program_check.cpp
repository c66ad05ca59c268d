#include "tools/program_check.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "image/base/file.h"
#include "tools/problem.h"

namespace mig {

namespace {

constexpr int kScriptLevels = 4;  ///< as the kernel follows #! lines

bool executable_file(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && access(path.c_str(), X_OK) == 0;
}

std::string describe(const std::string& path, const std::string& script) {
  return script.empty() ? path : script + " (interpreter " + path + ")";
}

[[noreturn]] void refuse_program(Error error, const std::string& path, const std::string& script, const char* cause) {
  bool through = !script.empty() && error != Error::kNoProgram;
  throw Problem(through ? Error::kStaticInterpreter : error, describe(path, script), cause);
}

void check_privilege(const std::string& path, const std::string& script) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) refuse_program(Error::kNoProgram, path, script, "program not found");
  bool foreign_user = (st.st_mode & S_ISUID) && st.st_uid != getuid();
  bool foreign_group = (st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid();
  if (foreign_user || foreign_group)
    refuse_program(Error::kSetuidProgram, path, script,
                   "the program is setuid or setgid, and the loader ignores LD_PRELOAD for it");
  if (geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0)
    refuse_program(Error::kSetuidProgram, path, script,
                   "the program has file capabilities, and the loader ignores LD_PRELOAD for it");
}

void check_header(const Elf64_Ehdr& h, const std::string& path, const std::string& script) {
  if (h.e_ident[EI_CLASS] != ELFCLASS64) refuse_program(Error::kOtherArchitecture, path, script, "it is a 32-bit program");
  if (h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
    refuse_program(Error::kOtherArchitecture, path, script, "it is a program of another architecture than x86-64");
}

void check_elf(int fd, const Elf64_Ehdr& h, const std::string& path, const std::string& script) {
  check_header(h, path, script);
  for (unsigned i = 0; i < h.e_phnum; ++i) {
    Elf64_Phdr p{};
    if (pread_all(fd, &p, sizeof p, h.e_phoff + uint64_t{i} * h.e_phentsize) != sizeof p) break;
    if (p.p_type == PT_INTERP) return;
  }
  refuse_program(Error::kStaticProgram, path, script,
                 "it is statically linked, and only the dynamic loader can load the library");
}

std::string interpreter_of(const char* head) {
  std::istringstream line(std::string(head + 2, strcspn(head + 2, "\n")));
  std::string word;
  line >> word;
  return word;
}

/// The interpreter to check next, or nothing when the program is fine.
std::string check_one(const std::string& path, const std::string& script) {
  if (!executable_file(path)) refuse_program(Error::kNoProgram, path, script, "program not found or not executable");
  ScopedFd fd(open_path(path.c_str(), O_RDONLY));
  if (!fd.ok()) {  // may be run but not read: trust it
    check_privilege(path, script);
    return "";
  }
  union {
    char head[256];
    Elf64_Ehdr elf;
  } u = {};
  pread_all(fd.get(), u.head, sizeof u.head - 1, 0);
  if (u.head[0] == '#' && u.head[1] == '!') return interpreter_of(u.head);
  check_privilege(path, script);
  if (memcmp(u.head, ELFMAG, SELFMAG) != 0) return "/bin/sh";  // execvp hands it to the shell
  check_elf(fd.get(), u.elf, path, script);
  return "";
}

}  // namespace

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (executable_file(name)) return name;
    throw Problem(Error::kNoProgram, name.empty() ? "program" : name);
  }
  const char* path = getenv("PATH");
  std::istringstream in(path ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string d; std::getline(in, d, ':');) {
    std::string p = (d.empty() ? "." : d) + "/" + name;
    if (executable_file(p)) return p;
  }
  throw Problem(Error::kNoProgram, name.empty() ? "program" : name);
}

void check_program(const std::string& path) {
  std::string next = path, script;
  for (int level = 0; level <= kScriptLevels; ++level) {
    std::string interpreter = check_one(next, script);
    if (interpreter.empty()) return;
    script = path;
    next = interpreter;
  }
  throw Problem(Error::kNoProgram, path, "the #! lines lead through too many scripts");
}

}  // namespace mig
