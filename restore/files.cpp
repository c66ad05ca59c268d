// Descriptors: opened aside while everything can still be given up, put into place when nothing can fail any more.
#include "restore/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "image/base/file.h"
#include "restore/description.h"
#include "restore/failure.h"
#include "restore/home.h"
#include "restore/image_file.h"
#include "restore/options.h"

namespace mig {
namespace {

HomeArray<DescriptorRecord> descriptors;
HomeArray<PreparedDescription> prepared;
int lowest = 3;

/// Descriptor numbers above the program's may lie beyond the soft limit.
void raise_descriptor_limit() {
  uint64_t limit[2];
  sys(__NR_prlimit64, 0, 7, nullptr, limit);
  limit[0] = limit[1];
  sys(__NR_prlimit64, 0, 7, limit, nullptr);
}

void read_descriptors() {
  image.each_as<DescriptorRecord>(RecordType::kDescriptor, [](const DescriptorRecord& d, const char*) {
    descriptors.push(d);
    if (d.fd >= lowest) lowest = d.fd + 1;
  });
  image.each_as<DescriptionRecord>(RecordType::kDescription, [](const DescriptionRecord& d, const char* tail) {
    prepared.push({d, tail, -1});
  });
}

int move_aside(int fd) {
  long moved = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
  if (failed(moved)) give_up(Error::kResourceFailed, "a descriptor", "move it aside", moved);
  sys(__NR_close, fd);
  return static_cast<int>(moved);
}

void set_owner(const PreparedDescription& p) {
  if (p.record.owner) {
    f_owner_ex owner{static_cast<decltype(owner.type)>(p.record.owner_kind), p.record.owner};
    sys(__NR_fcntl, p.fd, F_SETOWN_EX, &owner);
  }
  if (p.record.owner_signal) sys(__NR_fcntl, p.fd, F_SETSIG, p.record.owner_signal);
}

}  // namespace

int lowest_free_descriptor() {
  return lowest;
}

void prepare_files() {
  raise_descriptor_limit();
  read_descriptors();
  if (options.ready_fd >= 0) options.ready_fd = move_aside(options.ready_fd);
  image.move_fd(lowest);
  for (PreparedDescription& p : prepared) {
    p.fd = open_description(p, prepared.begin(), prepared.end());
    if (p.fd >= 0 && p.fd < lowest) p.fd = move_aside(p.fd);
  }
}

void install_files(int keep) {
  for (PreparedDescription& p : prepared) finish_description(p);
  for (const DescriptorRecord& d : descriptors) {
    const PreparedDescription& p = prepared[d.description];
    long r = sys(__NR_dup3, p.fd, d.fd, d.close_on_exec ? O_CLOEXEC : 0);
    if (r < 0) give_up(Error::kResourceFailed, p.path, "give it its descriptor number", r);
  }
  for (const PreparedDescription& p : prepared) set_owner(p);
  for (const PreparedDescription& p : prepared) sys(__NR_close, p.fd);
  for (int fd = 0; fd < lowest; ++fd) {
    bool used = false;
    for (const DescriptorRecord& d : descriptors) used = used || d.fd == fd;
    if (!used && fd != keep) sys(__NR_close, fd);
  }
}

}  // namespace mig
