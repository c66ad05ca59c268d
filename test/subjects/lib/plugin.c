// A library to be loaded at run time: state of its own, and thread-local state.
static int count;
static __thread int local;

int plugin_next(void) { return ++count; }
int *plugin_local(void) { return &local; }
