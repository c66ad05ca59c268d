#include "restore/failure.h"

#include "image/base/file.h"

namespace mig {

int message_fd = 2;

void give_up(Error error, const char* object, const char* cause) {
  const ErrorInfo* info = error_info(static_cast<unsigned>(error));
  char buffer[6000];
  Text t(buffer);
  t << "mig: " << object << ": " << cause << ". " << info->remedy << " (MIG";
  for (unsigned d = 1000; d; d /= 10) t.put(static_cast<char>('0' + info->code / d % 10));
  t << ")\n";
  write_all(message_fd, t.c_str(), t.size());
  for (;;) sys(__NR_exit_group, info->exit);
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
  write_all(message_fd, t.c_str(), t.size());
}

}  // namespace mig
