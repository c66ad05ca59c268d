// What belongs to the process as a whole: ids, credentials, limits, settings, names.
#pragma once
#include <stdint.h>

#include "preload/save/image_writer.h"

namespace mig {

int32_t process_vpid();
int32_t process_vppid();
int32_t process_vpgid();
int32_t process_vsid();

bool save_process(ImageWriter& writer);
/// After a restart, when all memory is in place.
void renew_memory_settings();

}  // namespace mig
