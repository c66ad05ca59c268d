// What the program was given at its start: standard streams and other descriptors that lead outside the job.
#pragma once
#include "preload/save/description.h"

namespace mig {

/// In the constructor of the job's first program: all descriptors.
void note_inherited();
/// In the constructor of a member: only its standard streams, which may be those of the job's start.
void note_standard_streams();
/// A member's first checkpoint: of its streams, those that the job was given lead outside.
void adopt_outside(const Outside& outside);
/// Tells the job's members what leads outside.
void share_outside(Outside& outside);
/// After a restart: its standard streams are the program's from now on, whatever they are.
void note_inherited_again();

/// Bit i: `fd`, which refers to `inode`, is standard stream i, which was kept.
uint32_t stream_bits(int fd, uint64_t inode);
/// The standard stream (0..2) that it is, or -1.
int inherited_stream(const OpenDescription& d);
bool save_inherited(Saving& saving, OpenDescription& d, int stream);
/// Another one that was open when the program started.
bool was_inherited(const OpenDescription& d);

}  // namespace mig
