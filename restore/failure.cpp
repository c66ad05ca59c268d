#include "restore/failure.h"

#include "image/base/file.h"
#include "restore/description.h"
#include "restore/meeting.h"

namespace mig {
namespace {

int messages = 2;

}  // namespace

void send_messages(int fd) {
  messages = fd;
}

void keep_messages() {
  long fd = sys(__NR_dup, messages);
  messages = failed(fd) ? -1 : move_aside("the way for messages", fd);
}

void end_messages() {
  if (messages >= 0) sys(__NR_close, messages);
  messages = -1;
}

void give_up(Error error, const char* object, const char* cause) {
  const ErrorInfo* info = error_info(static_cast<unsigned>(error));
  char buffer[6000];
  Text t(buffer);
  t << "mig: " << object << ": " << cause << ". " << info->remedy << " (MIG";
  for (unsigned d = 1000; d; d /= 10) t.put(static_cast<char>('0' + info->code / d % 10));
  t << ")\n";
  if (claim_failure(info->exit)) write_all(messages, t.c_str(), t.size());
  end_restart(info->exit);
}

void give_up(Error error, const char* object, const char* action, long result) {
  char cause[300];
  Text(cause) << action << ": " << error_text(result);
  give_up(error, object, cause);
}

void tell(const char* object, const char* what) {
  char buffer[5000];
  Text t(buffer);
  t << "mig: " << object << ": " << what << "\n";
  write_all(messages, t.c_str(), t.size());
}

}  // namespace mig
