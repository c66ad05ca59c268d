"""source_tree.py DIRECTORY [FILES]: writes a source tree of FILES (32) C files in three parts, a library and a program, with a makefile."""
import sys
from pathlib import Path

MAKEFILE = """CFLAGS = -O2 -Iinclude
PARTS = one two three
SOURCES := $(sort $(foreach p,$(PARTS),$(wildcard $(p)/*.c)))
OBJECTS := $(SOURCES:.c=.o)
result: program list
\t./program > $@
program: main.o libparts.a
\t$(CC) -o $@ main.o -L. -lparts -lm
libparts.a: $(OBJECTS)
\t$(AR) rcs $@ $(OBJECTS)
list: $(OBJECTS)
\tfor o in $(OBJECTS); do size $$o | tail -1 | (read a b c d e f; echo $$a $$f); done | sort > $@
%.o: %.c include/parts.h
\t$(CC) $(CFLAGS) -c -o $@ $<
main.c: include/parts.h
\tsed -n 's/^double \\(f[0-9]*\\).*/  s += \\1(s);/p' include/parts.h | cat include/head - include/tail > $@
"""

FUNCTION = """
static double g{n}_{k}(struct item *items, int count, double x) {{
  qsort(items, count, sizeof *items, by_{key});
  for (int i = 0; i < count; ++i) {{
    switch ((items[i].number + {k}) % 5) {{
      case 0: x += sin(x) * items[i].weight; break;
      case 1: x = fabs(x - items[i].number) + {n}; break;
      case 2: x = x * 0.5 + strlen(items[i].name); break;
      case 3: for (int j = 0; j < {k} + 3; ++j) x += items[i].weight / (j + 1); break;
      default: snprintf(items[i].name, sizeof items[i].name, "%d.%d", {n}, i);
    }}
  }}
  return x;
}}
"""


def write(directory, files):
    parts = ("one", "two", "three")
    for name in (*parts, "include"):
        (directory / name).mkdir(parents=True)
    (directory / "Makefile").write_text(MAKEFILE)
    (directory / "include/head").write_text('#include "parts.h"\nint main(void) {\n  double s = 1;\n')
    (directory / "include/tail").write_text('  printf("%.9g\\n", s);\n  return 0;\n}\n')
    (directory / "include/parts.h").write_text(
        "#pragma once\n#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
        "struct item { int number; double weight; char name[24]; };\n" + "".join(f"double f{n}(double);\n" for n in range(files)))
    for n in range(files):
        with open(directory / parts[n % 3] / f"f{n}.c", "w") as f:
            f.write('#include "parts.h"\n')
            for key in ("number", "weight"):
                f.write(f"static int by_{key}(const void *a, const void *b) {{\n  const struct item *x = a, *y = b;\n"
                        f"  return (x->{key} > y->{key}) - (x->{key} < y->{key});\n}}\n")
            for k in range(10):
                f.write(FUNCTION.format(n=n, k=k, key=("number", "weight")[k % 2]))
            f.write(f"double f{n}(double x) {{\n  struct item items[40] = {{{{0}}}};\n"
                    f"  for (int i = 0; i < 40; ++i) items[i].number = i * 7919 % 41, items[i].weight = i * {n + 1} % 17;\n")
            f.write("".join(f"  x = g{n}_{k}(items, 40, x);\n" for k in range(10)) + "  return x;\n}\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 32)
