// Tried: FIFOs in a directory that mig has filled. mig cannot know the names of carried files before they are written.
#include "preload/save/image_output.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "image/stream.h"
#include "preload/state.h"

namespace mig {
namespace {

/// The socket stands beside the partial directory. -ENOENT: there is none, the image goes into files.
long connect_stream(int directory) {
  if (!state.job || !(state.job->cut.flags & kRequestStream)) return -ENOENT;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Text(address.sun_path) << "/proc/thread-self/fd/" << directory << "/../" << kStreamSocket;
  ScopedFd fd(sys(__NR_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.ok()) return fd.get();
  long r;
  do r = sys(__NR_connect, fd.get(), &address, sizeof address);
  while (r == -EINTR);
  return r < 0 ? r : fd.release();
}

long announce(int fd, const char* name, uint64_t start) {
  StreamHead head{};
  text_copy(head.name, name, sizeof head.name);
  head.start = start;
  return write_all(fd, &head, sizeof head);
}

long create_file(int directory, const char* name, uint64_t start) {
  ScopedFd fd(open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!fd.ok()) return fd.get();
  long r = start ? sys(__NR_lseek, fd.get(), start, SEEK_SET) : 0;
  return r < 0 ? r : fd.release();
}

}  // namespace

long create_image_file(int directory, const char* name, uint64_t start) {
  ScopedFd stream(connect_stream(directory));
  if (stream.get() == -ENOENT) return create_file(directory, name, start);
  if (!stream.ok()) return stream.get();
  long r = announce(stream.get(), name, start);
  return r < 0 ? r : stream.release();
}

long finish_image_file(int fd, const void* data, uint64_t start) {
  long r = pwrite_all(fd, data, start, 0);
  return r == -ESPIPE ? write_all(fd, data, start) : r;
}

}  // namespace mig
