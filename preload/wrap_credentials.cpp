// Wrappers: the pid in the credentials that unix sockets tell and carry (SO_PEERCRED, SCM_CREDENTIALS).
#include <string.h>
#include <sys/socket.h>

#include "preload/hook.h"
#include "preload/ids.h"
#include "preload/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(getsockopt);
MIG_ORIGINAL(sendmsg);
constexpr size_t kControlSize = 1024;

bool has_credentials(const cmsghdr* c) {
  return c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len >= CMSG_LEN(sizeof(ucred));
}

/// The kernel checks the sender's own number: it gets the real one, in a copy.
__attribute__((noinline)) ssize_t send_with_real_ids(int socket, const msghdr* message, int flags) {
  alignas(cmsghdr) char control[kControlSize];
  msghdr copy = *message;
  memcpy(control, message->msg_control, message->msg_controllen);
  copy.msg_control = control;
  for (cmsghdr* c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c))
    if (has_credentials(c)) {
      auto credentials = reinterpret_cast<ucred*>(CMSG_DATA(c));
      credentials->pid = real_id(credentials->pid);
    }
  return original_sendmsg(socket, &copy, flags);
}

bool sends_credentials(const msghdr* message) {
  if (!message || !message->msg_control || message->msg_controllen > kControlSize) return false;
  auto copy = const_cast<msghdr*>(message);
  for (cmsghdr* c = CMSG_FIRSTHDR(copy); c; c = CMSG_NXTHDR(copy, c))
    if (has_credentials(c)) return true;
  return false;
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int getsockopt(int socket, int level, int name, void* value, socklen_t* size) noexcept {
  int r = original_getsockopt(socket, level, name, value, size);
  if (r == 0 && ids_moved() && level == SOL_SOCKET && name == SO_PEERCRED && *size == sizeof(ucred)) {
    auto credentials = static_cast<ucred*>(value);
    credentials->pid = virtual_id(credentials->pid);
  }
  return r;
}

MIG_EXPORT ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  return ids_moved() && sends_credentials(message) ? send_with_real_ids(socket, message, flags)
                                                   : original_sendmsg(socket, message, flags);
}
