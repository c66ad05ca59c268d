// One open file description while it is being saved, and the kinds of thing it can be.
//
// Each kind has its own file, the same noun here and in restore/. Its save_... function decides, writes the
// description's record and behind it the records that belong to it; or it says why that cannot be.
#pragma once
#include <string.h>

#include "image/base/text.h"

#include "preload/ids.h"
#include "preload/job/shared.h"
#include "preload/save/image_writer.h"
#include "preload/state.h"

namespace mig {

enum class Verdict : uint32_t { kOk, kCarried, kDegraded };

struct SocketQueue;

struct OpenDescription {
  int32_t fd;  ///< the first descriptor that refers to it
  uint32_t links;
  uint32_t streams;  ///< bits 0..2: it is that standard stream
  uint32_t has_locks;
  uint32_t has_contents;  ///< a file without a name: what is in it travels in the image
  Verdict verdict;        ///< what `mig check` says of it
  const char* reason;
  const char* path;          ///< as the kernel shows it
  const SocketQueue* queue;  ///< of a unix socket that this process saves: what waits in it
  bool underway;             ///< the program has no descriptor for it: `fd` is ours, out of a socket's queue
  DescriptionRecord record;
};

/// What a save_... function works with: where to write, and all descriptions, for kinds that have two ends.
class Saving {
 public:
  using Numbers = ScratchArray<DescriptorRecord>;
  Saving(ImageWriter& writer, int directory, ScratchArray<OpenDescription>& all, const Numbers& numbers)
      : writer_(writer), directory_(directory), begin_(all.begin()), end_(all.end()), numbers_(numbers) {}
  OpenDescription* begin() { return begin_; }
  OpenDescription* end() { return end_; }
  int directory() const { return directory_; }
  /// The description that has this number now, or nullptr.
  const OpenDescription* behind(int fd) const;
  /// `mig check`: nothing is read out or written to disk.
  bool only_looking() const { return directory_ < 0; }
  /// Writes the description's own record.
  bool write(OpenDescription& d, DescriptionKind kind);
  /// Writes a record that belongs to the description written last, if this process is its owner.
  template <class T>
  bool extra(RecordType type, const T& record, const void* tail = nullptr, size_t size = 0) {
    return !owned_ || extra_of_process(type, record, tail, size);
  }
  /// The same for what the process has for itself, whoever owns the description.
  template <class T>
  bool extra_of_process(RecordType type, const T& record, const void* tail = nullptr, size_t size = 0) {
    return writer_.record(type, record, tail, size) || out_of_memory();
  }
  bool out_of_memory();

 private:
  ImageWriter& writer_;
  int directory_;
  OpenDescription* begin_;
  OpenDescription* end_;
  const Numbers& numbers_;  ///< in ascending order
  bool owned_ = true;       ///< the description written last
};

/// Before any is saved: what others have to know of it.
bool enter_description(OpenDescription& d);
bool save_description(Saving& saving, OpenDescription& d);

/// `fd 7 (PATH)`, for messages.
void describe_descriptor(class Text& text, const OpenDescription& d);
/// Sets the failure: it cannot be saved. Returns false.
bool unsupported(const OpenDescription& d, const char* why);
/// For `mig check`: it comes back, but not as it was.
void degraded(OpenDescription& d, const char* how);
void carried(OpenDescription& d, const char* what);

inline uint32_t access_mode(const OpenDescription& d) {
  return d.record.open_flags & 3;
}
inline bool can_read(const OpenDescription& d) {
  return access_mode(d) != 1;
}
inline bool can_write(const OpenDescription& d) {
  return access_mode(d) != 0;
}
/// What belongs to it is saved by this process.
inline bool owns(const OpenDescription& d) {
  return !d.record.owner_vpid || d.record.owner_vpid == static_cast<uint32_t>(state.vpid);
}
inline ObjectName object_of(const OpenDescription& d) {
  return {d.record.device, d.record.inode};
}
inline bool same_object(const OpenDescription& a, const OpenDescription& b) {
  return a.record.inode == b.record.inode && a.record.device == b.record.device;
}

/// Reads the fdinfo of a descriptor line by line: calls visit(line) until it returns false.
template <class Visit>
void each_fdinfo_line(int fd, Visit visit) {
  char path[48];
  Text(path) << "/proc/thread-self/fdinfo/" << fd;
  LineReader<4096> lines(path);
  while (char* line = lines.next())
    if (!visit(line)) return;
}

}  // namespace mig
