/* Stands between a process and the files below one folder: writes down every call that changes them, in one order over
 * all threads and processes, and refuses the calls that it is told to. Loaded with LD_PRELOAD, told by the environment:
 * SHIM_FOLDER (a real path) and SHIM_LOG (a file elsewhere). What is written is read by calls.py. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum op { OPEN, WRITE, SYNC, RENAME, UNLINK, TRUNCATE, MKDIR, RMDIR, LINK, MARK };

/* As calls.py unpacks it; path, other path and data follow. */
struct record {
    int32_t op, error, pid, fd;
    int64_t at; /* WRITE: offset; TRUNCATE: size; OPEN: flags */
    uint32_t path_size, other_size, data_size, unused;
};

#define FILES 65536

static char folder[PATH_MAX];
static size_t folder_size;
static int log_fd = -1;
static pid_t owner;
static unsigned char ours[FILES];
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

/* Which call is refused: the one that `skip` others of the same kinds went before. */
static long skip = -1, seen;
static int refusal;
static unsigned refused_kinds;

static void adopt(void) { owner = getpid(); }

__attribute__((constructor)) static void begin(void) {
    const char *of = getenv("SHIM_FOLDER"), *log = getenv("SHIM_LOG");
    if (!of || !log || !*of)
        return;
    folder_size = strlen(strcpy(folder, of));
    log_fd = syscall(SYS_openat, AT_FDCWD, log, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    adopt();
    pthread_atfork(NULL, NULL, adopt);
}

static int mine(int fd) { return fd >= 0 && fd < FILES && ours[fd]; }

/* The absolute path, if it is the folder or below it. */
static int inside(int at, const char *path, char *full) {
    size_t used = 0;
    if (log_fd < 0 || !path)
        return 0;
    if (path[0] != '/') {
        char link[64] = "/proc/self/cwd";
        if (at != AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, full, PATH_MAX - 2);
        if (size < 0)
            return 0;
        used = size;
        full[used++] = '/';
    }
    if (used + strlen(path) >= PATH_MAX)
        return 0;
    strcpy(full + used, path);
    return !strncmp(full, folder, folder_size) && (full[folder_size] == '/' || !full[folder_size]);
}

/* Whether this call must fail; from here to `leave` no other call comes between. */
static int refuse(enum op op) {
    pthread_mutex_lock(&order);
    flock(log_fd, LOCK_EX);
    if (skip < 0 || !(refused_kinds >> op & 1) || seen++ != skip)
        return 0;
    errno = refusal;
    return 1;
}

static void note(struct record record, const char *path, const char *other, const void *data, size_t size) {
    record.path_size = path ? strlen(path) : 0;
    record.other_size = other ? strlen(other) : 0;
    record.data_size = size;
    record.pid = getpid();
    struct iovec parts[] = {{&record, sizeof record},
                            {(void *)path, record.path_size},
                            {(void *)other, record.other_size},
                            {(void *)data, size}};
    if (syscall(SYS_writev, log_fd, parts, 4) != (long)(sizeof record + record.path_size + record.other_size + size))
        abort();
}

static long leave(struct record record, long result, const char *path, const char *other, const void *data) {
    int error = errno;
    record.error = result < 0 ? error : 0;
    note(record, path, other, data, record.op == WRITE && result > 0 ? result : 0);
    flock(log_fd, LOCK_UN);
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

static long path_call(enum op op, long number, int at, const char *path, long argument) {
    char full[PATH_MAX];
    if (!inside(at, path, full))
        return syscall(number, at, path, argument);
    long result = refuse(op) ? -1 : syscall(number, at, path, argument);
    return leave((struct record){.op = op}, result, full, NULL, NULL);
}

static long pair_call(enum op op, long number, int at, const char *path, int other_at, const char *other, long flags) {
    char full[PATH_MAX], other_full[PATH_MAX];
    int from = inside(at, path, full), to = inside(other_at, other, other_full);
    if (!from && !to)
        return syscall(number, at, path, other_at, other, flags);
    long result = refuse(op) ? -1 : syscall(number, at, path, other_at, other, flags);
    return leave((struct record){.op = op}, result, full, other_full, NULL);
}

static int open_call(int at, const char *path, int flags, int mode) {
    char full[PATH_MAX];
    if (!inside(at, path, full))
        return syscall(SYS_openat, at, path, flags, mode);
    int fd = refuse(OPEN) ? -1 : syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && fd < FILES)
        ours[fd] = 1;
    return leave((struct record){.op = OPEN, .fd = fd, .at = flags}, fd, full, NULL, NULL);
}

static ssize_t write_call(int fd, const void *data, size_t size, off_t at, int here) {
    struct stat now;
    int refused = refuse(WRITE);
    if (refused && !refusal)
        refused = 0, size -= size / 2; /* A short write is no failure. */
    if (here) {
        at = lseek(fd, 0, SEEK_CUR);
        if (fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &now))
            at = now.st_size;
    }
    ssize_t result = refused ? -1 : here ? syscall(SYS_write, fd, data, size) : syscall(SYS_pwrite64, fd, data, size, at);
    return leave((struct record){.op = WRITE, .fd = fd, .at = at}, result, NULL, NULL, data);
}

static int fd_call(enum op op, long number, int fd, off_t argument) {
    if (!mine(fd))
        return syscall(number, fd, argument);
    long result = refuse(op) ? -1 : syscall(number, fd, argument);
    return leave((struct record){.op = op, .fd = fd, .at = argument}, result, NULL, NULL, NULL);
}

/* What the C library offers, under all names that a program may have linked. */

#define MODE(flags, mode) va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest)

int open(const char *path, int flags, ...) { int mode; MODE(flags, mode); return open_call(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { int mode; MODE(flags, mode); return open_call(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_call(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int __open_2(const char *path, int flags) { return open_call(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { return open_call(at, path, flags, 0); }
int open64(const char *, int, ...) __attribute__((alias("open")));
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
int creat64(const char *, mode_t) __attribute__((alias("creat")));
int __open64_2(const char *, int) __attribute__((alias("__open_2")));
int __openat64_2(int, const char *, int) __attribute__((alias("__openat_2")));

int close(int fd) {
    /* A child between vfork and exec shares this table, but not the files. */
    if (mine(fd) && getpid() == owner)
        ours[fd] = 0;
    return syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    return mine(fd) ? write_call(fd, data, size, 0, 1) : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return mine(fd) ? write_call(fd, data, size, at, 0) : syscall(SYS_pwrite64, fd, data, size, at);
}
ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));

ssize_t writev(int fd, const struct iovec *parts, int count) {
    /* Its first part only: whoever writes must be able to go on after fewer bytes. */
    return mine(fd) && count ? write_call(fd, parts->iov_base, parts->iov_len, 0, 1) : syscall(SYS_writev, fd, parts, count);
}

/* What copies inside the kernel is not there: programs fall back to reading and writing. */
ssize_t sendfile(int out, int in, off_t *at, size_t size) {
    if (mine(out))
        return errno = ENOTSOCK, -1;
    return syscall(SYS_sendfile, out, in, at, size);
}
ssize_t sendfile64(int, int, off_t *, size_t) __attribute__((alias("sendfile")));
ssize_t copy_file_range(int in, off_t *from, int out, off_t *to, size_t size, unsigned flags) {
    if (mine(out))
        return errno = ENOSYS, -1;
    return syscall(SYS_copy_file_range, in, from, out, to, size, flags);
}

int fsync(int fd) { return fd_call(SYNC, SYS_fsync, fd, 0); }
int fdatasync(int fd) { return fd_call(SYNC, SYS_fdatasync, fd, 0); }
int ftruncate(int fd, off_t size) { return fd_call(TRUNCATE, SYS_ftruncate, fd, size); }
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));

int mkdirat(int at, const char *path, mode_t mode) { return path_call(MKDIR, SYS_mkdirat, at, path, mode); }
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
int unlinkat(int at, const char *path, int flags) {
    return path_call(flags & AT_REMOVEDIR ? RMDIR : UNLINK, SYS_unlinkat, at, path, flags);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int renameat2(int at, const char *path, int other_at, const char *other, unsigned flags) {
    return pair_call(RENAME, SYS_renameat2, at, path, other_at, other, flags);
}
int renameat(int at, const char *path, int other_at, const char *other) { return renameat2(at, path, other_at, other, 0); }
int rename(const char *path, const char *other) { return renameat2(AT_FDCWD, path, AT_FDCWD, other, 0); }
int linkat(int at, const char *path, int other_at, const char *other, int flags) {
    return pair_call(LINK, SYS_linkat, at, path, other_at, other, flags);
}
int link(const char *path, const char *other) { return linkat(AT_FDCWD, path, AT_FDCWD, other, 0); }

/* For the program itself, through ctypes. */

/* Write down something that is known at this moment. */
void shim_mark(const char *text, size_t size) {
    pthread_mutex_lock(&order);
    flock(log_fd, LOCK_EX);
    note((struct record){.op = MARK}, NULL, NULL, text, size);
    flock(log_fd, LOCK_UN);
    pthread_mutex_unlock(&order);
}

/* From now on refuse one call of these kinds (bits), after `after` others; a negative number: none. Error 0: do half. */
void shim_refuse(long after, int error, unsigned kinds) {
    pthread_mutex_lock(&order);
    skip = after, seen = 0, refusal = error, refused_kinds = kinds;
    pthread_mutex_unlock(&order);
}

/* How many calls of these kinds there were since. */
long shim_seen(void) { return seen; }
