#include "preload/wrap/shell.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mig {

int start_shell(pid_t* child, const char* command, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes) {
  bool looks_like_option = *command == '-' || *command == '+';
  const char* words[] = {"sh", "-c", looks_like_option ? "--" : command, looks_like_option ? command : nullptr, nullptr};
  return posix_spawn(child, "/bin/sh", actions, attributes, const_cast<char* const*>(words), environ);
}

int wait_for_shell(pid_t child) {
  int status = 0;
  pid_t told;
  do told = waitpid(child, &status, 0);
  while (told < 0 && errno == EINTR);
  return told == child ? status : -1;
}

}  // namespace mig
