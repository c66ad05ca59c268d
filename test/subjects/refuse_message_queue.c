// A POSIX message queue cannot be read without taking its messages: refused by name, the program goes on.
// mig-test: refused=MIG0040
#include <mqueue.h>

#include "subject.h"

static mqd_t queue;

static void setup(void) {
  char name[32];
  struct mq_attr size = {.mq_maxmsg = 4, .mq_msgsize = 16};
  snprintf(name, sizeof name, "/mig-%d", getpid());
  queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &size);
  if (queue < 0) skip("this kernel has no message queues");
  EXPECT(!mq_unlink(name));
  EXPECT(!mq_send(queue, "late", 4, 1) && !mq_send(queue, "first", 5, 2));
}
static void verify(void) {
  char text[16];
  unsigned priority;
  EXPECT_EQ(mq_receive(queue, text, sizeof text, &priority), 5);
  EXPECT_EQ(priority, 2);
  EXPECT_EQ(mq_receive(queue, text, sizeof text, &priority), 4);
  EXPECT(!mq_send(queue, "late", 4, 1) && !mq_send(queue, "first", 5, 2));
}
