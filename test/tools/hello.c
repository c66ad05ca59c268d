// Says hello: for the ways of starting a program, and (linked statically) for the ones that are refused.
#include <stdio.h>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) printf("[%s]", argv[i]);
  puts("hello");
  return 7;
}
