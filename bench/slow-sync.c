// Preloaded into a process, this makes its disk slow.  Each fdatasync() and fsync() takes as many
// microseconds longer as the file named by SLOW_SYNC says at that time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_a_little(void) {
  const char* path = getenv("SLOW_SYNC");
  FILE* file = path ? fopen(path, "r") : NULL;
  unsigned delay = 0;
  if (file && fscanf(file, "%u", &delay) == 1) usleep(delay);
  if (file) fclose(file);
}

int fdatasync(int fd) {
  wait_a_little();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int fsync(int fd) {
  wait_a_little();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
