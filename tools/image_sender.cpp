#include "tools/image_sender.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/problem.h"

namespace mig {

namespace {

constexpr int kBacklog = 4096;

int listen_in(const std::string& directory) {
  ScopedFd dir(open_path(directory.c_str(), O_RDONLY | O_DIRECTORY));
  ScopedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir.get(), kStreamSocket);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd.get(), kBacklog) != 0)
    throw Problem(Error::kNotWritable, directory, kernel_reason(errno));
  return fd.release();
}

/// Every process of the job writes files at the same time.
void raise_descriptor_limit() {
  rlimit l = {};
  getrlimit(RLIMIT_NOFILE, &l);
  l.rlim_cur = l.rlim_max;
  setrlimit(RLIMIT_NOFILE, &l);
}

}  // namespace

ImageSender::ImageSender(const std::string& directory, FrameChannel& channel)
    : channel_(channel), listener_(listen_in(directory)), buffer_(kFramePayload, 0) {
  raise_descriptor_limit();
}

bool ImageSender::accept_writer() {
  int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return false;
  writers_.push_back(std::make_unique<Writer>());
  writers_.back()->fd.reset(fd);
  writers_.back()->file = ++files_;
  return true;
}

/// False: the writer ended.
bool ImageSender::forward_head(Writer& w) {
  ssize_t n = read(w.fd.get(), reinterpret_cast<char*>(&w.head) + w.head_size, sizeof w.head - w.head_size);
  if (n <= 0) return n < 0 && errno == EINTR;
  w.head_size += static_cast<size_t>(n);
  if (w.head_size == sizeof w.head) channel_.send(FrameType::kOpen, w.file, &w.head, sizeof w.head);
  return true;
}

bool ImageSender::forward(Writer& w) {
  if (w.head_size < sizeof w.head) return forward_head(w);
  ssize_t n = read(w.fd.get(), buffer_.data(), buffer_.size());
  if (n < 0) return errno == EINTR;
  bytes_ += static_cast<uint64_t>(n);
  channel_.send(n ? FrameType::kData : FrameType::kClose, w.file, buffer_.data(), static_cast<size_t>(n));
  return n > 0;
}

void ImageSender::pump(int milliseconds) {
  for (;;) {
    std::vector<pollfd> ready = {{listener_.get(), POLLIN, 0}};
    for (const auto& w : writers_) ready.push_back({w->fd.get(), POLLIN, 0});
    if (poll(ready.data(), ready.size(), milliseconds) <= 0) return;
    for (size_t i = ready.size() - 1; i > 0; --i)
      if (ready[i].revents && !forward(*writers_[i - 1])) writers_.erase(writers_.begin() + static_cast<long>(i - 1));
    if (ready[0].revents) accept_writer();
  }
}

void ImageSender::finish() {
  while (accept_writer()) {
  }
  while (!writers_.empty()) pump(1);
}

}  // namespace mig
