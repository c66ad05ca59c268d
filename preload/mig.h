/* mig.h: what a program that knows of mig can ask for. Link with -lmig, or look the functions up at run time:
 * they are there whenever libmig.so is preloaded. Every function may be called at any time from any thread. */
#ifndef MIG_H
#define MIG_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mig_event {
  MIG_BEFORE_CHECKPOINT = 1, /* every thread stands still; only async-signal-safe calls */
  MIG_AFTER_RESUME = 2,      /* the checkpoint is over, the same process goes on */
  MIG_AFTER_RESTART = 3      /* the process was restarted from the image: new host, kernel, random state */
};

/* Called on the thread that makes the checkpoint, while all others stand still. */
typedef void (*mig_callback)(enum mig_event event, void* data);

/* 1: libmig.so is active in this process. */
int mig_active(void);

/* Restarts of this process so far; also the number of the present generation. */
unsigned long mig_generation(void);

/* Writes an image now. 0: written, and this is the same process; 1: this is the restarted process;
 * -1: not written, errno is EAGAIN, and mig_error() says why. */
int mig_checkpoint(void);

/* The sentence that belongs to the last failed mig_checkpoint(). */
const char* mig_error(void);

/* Up to 32 callbacks. 0, or -1 with errno ENOSPC. */
int mig_on_event(mig_callback callback, void* data);

/* The pages of [address, address + size) are not saved; after a restart they are zero. 0, or -1 with errno
 * EINVAL (not page-aligned) or ENOSPC (64 ranges). */
int mig_exclude(void* address, size_t size);

/* No checkpoint while mig_forbid() calls outnumber mig_allow() calls. */
void mig_forbid(void);
void mig_allow(void);

#ifdef __cplusplus
}
#endif
#endif
