// without CALL[,CALL...] PROGRAM ARG...: runs a program on a kernel that does not know these system calls (seccomp answers ENOSYS).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <errno.h>
#include <unistd.h>

static const struct {
  const char *name;
  unsigned number;
} calls[] = {{"rseq", SYS_rseq}, {"close_range", 436}, {"futex_waitv", 449}, {"mseal", 462}, {"membarrier", SYS_membarrier}};

int main(int argc, char **argv) {
  struct sock_filter code[32];
  unsigned short n = 0;
  if (argc < 3) return 2;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ","))
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i)
      if (!strcmp(calls[i].name, name)) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
      }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {n, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
    perror("seccomp");
    return 3;
  }
  execv(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
