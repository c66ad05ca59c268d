// What the compiler expects of any environment: it may emit calls to these.
#include <stddef.h>

// Hidden: in a library they are its own, not the program's. The compiler forgets an attribute of names like these, so the
// assembler is told.
asm(".hidden memcpy, memmove, memset, memcmp, strlen");

extern "C" {
void* memcpy(void* to, const void* from, size_t n) {
  void* at = to;
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
  return to;
}
void* memmove(void* to, const void* from, size_t n) {
  if (to <= from || static_cast<const char*>(from) + n <= to) return memcpy(to, from, n);
  for (size_t i = n; i; --i) static_cast<volatile char*>(to)[i - 1] = static_cast<const char*>(from)[i - 1];
  return to;
}
void* memset(void* to, int value, size_t n) {
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
  return to;
}
int memcmp(const void* a, const void* b, size_t n) {
  auto x = static_cast<const unsigned char*>(a);
  auto y = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < n; ++i)
    if (x[i] != y[i]) return x[i] - y[i];
  return 0;
}
size_t strlen(const char* s) {
  size_t n = 0;
  while (static_cast<const volatile char*>(s)[n]) ++n;
  return n;
}
}
