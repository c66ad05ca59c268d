// The environment as getenv sees it: what the file `wanted` says, if it is there (NAME=VALUE, or NAME for one that is not set).
#include "subject.h"

static char early[64];

static void setup(void) {
  snprintf(early, sizeof early, "%s", getenv("PATH") ? getenv("PATH") : "none");
}

static void verify(void) {
  char line[256];
  FILE *f = fopen(in_directory("wanted"), "re");
  EXPECT_STR(getenv("PATH") ? "set" : "none", strcmp(early, "none") ? "set" : "none");
  while (f && fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    char *value = strchr(line, '=');
    if (value) *value++ = 0;
    const char *found = getenv(line);
    if (!value && found) fail("%s is set to %s", line, found);
    if (value && strcmp(found ? found : "", value)) fail("%s is %s, not %s", line, found ? found : "not set", value);
  }
  if (f) fclose(f);
}
