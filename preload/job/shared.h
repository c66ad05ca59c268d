// What lies behind descriptors and mappings, known to all that have it: a table of objects and open file descriptions for
// the length of a cut.
//
// It is filled before anything of it is saved. In a job of several processes it is a file in the partial image directory that
// every member maps; a process alone has one of its own in scratch memory, and nobody to wait for.
#pragma once
#include <stdint.h>

#include "preload/scratch.h"

namespace mig {

struct OpenDescription;

/// The leader of a job of several processes, before the members save, and when all have saved.
bool make_shared_table(int directory, uint32_t members);
void remove_shared_table(int directory);
/// Each member, before it saves and after it. False: the failure is set.
bool open_shared_table(int directory);
void close_shared_table();
/// After a restart: it was mapped in another life.
void forget_shared_table();
bool in_shared_table(uint64_t address);

/// At the beginning of saving or looking: a process alone gets its empty table.
bool begin_sharing();
/// This process has entered all of its descriptions. Waits until every other one has.
bool await_descriptions();

/// What clone(2) lets processes have in common: their table of descriptors (KCMP_FILES), or working directory and umask (KCMP_FS).
/// `keeper`: the virtual pid of the first that came, which saves it for all that have it.
bool claim_table(int type, int32_t& keeper);
/// Every other process has claimed its tables too.
bool await_tables();
/// While a process lists its table of descriptors, nobody else who has it opens or closes any. The keeper waits until the others have
/// lent it the numbers of theirs; the others, until it has listed them.
bool begin_listing();
void end_listing();
bool is_lent(int fd);
bool lend_descriptors(const ScratchArray<int32_t>& fds);

/// The kernel's own name of a thing; or a checksum as the name of something that has none.
struct ObjectName {
  uint64_t device, inode;
};
/// What the job as a whole has of an object.
enum ObjectFacts : uint32_t {
  kHasReader = 1 << 0,  ///< a pipe's ends
  kHasWriter = 1 << 1,
  kHasPackets = 1 << 2,  ///< its writer has O_DIRECT
  kHasSocket = 1 << 3,
  kHasMaster = 1 << 4,    ///< of a pseudo-terminal
  kHasContents = 1 << 5,  ///< a file whose contents are saved by way of a descriptor
  kHasSlave = 1 << 6,
};
bool note_object(const ObjectName& name, uint32_t facts, uint64_t value = 0);
/// `value`: the last one noted.
uint32_t object_facts(const ObjectName& name, uint64_t* value = nullptr);
/// True for the first that asks, in the whole job: it saves what is in the object.
bool claim_object(const ObjectName& name);

/// What a member tells the leader, kept until the leader closes the table.
bool leave_text(int32_t vpid, const char* text, size_t size);
const char* left_text(int32_t vpid);

struct Range {
  uint64_t start, end;
};
/// Which parts of `range` of the object nobody has claimed yet; now they are. A process alone is granted all, again and again:
/// so each of its mappings can be looked at in the image.
bool claim_range(const ObjectName& name, Range range, ScratchArray<Range>& granted);

/// Numbers the description, as the same in every process that has it, and tells who came first: that is its owner.
bool claim_description(OpenDescription& d);

/// The holder of a description: `fd` of the process of thread `tid`, which stands still.
struct Holder {
  int32_t tid, fd;
  uint64_t number;
};
/// Calls visit(holder) for every description of objects with that name until it returns false.
void each_holder(const ObjectName& name, bool (*visit)(void*, const Holder&), void* argument);

}  // namespace mig
