// The kinds of thing that a descriptor can refer to: recognised by what fstat and /proc/self/fd show.
#include "preload/description.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "image/base/text.h"

namespace mig {
namespace {

void set_kind(OpenDescription& d, DescriptionKind kind) {
  d.record.kind = static_cast<uint32_t>(kind);
}

bool write(ImageWriter& writer, const OpenDescription& d) {
  return writer.record(RecordType::kDescription, d.record, d.path, strlen(d.path) + 1) ||
         refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

bool unsupported(const OpenDescription& d, const char* why) {
  char object[4200];
  Text text(object);
  describe_descriptor(text, d);
  return refuse(Error::kUnsupportedDescriptor, object, why);
}

/// A standard stream that led outside when the program started: which of the three, or -1.
int inherited_stream(const OpenDescription& d) {
  for (int i = 0; i < 3; ++i)
    if ((state.standard_kept >> i & 1) && state.standard_inode[i] == d.record.inode &&
        state.standard_device[i] == d.record.device)
      return i;
  return -1;
}

bool is_written(const OpenDescription& d) {
  return (d.record.open_flags & O_ACCMODE) != O_RDONLY;
}

bool save_regular(ImageWriter& writer, OpenDescription& d) {
  set_kind(d, DescriptionKind::kRegular);
  if (is_written(d)) d.record.flags |= kDescriptionWritten;
  if (!d.links) return unsupported(d, "the file has no name any more");
  return write(writer, d);
}

}  // namespace

void describe_descriptor(Text& text, const OpenDescription& d) {
  text << "fd " << d.fd << " (" << d.path << ")";
}

bool save_description(ImageWriter& writer, OpenDescription& d, OpenDescription*, OpenDescription*) {
  if (int stream = inherited_stream(d); stream >= 0) {
    set_kind(d, DescriptionKind::kInherited);
    d.record.peer = static_cast<uint64_t>(stream);
    return write(writer, d);
  }
  if (S_ISREG(d.record.mode)) return save_regular(writer, d);
  if (S_ISDIR(d.record.mode)) {
    set_kind(d, DescriptionKind::kDirectory);
    return write(writer, d);
  }
  if (S_ISCHR(d.record.mode) && major(d.record.rdev) == 1) {
    set_kind(d, DescriptionKind::kDevice);
    return write(writer, d);
  }
  return unsupported(d, "this kind of object is not supported");
}

}  // namespace mig
