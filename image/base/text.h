// Text in fixed buffers, without libc: what the checkpoint handler and the restart stub use to build paths,
// messages and the manifest, and to read the kernel's text files.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace mig {

inline size_t text_length(const char* s) {
  size_t n = 0;
  while (s[n]) ++n;
  return n;
}

inline bool text_equal(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

inline bool text_starts(const char* s, const char* prefix) {
  while (*prefix && *s == *prefix) ++s, ++prefix;
  return !*prefix;
}

inline bool text_ends(const char* s, const char* suffix) {
  size_t n = text_length(s), m = text_length(suffix);
  return n >= m && text_equal(s + n - m, suffix);
}

/// The position of `needle` in `s`, or nullptr.
inline const char* text_find(const char* s, const char* needle) {
  for (; *s; ++s)
    if (text_starts(s, needle)) return s;
  return nullptr;
}

/// Copies at most `size - 1` bytes and always ends with a zero byte.
inline void text_copy(char* to, const char* from, size_t size) {
  size_t i = 0;
  for (; i + 1 < size && from[i]; ++i) to[i] = from[i];
  to[i] = 0;
}

/// Appends to a caller's buffer; what does not fit is cut off and remembered in `overflow`.
class Text {
 public:
  Text(char* buffer, size_t size) : buffer_(buffer), size_(size) { buffer_[0] = 0; }
  template <size_t N>
  explicit Text(char (&buffer)[N]) : Text(buffer, N) {}

  Text& put(char c) {
    if (used_ + 1 >= size_) {
      overflow_ = true;
      return *this;
    }
    buffer_[used_++] = c;
    buffer_[used_] = 0;
    return *this;
  }
  Text& operator<<(const char* s) {
    while (*s) put(*s++);
    return *this;
  }
  Text& operator<<(long v) {
    if (v < 0) {
      put('-');
      return *this << (0UL - static_cast<unsigned long>(v));
    }
    return *this << static_cast<unsigned long>(v);
  }
  Text& operator<<(unsigned long v) {
    char digits[24];
    int n = 0;
    do digits[n++] = static_cast<char>('0' + v % 10);
    while (v /= 10);
    while (n) put(digits[--n]);
    return *this;
  }
  Text& operator<<(int v) { return *this << static_cast<long>(v); }
  Text& operator<<(unsigned v) { return *this << static_cast<unsigned long>(v); }
  Text& operator<<(long long v) { return *this << static_cast<long>(v); }
  Text& operator<<(unsigned long long v) { return *this << static_cast<unsigned long>(v); }
  /// Hexadecimal, at least `width` digits.
  Text& hex(unsigned long v, int width = 1) {
    for (int shift = 60; shift >= 0; shift -= 4)
      if (width > shift / 4 || v >> shift) put("0123456789abcdef"[(v >> shift) & 15]);
    return *this;
  }
  /// A JSON string with its quotes. Bytes above 127 pass through as they are.
  Text& json(const char* s) {
    put('"');
    for (; *s; ++s) {
      auto c = static_cast<unsigned char>(*s);
      if (c == '"' || c == '\\') put('\\').put(*s);
      else if (c < 0x20) (*this << "\\u").hex(c, 4);
      else put(*s);
    }
    return put('"');
  }
  /// Ends a text; another one may follow in the same buffer.
  Text& end() { return put(0); }
  const char* c_str() const { return buffer_; }
  size_t size() const { return used_; }
  bool overflow() const { return overflow_; }

 private:
  char* buffer_;
  size_t size_;
  size_t used_ = 0;
  bool overflow_ = false;
};

/// Reads words and numbers off a line of one of the kernel's text files.
class Scan {
 public:
  explicit Scan(const char* at) : at_(at) {}
  Scan& skip_spaces() {
    while (*at_ == ' ' || *at_ == '\t') ++at_;
    return *this;
  }
  Scan& skip(char c) {
    if (*at_ == c) ++at_;
    return *this;
  }
  /// Moves behind the next `c` (or to the end).
  Scan& after(char c) {
    while (*at_ && *at_ != c) ++at_;
    return skip(c);
  }
  unsigned long hex() {
    skip_spaces();
    if (at_[0] == '0' && at_[1] == 'x') at_ += 2;
    unsigned long v = 0;
    for (;; ++at_) {
      if (*at_ >= '0' && *at_ <= '9') v = v * 16 + static_cast<unsigned long>(*at_ - '0');
      else if (*at_ >= 'a' && *at_ <= 'f') v = v * 16 + static_cast<unsigned long>(*at_ - 'a' + 10);
      else if (*at_ >= 'A' && *at_ <= 'F') v = v * 16 + static_cast<unsigned long>(*at_ - 'A' + 10);
      else return v;
    }
  }
  long number() {
    skip_spaces();
    bool negative = *at_ == '-';
    skip('-');
    unsigned long v = 0;
    for (; *at_ >= '0' && *at_ <= '9'; ++at_) v = v * 10 + static_cast<unsigned long>(*at_ - '0');
    return negative ? -static_cast<long>(v) : static_cast<long>(v);
  }
  unsigned long octal() {
    skip_spaces();
    unsigned long v = 0;
    for (; *at_ >= '0' && *at_ <= '7'; ++at_) v = v * 8 + static_cast<unsigned long>(*at_ - '0');
    return v;
  }
  char next() { return *at_ ? *at_++ : '\0'; }
  const char* at() const { return at_; }

 private:
  const char* at_;
};

}  // namespace mig
