// Descriptors: which open file descriptions there are, what kind of thing each is, and how it stands.
#pragma once
#include "preload/save/memory.h"

namespace mig {

/// Writes a record per description and per descriptor. `own` is the image directory, which the program never sees.
bool save_files(ImageWriter& writer, const Mappings& mappings, int own);

/// When every process has saved: closes what was taken out of sockets' queues. Closing a descriptor of a file drops the locks that the
/// process has on it, and they are taken again.
void release_files();
/// After a restart: what there was to close was open in another life.
void forget_files();

/// `mig check`: calls tell(verdict, object, reason) for each description. Writes nothing but into `writer`'s memory.
bool check_files(ImageWriter& writer, const Mappings& mappings, int own,
                 void (*tell)(void* to, const char* verdict, const char* object, const char* reason), void* to);

}  // namespace mig
