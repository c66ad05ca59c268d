// A child whose main thread has ended and whose other thread works on: it is saved, ended and restored like any member.
#include <sys/wait.h>

#include "subject.h"

static int child, answers[2], questions[2];

static void *work(void *unused) {
  (void)unused;
  for (long asked; read(questions[0], &asked, sizeof asked) == sizeof asked;)
    if (write(answers[1], &asked, sizeof asked) != sizeof asked) break;
  _exit(7);
}

static void setup(void) {
  EXPECT(!pipe(answers) && !pipe(questions));
  child = fork();
  if (!child) {
    pthread_t thread;
    close(questions[1]);
    pthread_create(&thread, NULL, work, NULL);
    pthread_exit(NULL);
  }
  close(questions[0]), close(answers[1]);
  char path[64], line[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  for (int tries = 0; tries < 5000 && !strstr(line, ") Z "); ++tries) {
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) line[0] = 0;
    if (file) fclose(file);
    usleep(1000);
  }
  EXPECT(strstr(line, ") Z "));
}

static void verify(void) {
  long asked = 1000 + generation, answer = 0;
  EXPECT(write(questions[1], &asked, sizeof asked) == sizeof asked);
  EXPECT(read(answers[0], &answer, sizeof answer) == sizeof answer);
  EXPECT_EQ(answer, asked);
  EXPECT(waitpid(child, NULL, WNOHANG) == 0);
}
