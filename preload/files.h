// Descriptors: which open file descriptions there are, what kind of thing each is, and how it stands.
#pragma once
#include "preload/image_writer.h"

namespace mig {

/// Writes a record per description and per descriptor. `own` is the image directory, which the program never sees.
bool save_files(ImageWriter& writer, int own);

/// `mig check`: calls tell(verdict, object, reason) for each description. Writes nothing but into `writer`'s memory.
bool check_files(ImageWriter& writer, int own,
                 void (*tell)(void* to, const char* verdict, const char* object, const char* reason), void* to);

}  // namespace mig
