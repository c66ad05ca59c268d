// Contents that travelled in the image, and the nameless files that hold them again.
#pragma once
#include "restore/description.h"

namespace mig {

/// Calls visit(bytes, size) for each piece or message that stands in the image's records behind `p`.
template <class Visit>
void each_message(const PreparedDescription& p, Visit visit) {
  each_extra<ContentsRecord>(p, RecordType::kContents, [&](const ContentsRecord& c, const char* tail, size_t size) {
    if (!c.carried) visit(tail, size);
  });
}

/// Writes the file contents behind `p` into the empty file `fd`, verified.
void fill_file(const PreparedDescription& p, int fd);

/// The nameless file that stands for the object (fstat's device and inode at the checkpoint), or -1.
int find_object(uint64_t device, uint64_t inode);
/// The same by the device as /proc/self/maps writes it: major << 32 | minor.
int find_mapped_object(uint64_t device, uint64_t inode);
/// `fd` stands for the object of `p` from now on.
void add_object(const PreparedDescription& p, int fd);

/// $TMPDIR of whoever restarts, or nullptr. Asked first before the commit.
const char* temporary_directory();

}  // namespace mig
