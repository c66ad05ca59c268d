// Memory with a name: files of /dev/shm (shm_open, sem_open, Python's shared_memory). No other host has them, and none this one has after it
// was started again. So they travel in the image, if nobody outside the job uses them, and get their names back at the restart.
#pragma once
#include "preload/save/description.h"
#include "preload/save/memory.h"

namespace mig {

/// Calls visit(fd) for a new descriptor of each such file that is mapped. False: the failure is set, or visit returned false.
bool open_named_memory(const Mappings& mappings, bool (*visit)(void*, int), void* argument);
/// Before anything is saved: finds out whether it travels; notes kHasContents for the object then.
bool enter_named_memory(const OpenDescription& d);
bool is_named_memory(const char* path);

/// A process that ends with its image written takes those along that it has saved.
void note_taken_along(const OpenDescription& d);
void forget_taken_along();
void remove_taken_along();

}  // namespace mig
