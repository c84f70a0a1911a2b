/*
 * Makes file operations below one directory fail or wait, or kills the process
 * at an operation. Preloaded into Deno, which makes all its file calls through
 * the C library. tests/system/fault_injection.ts compiles it and sets these
 * variables:
 *
 *   FAULT_DIR    the directory, an absolute path without links
 *   FAULT_OPS    names of the operations that count, with commas; unless set,
 *                the operations that change a file or a name
 *   FAULT_LOG    a file outside FAULT_DIR that gets a line for each counted one
 *   FAULT_DATA   a file that gets the bytes of every write that counts
 *   FAULT_AT     the number of the operation that is hit, 1 being the first; 0: all
 *   FAULT_STICKY 1: all later operations are hit, too
 *   FAULT_CONTROL  a file outside FAULT_DIR: operations count only while it
 *                exists; it holds "SERIAL AT STICKY ERRNO MS", numbers that replace
 *                those above; a new serial restarts the count
 *   FAULT_DO     kill: SIGKILL before the operation; half: SIGKILL after half of
 *                a write; fail: the operation fails with FAULT_ERRNO; short: a
 *                write or read takes half of the bytes; delay: it waits FAULT_MS
 *
 * A line of the log: number, name, path, then for a rename or a link the second
 * path, for a write or a truncation the position and the length; tabs between.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define CHANGES ",create,write,truncate,sync,rename,link,unlink,mkdir,rmdir,utime,chmod,"
#define MAX_PATH 4096

enum action { NOTHING, KILL, HALF, FAIL, SHORT, DELAY };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char dir[MAX_PATH], ops[512];
static size_t dir_length;
static enum action action;
static int at, sticky, error_number, delay_ms, count, serial;
static const char *control;
static int log_fd = -1, data_fd = -1;

static int number(const char *name) {
  const char *value = getenv(name);
  return value ? atoi(value) : 0;
}

// Appends to a file, by a descriptor above those that the program gets.
static int open_log(const char *name) {
  const char *path = getenv(name);
  if (!path) return -1;
  int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
  int fd = syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 500);
  if (high < 0) return fd;
  syscall(SYS_close, fd);
  return high;
}

__attribute__((constructor)) static void begin(void) {
  const char *names[] = {"", "kill", "half", "fail", "short", "delay"};
  const char *value = getenv("FAULT_DIR");
  snprintf(dir, sizeof dir, "%s", value ? value : "");
  dir_length = strlen(dir);
  value = getenv("FAULT_OPS");
  if (value) snprintf(ops, sizeof ops, ",%s,", value);
  else snprintf(ops, sizeof ops, "%s", CHANGES);
  value = getenv("FAULT_DO");
  for (int i = KILL; value && i <= DELAY; i++) {
    if (!strcmp(value, names[i])) action = i;
  }
  at = number("FAULT_AT");
  sticky = number("FAULT_STICKY");
  error_number = number("FAULT_ERRNO");
  delay_ms = number("FAULT_MS");
  control = getenv("FAULT_CONTROL");
  log_fd = open_log("FAULT_LOG");
  data_fd = open_log("FAULT_DATA");
  unsetenv("LD_PRELOAD"); // children of the process do not count
}

// One operation, as a line of the log has it.
struct op {
  const char *name, *path, *other;
  long long position, length; // length < 0: none
  const void *data;
};

static int is_inside(const char *path) {
  if (!dir_length || strncmp(path, dir, dir_length)) return 0;
  return path[dir_length] == 0 || path[dir_length] == '/';
}

static int name_of(int fd, char *out) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlink, link, out, MAX_PATH - 1);
  if (length < 0) return 0;
  out[length] = 0;
  return 1;
}

static int resolve(int dirfd, const char *path, char *out) {
  char base[MAX_PATH];
  if (!path || !dir_length) return 0;
  if (path[0] == '/') snprintf(out, MAX_PATH, "%s", path);
  else {
    if (dirfd == AT_FDCWD ? !getcwd(base, sizeof base) : !name_of(dirfd, base)) return 0;
    if (snprintf(out, MAX_PATH, "%s%s%s", base, *path ? "/" : "", path) >= MAX_PATH) return 0;
  }
  return is_inside(out);
}

static int resolve_fd(int fd, char *out) {
  return dir_length && fd > 2 && name_of(fd, out) && is_inside(out);
}

static void note(const struct op *op) {
  char line[2 * MAX_PATH + 128];
  int length = snprintf(line, sizeof line, "%d\t%s\t%s", count, op->name, op->path);
  char *rest = line + length;
  size_t room = sizeof line - length;
  if (op->other) length += snprintf(rest, room, "\t%s\n", op->other);
  else if (op->length < 0) length += snprintf(rest, room, "\n");
  else length += snprintf(rest, room, "\t%lld\t%lld\n", op->position, op->length);
  syscall(SYS_write, log_fd, line, length);
  const char *data = op->data;
  for (long long left = data_fd < 0 || !data ? 0 : op->length; left > 0;) {
    long written = syscall(SYS_write, data_fd, data, left);
    if (written <= 0) break;
    data += written;
    left -= written;
  }
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Reads the control file, if any is set; returns 0 while nothing counts.
static int armed(void) {
  if (!control) return 1;
  int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[128];
  long length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  text[length < 0 ? 0 : length] = 0;
  int now;
  if (sscanf(text, "%d %d %d %d %d", &now, &at, &sticky, &error_number, &delay_ms) < 5) return 0;
  if (now != serial) count = 0;
  serial = now;
  return 1;
}

// Counts an operation. NOTHING: continue. FAIL: return -1. HALF, SHORT: move half.
static enum action hit(const struct op *op) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, ",%s,", op->name);
  if (!strstr(ops, wanted)) return NOTHING;
  int saved = errno;
  pthread_mutex_lock(&mutex);
  if (!armed()) {
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return NOTHING;
  }
  errno = saved;
  int it = ++count;
  int isHit = action && (!at || it == at || (sticky && it > at));
  note(op);
  // No other thread may act after the last operation.
  if (isHit && (action == KILL || (action == HALF && !op->data))) die();
  pthread_mutex_unlock(&mutex);
  if (!isHit) return NOTHING;
  if (action == DELAY) {
    struct timespec wait = {delay_ms / 1000, delay_ms % 1000 * 1000000L};
    nanosleep(&wait, NULL);
    return NOTHING;
  }
  if (action == FAIL) errno = error_number;
  return action;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int fails_at(const char *name, int dirfd, const char *path) {
  char full[MAX_PATH];
  if (!resolve(dirfd, path, full)) return 0;
  struct op op = {name, full, NULL, 0, -1, NULL};
  return hit(&op) == FAIL;
}

static int fails_fd(const char *name, int fd) {
  char full[MAX_PATH];
  if (!resolve_fd(fd, full)) return 0;
  struct op op = {name, full, NULL, 0, -1, NULL};
  return hit(&op) == FAIL;
}

static int fails_two(const char *name, int fromfd, const char *from, int tofd, const char *to) {
  char a[MAX_PATH], b[MAX_PATH];
  if (!(resolve(fromfd, from, a) | resolve(tofd, to, b))) return 0;
  struct op op = {name, a, b, 0, -1, NULL};
  return hit(&op) == FAIL;
}

// The number of bytes to move, -1 to fail; *last: the process is killed after it.
static ssize_t allowed(const char *name, int fd, const void *data, size_t length, off_t position, int *last) {
  char full[MAX_PATH];
  *last = 0;
  int saved = errno;
  if (!resolve_fd(fd, full)) {
    errno = saved;
    return length;
  }
  struct stat facts;
  int appends = data && fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &facts);
  if (appends) position = facts.st_size;
  else if (position < 0) position = syscall(SYS_lseek, fd, 0, SEEK_CUR);
  errno = saved;
  struct op op = {name, full, NULL, position, length, data};
  enum action what = hit(&op);
  if (what == FAIL) return -1;
  *last = what == HALF;
  return what == HALF || (what == SHORT && length > 1) ? length / 2 : length;
}

#define MOVE(op, fd, data, position, call) \
  int last; \
  ssize_t n = allowed(op, fd, data, length, position, &last); \
  if (n < 0) return -1; \
  ssize_t result = call; \
  if (last) die(); \
  return result

ssize_t write(int fd, const void *data, size_t length) {
  REAL(write);
  MOVE("write", fd, data, -1, real(fd, data, n));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t position) {
  REAL(pwrite);
  MOVE("write", fd, data, position, real(fd, data, n, position));
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t position) {
  REAL(pwrite64);
  MOVE("write", fd, data, position, real(fd, data, n, position));
}
ssize_t read(int fd, void *data, size_t length) {
  REAL(read);
  MOVE("read", fd, NULL, -1, real(fd, data, n));
}
ssize_t pread(int fd, void *data, size_t length, off_t position) {
  REAL(pread);
  MOVE("read", fd, NULL, position, real(fd, data, n, position));
}
ssize_t pread64(int fd, void *data, size_t length, off64_t position) {
  REAL(pread64);
  MOVE("read", fd, NULL, position, real(fd, data, n, position));
}
// A vector of pieces: one write for each piece.
ssize_t writev(int fd, const struct iovec *pieces, int pieceCount) {
  REAL(writev);
  char full[MAX_PATH];
  int saved = errno;
  int isOurs = resolve_fd(fd, full);
  errno = saved;
  if (!isOurs) return real(fd, pieces, pieceCount);
  ssize_t sum = 0;
  for (int i = 0; i < pieceCount; i++) {
    ssize_t written = write(fd, pieces[i].iov_base, pieces[i].iov_len);
    if (written < 0) return sum > 0 ? sum : -1;
    sum += written;
    if ((size_t)written < pieces[i].iov_len) break;
  }
  return sum;
}
// Refused, so that callers copy by reads and writes, which are counted.
ssize_t copy_file_range(int in, off64_t *inAt, int out, off64_t *outAt, size_t length, unsigned flags) {
  REAL(copy_file_range);
  char full[MAX_PATH];
  if (!resolve_fd(out, full)) return real(in, inAt, out, outAt, length, flags);
  errno = ENOSYS;
  return -1;
}
ssize_t sendfile64(int out, int in, off64_t *position, size_t length) {
  static ssize_t (*real)(int, int, off64_t *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "sendfile64");
  char full[MAX_PATH];
  if (!resolve_fd(out, full)) return real(out, in, position, length);
  errno = ENOSYS;
  return -1;
}

#define OPEN(name, dirfd, path, flags, call) \
  va_list rest; \
  va_start(rest, flags); \
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
  va_end(rest); \
  REAL(name); \
  const char *op = flags & O_CREAT ? "create" : flags & O_TRUNC ? "truncate" : "open"; \
  return fails_at(op, dirfd, path) ? -1 : call

int open(const char *path, int flags, ...) { OPEN(open, AT_FDCWD, path, flags, real(path, flags, mode)); }
int open64(const char *path, int flags, ...) { OPEN(open64, AT_FDCWD, path, flags, real(path, flags, mode)); }
int openat(int fd, const char *path, int flags, ...) { OPEN(openat, fd, path, flags, real(fd, path, flags, mode)); }
int openat64(int fd, const char *path, int flags, ...) { OPEN(openat64, fd, path, flags, real(fd, path, flags, mode)); }
DIR *opendir(const char *path) {
  REAL(opendir);
  return fails_at("list", AT_FDCWD, path) ? NULL : real(path);
}

static int fails_truncate(int fd, long long length) {
  char full[MAX_PATH];
  if (!resolve_fd(fd, full)) return 0;
  struct op op = {"truncate", full, NULL, 0, length, NULL};
  return hit(&op) == FAIL;
}
int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  return fails_truncate(fd, length) ? -1 : real(fd, length);
}
int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  return fails_truncate(fd, length) ? -1 : real(fd, length);
}

#define WRAP(name, failed, parameters, arguments) \
  int name parameters { \
    REAL(name); \
    return (failed) ? -1 : real arguments; \
  }
#define AT AT_FDCWD

WRAP(fsync, fails_fd("sync", fd), (int fd), (fd))
WRAP(fdatasync, fails_fd("sync", fd), (int fd), (fd))
WRAP(flock, (op & LOCK_UN) == 0 && fails_fd("lock", fd), (int fd, int op), (fd, op))
WRAP(fchmod, fails_fd("chmod", fd), (int fd, mode_t mode), (fd, mode))
WRAP(futimens, fails_fd("utime", fd), (int fd, const struct timespec t[2]), (fd, t))
WRAP(futimes, fails_fd("utime", fd), (int fd, const struct timeval t[2]), (fd, t))
WRAP(utimensat, fails_at("utime", fd, p), (int fd, const char *p, const struct timespec t[2], int f), (fd, p, t, f))
WRAP(utimes, fails_at("utime", AT, p), (const char *p, const struct timeval t[2]), (p, t))
WRAP(chmod, fails_at("chmod", AT, p), (const char *p, mode_t mode), (p, mode))
WRAP(mkdir, fails_at("mkdir", AT, p), (const char *p, mode_t mode), (p, mode))
WRAP(rmdir, fails_at("rmdir", AT, p), (const char *p), (p))
WRAP(unlink, fails_at("unlink", AT, p), (const char *p), (p))
WRAP(unlinkat, fails_at("unlink", fd, p), (int fd, const char *p, int flags), (fd, p, flags))
WRAP(rename, fails_two("rename", AT, a, AT, b), (const char *a, const char *b), (a, b))
WRAP(renameat, fails_two("rename", c, a, d, b), (int c, const char *a, int d, const char *b), (c, a, d, b))
WRAP(link, fails_two("link", AT, a, AT, b), (const char *a, const char *b), (a, b))
WRAP(linkat, fails_two("link", c, a, d, b), (int c, const char *a, int d, const char *b, int f), (c, a, d, b, f))
WRAP(symlink, fails_at("link", AT, b), (const char *a, const char *b), (a, b))
WRAP(access, fails_at("stat", AT, p), (const char *p, int mode), (p, mode))

// Programs call statx without a path to learn whether it exists, although its
// declaration forbids NULL: volatile keeps the compiler from relying on that.
static int fails_stat(int fd, const char *given) {
  const char *volatile path = given;
  if (!path) return 0;
  return *path ? fails_at("stat", fd, path) : fails_fd("stat", fd);
}
WRAP(statx, fails_stat(fd, p),
     (int fd, const char *restrict p, int flags, unsigned mask, struct statx *restrict out), (fd, p, flags, mask, out))
