/* What a power cut leaves, for a process that is preloaded with this library.
 *
 * Everything below POWER_DIR is written as usual, and survives a kill in the page cache. Beside it, POWER_SHADOW gets
 * only what the process was promised to keep:
 *
 *   inodes/ID   the bytes of a file that an fsync or fdatasync covered, on any descriptor of the inode
 *   dirs/ID     the entries of a directory as of its last fsync: "f ID NAME" or "d ID NAME", one a line
 *   root        the ID of POWER_DIR itself
 *
 * The test builds the tree that a power cut leaves from these. An ID is inode number and birth time, so a reused
 * number is another file. sync and syncfs count as syncing everything; sync_file_range, O_SYNC, msync and the closing
 * of a file count for nothing. Writes through mmap and io_uring are not seen, nor are system calls that go round libc.
 *
 * With POWER_FAIL_SYNC=N the Nth fdatasync fails, as Linux lets it fail: it keeps nothing, but the pages count as clean
 * from then on. They are read as they were written until posix_fadvise(POSIX_FADV_DONTNEED) drops them, and then as they
 * lie on the disk; a page that is written to once more is written back whole by the next sync. They are listed, one byte a
 * page, in lost/ID, so that it stays so for a later process.
 *
 * Why a kill at any moment is sane: the shadow is written inside the call that promises, before it returns. A kill in
 * the middle leaves a promise that was not given. What an earlier process wrote is known to be dirty, since a file that
 * is met for the first time is dirty as a whole.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE ((off_t)4096)
#define RUN_PAGES_MAX 256
#define DIRTY 1
#define LOST 2

typedef struct { char text[64]; } id_t_;

/* What was written to one inode since it was last synced. */
struct inode {
    struct inode *next;
    id_t_ id;
    unsigned char *dirty; /* one byte a page: written and not synced, or lost by a sync that failed */
    size_t pages;         /* the length of `dirty` */
    off_t size_min;       /* the shortest it has been: what lay beyond is gone */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct inode *inodes;
static char dir[PATH_MAX], shadow[PATH_MAX];
static size_t dir_len;

static void fail(const char *what) {
    dprintf(2, "drop_unsynced: %s: %s\n", what, strerror(errno));
    _exit(97);
}

static int raw_open(const char *path, int flags) {
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644);
    if (fd < 0) fail(path);
    return fd;
}

static void raw_write(int fd, const void *from, size_t len, off_t at) {
    while (len > 0) {
        ssize_t n = syscall(SYS_pwrite64, fd, from, len, at);
        if (n < 0 && errno != EINTR) fail("pwrite to the shadow");
        if (n > 0) from = (const char *)from + n, len -= n, at += n;
    }
}

/* ---- which file ---- */

static id_t_ id_at(int at, const char *path, mode_t *mode, off_t *size) {
    struct statx st;
    id_t_ id = {""};
    int flags = AT_SYMLINK_NOFOLLOW | (*path ? 0 : AT_EMPTY_PATH);
    if (statx(at, path, flags, STATX_BASIC_STATS | STATX_BTIME, &st) != 0) return id;
    snprintf(id.text, sizeof id.text, "%llx-%llx-%x", (unsigned long long)st.stx_ino,
             (unsigned long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    if (mode) *mode = st.stx_mode;
    if (size) *size = st.stx_size;
    return id;
}

/* Whether the descriptor is of a file or folder below POWER_DIR, or of POWER_DIR. */
static int is_watched(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (dir_len == 0 || n < (ssize_t)dir_len) return 0;
    path[n] = 0;
    return strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == 0);
}

/* ---- what is dirty (all under the lock) ---- */

static void mark(struct inode *inode, off_t from, off_t to) {
    size_t first = from / PAGE, end = (to + PAGE - 1) / PAGE;
    if (end > inode->pages) {
        size_t pages = end + end / 2 + 64;
        inode->dirty = realloc(inode->dirty, pages);
        if (!inode->dirty) fail("out of memory");
        memset(inode->dirty + inode->pages, 0, pages - inode->pages);
        inode->pages = pages;
    }
    if (end > first) memset(inode->dirty + first, DIRTY, end - first);
}

static void lost_path(const struct inode *inode, char *path, size_t len) {
    snprintf(path, len, "%s/lost/%s", shadow, inode->id.text);
}

/* Pages that an earlier process lost are not dirty. */
static void read_lost(struct inode *inode) {
    char path[PATH_MAX + 80];
    lost_path(inode, path, sizeof path);
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return;
    unsigned char *pages = calloc(1, inode->pages + 1);
    ssize_t n = syscall(SYS_pread64, fd, pages, inode->pages, 0L);
    for (ssize_t page = 0; page < n; page++)
        if (pages[page] == LOST) inode->dirty[page] = LOST;
    free(pages);
    close(fd);
}

static void write_lost(const struct inode *inode) {
    char path[PATH_MAX + 80];
    lost_path(inode, path, sizeof path);
    int fd = raw_open(path, O_WRONLY | O_CREAT);
    raw_write(fd, inode->dirty, inode->pages, 0);
    close(fd);
}

/* The record of a watched regular file; NULL for everything else. */
static struct inode *find(int fd, off_t *size) {
    mode_t mode = 0;
    id_t_ id = id_at(fd, "", &mode, size);
    if (!S_ISREG(mode)) return NULL;
    for (struct inode *inode = inodes; inode; inode = inode->next)
        if (strcmp(inode->id.text, id.text) == 0) return inode;
    if (!is_watched(fd)) return NULL;
    struct inode *inode = calloc(1, sizeof *inode);
    if (!inode) fail("out of memory");
    inode->id = id;
    inode->size_min = *size;
    inode->next = inodes;
    inodes = inode;
    mark(inode, 0, *size);
    if (inode->pages > 0) read_lost(inode);
    return inode;
}

static int maybe_watched(int fd) {
    struct stat st;
    int before = errno;
    int yes = dir_len > 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    errno = before;
    return yes;
}

static void wrote(int fd, off_t from, off_t to) {
    int before = errno;
    pthread_mutex_lock(&lock);
    off_t size;
    struct inode *inode = find(fd, &size);
    if (inode) mark(inode, from, to);
    pthread_mutex_unlock(&lock);
    errno = before;
}

static void truncated(int fd, off_t to) {
    int before = errno;
    pthread_mutex_lock(&lock);
    off_t size;
    struct inode *inode = find(fd, &size);
    if (inode && to < inode->size_min) inode->size_min = to;
    pthread_mutex_unlock(&lock);
    errno = before;
}

/* ---- what is kept (all under the lock) ---- */

static void keep_file(int fd) {
    static char run[RUN_PAGES_MAX * 4096];
    off_t size;
    struct inode *inode = find(fd, &size);
    if (!inode) return;
    char path[PATH_MAX + 80], own[64];
    snprintf(path, sizeof path, "%s/inodes/%s", shadow, inode->id.text);
    /* The caller's descriptor may be write-only. */
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    int from = raw_open(own, O_RDONLY), to = raw_open(path, O_RDWR | O_CREAT);
    struct stat kept;
    if (fstat(to, &kept) != 0) fail("fstat of the shadow");
    if (inode->size_min < kept.st_size && syscall(SYS_ftruncate, to, inode->size_min) != 0) fail("ftruncate");
    size_t end = (size + PAGE - 1) / PAGE, page = 0;
    if (end > inode->pages) end = inode->pages;
    while (page < end) {
        size_t pages = 0;
        while (pages < RUN_PAGES_MAX && page + pages < end && inode->dirty[page + pages] == DIRTY) pages++;
        if (pages > 0) {
            ssize_t n = syscall(SYS_pread64, from, run, pages * PAGE, (off_t)page * PAGE);
            if (n < 0) fail("pread");
            raw_write(to, run, n, (off_t)page * PAGE);
        }
        page += pages ? pages : 1;
    }
    for (size_t page = 0; page < inode->pages; page++)
        if (inode->dirty[page] == DIRTY) inode->dirty[page] = 0;
    if (syscall(SYS_ftruncate, to, size) != 0) fail("ftruncate");
    inode->size_min = size;
    close(from);
    close(to);
}

/* A sync that fails: what was dirty is clean and not on the disk. */
static void lose_file(int fd) {
    off_t size;
    struct inode *inode = find(fd, &size);
    if (!inode) return;
    for (size_t page = 0; page < inode->pages; page++)
        if (inode->dirty[page] == DIRTY) inode->dirty[page] = LOST;
    write_lost(inode);
}

/* The kernel forgets clean pages: the lost ones are read as they lie on the disk. */
static void drop_file(int fd) {
    static char zeros[4096];
    char path[PATH_MAX + 80], own[64], page_bytes[4096];
    off_t size;
    struct inode *inode = find(fd, &size);
    if (!inode) return;
    snprintf(path, sizeof path, "%s/inodes/%s", shadow, inode->id.text);
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    int from = raw_open(path, O_RDONLY | O_CREAT), to = raw_open(own, O_RDWR);
    for (size_t page = 0; page < inode->pages && (off_t)page * PAGE < size; page++) {
        if (inode->dirty[page] != LOST) continue;
        memcpy(page_bytes, zeros, PAGE);
        if (syscall(SYS_pread64, from, page_bytes, PAGE, (off_t)page * PAGE) < 0) fail("pread of the shadow");
        off_t len = size - (off_t)page * PAGE < PAGE ? size - (off_t)page * PAGE : PAGE;
        raw_write(to, page_bytes, len, (off_t)page * PAGE);
        inode->dirty[page] = 0;
    }
    write_lost(inode);
    close(from);
    close(to);
}

static void keep_text(const char *path, const char *text, size_t len) {
    char next[PATH_MAX + 90];
    snprintf(next, sizeof next, "%s.next", path);
    int fd = raw_open(next, O_WRONLY | O_CREAT | O_TRUNC);
    raw_write(fd, text, len, 0);
    close(fd);
    if (rename(next, path) != 0) fail(next);
}

static void keep_dir(int fd) {
    char own[64], path[PATH_MAX + 80], *text = NULL;
    size_t len = 0;
    FILE *list = open_memstream(&text, &len);
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    DIR *entries = opendir(own);
    if (!entries || !list) fail("opendir");
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        mode_t mode = 0;
        id_t_ id = id_at(fd, entry->d_name, &mode, NULL);
        if (S_ISREG(mode)) fprintf(list, "f %s %s\n", id.text, entry->d_name);
        if (S_ISDIR(mode)) fprintf(list, "d %s %s\n", id.text, entry->d_name);
    }
    closedir(entries);
    fclose(list);
    snprintf(path, sizeof path, "%s/dirs/%s", shadow, id_at(fd, "", NULL, NULL).text);
    keep_text(path, text, len);
    free(text);
}

/* Keeps a directory with all that is below it. */
static void keep_all(int fd) {
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    DIR *entries = opendir(own);
    if (!entries) fail("opendir");
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        mode_t mode = 0;
        id_at(fd, entry->d_name, &mode, NULL);
        if (!S_ISREG(mode) && !S_ISDIR(mode)) continue;
        int inner = syscall(SYS_openat, fd, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (inner < 0) continue; /* gone meanwhile */
        if (S_ISDIR(mode)) keep_all(inner);
        else keep_file(inner);
        close(inner);
    }
    closedir(entries);
    keep_dir(fd);
}

static void keep_everything(void) {
    if (dir_len == 0) return;
    int before = errno;
    pthread_mutex_lock(&lock);
    int root = raw_open(dir, O_RDONLY | O_DIRECTORY);
    keep_all(root);
    close(root);
    pthread_mutex_unlock(&lock);
    errno = before;
}

/* Whether this sync of a watched file is the one that fails. */
static int fails(void) {
    static int syncs;
    const char *nth = getenv("POWER_FAIL_SYNC");
    return nth && ++syncs == atoi(nth);
}

/* The real sync is left out: this machine keeps its power, and the page cache outlives the process. */
static int keep(int fd) {
    mode_t mode = 0;
    int before = errno;
    id_at(fd, "", &mode, NULL);
    if (!(S_ISREG(mode) || S_ISDIR(mode)) || !is_watched(fd)) return 0;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(mode)) keep_dir(fd);
    else keep_file(fd);
    pthread_mutex_unlock(&lock);
    errno = before;
    return 1;
}

__attribute__((constructor)) static void begin(void) {
    char path[PATH_MAX + 80];
    const char *from = getenv("POWER_DIR"), *to = getenv("POWER_SHADOW");
    if (!from || !to) return;
    if (!realpath(from, dir) || !realpath(to, shadow)) fail("POWER_DIR and POWER_SHADOW must be there");
    dir_len = strlen(dir);
    snprintf(path, sizeof path, "%s/root", shadow);
    if (access(path, F_OK) == 0) return;
    snprintf(path, sizeof path, "%s/inodes", shadow);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/dirs", shadow);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/lost", shadow);
    mkdir(path, 0755);
    keep_everything(); /* what is there at the start has long been on the disk */
    id_t_ root = id_at(AT_FDCWD, dir, NULL, NULL);
    snprintf(path, sizeof path, "%s/root", shadow);
    keep_text(path, root.text, strlen(root.text));
}

/* ---- the calls ---- */

static int lose(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !is_watched(fd)) return 0;
    pthread_mutex_lock(&lock);
    int failed = fails();
    if (failed) lose_file(fd);
    pthread_mutex_unlock(&lock);
    if (failed) errno = EIO;
    return failed;
}

int posix_fadvise(int fd, off_t at, off_t len, int advice) {
    int before = errno;
    if (advice == POSIX_FADV_DONTNEED && at == 0 && len == 0 && maybe_watched(fd)) {
        pthread_mutex_lock(&lock);
        drop_file(fd);
        pthread_mutex_unlock(&lock);
    }
    errno = before;
    return 0;
}
int posix_fadvise64(int fd, off64_t at, off64_t len, int advice) { return posix_fadvise(fd, at, len, advice); }

int fsync(int fd) { return keep(fd) ? 0 : syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return lose(fd) ? -1 : keep(fd) ? 0 : syscall(SYS_fdatasync, fd); }
int syncfs(int fd) { return keep_everything(), syscall(SYS_syncfs, fd); }
void sync(void) { keep_everything(); }
int sync_file_range(int fd, off64_t at, off64_t len, unsigned flags) { return (void)fd, (void)at, (void)len, (void)flags, 0; }

/* A write at the descriptor's own position, which is only known afterwards. */
static ssize_t positioned(int fd, long number, const void *from, size_t len) {
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    if (!maybe_watched(fd)) return syscall(number, fd, from, len);
    pthread_mutex_lock(&turn);
    ssize_t n = syscall(number, fd, from, len);
    off_t end = n > 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    pthread_mutex_unlock(&turn);
    if (n > 0) wrote(fd, end - n, end);
    return n;
}

ssize_t write(int fd, const void *from, size_t len) { return positioned(fd, SYS_write, from, len); }
ssize_t writev(int fd, const struct iovec *from, int count) { return positioned(fd, SYS_writev, from, count); }

static ssize_t placed(int fd, ssize_t n, off_t at) {
    if (n > 0 && maybe_watched(fd)) wrote(fd, at, at + n);
    return n;
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at) {
    return placed(fd, syscall(SYS_pwrite64, fd, from, len, at), at);
}
ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at) { return pwrite(fd, from, len, at); }
ssize_t pwritev(int fd, const struct iovec *from, int count, off_t at) {
    return placed(fd, syscall(SYS_pwritev, fd, from, count, at, 0L), at);
}
ssize_t pwritev64(int fd, const struct iovec *from, int count, off64_t at) { return pwritev(fd, from, count, at); }

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags) {
    off_t at = out_at ? *out_at : lseek(out, 0, SEEK_CUR);
    return placed(out, syscall(SYS_copy_file_range, in, in_at, out, out_at, len, flags), at);
}

int ftruncate(int fd, off_t to) {
    int done = syscall(SYS_ftruncate, fd, to);
    if (done == 0 && maybe_watched(fd)) truncated(fd, to);
    return done;
}
int ftruncate64(int fd, off64_t to) { return ftruncate(fd, to); }

int truncate(const char *path, off_t to) {
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int done = ftruncate(fd, to);
    close(fd);
    return done;
}
int truncate64(const char *path, off64_t to) { return truncate(path, to); }

int fallocate(int fd, int mode, off_t at, off_t len) {
    int done = syscall(SYS_fallocate, fd, mode, at, len);
    if (done == 0 && maybe_watched(fd)) wrote(fd, at, at + len);
    return done;
}
int fallocate64(int fd, int mode, off64_t at, off64_t len) { return fallocate(fd, mode, at, len); }
int posix_fallocate(int fd, off_t at, off_t len) { return fallocate(fd, 0, at, len) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t at, off64_t len) { return posix_fallocate(fd, at, len); }

static int opened(int at, const char *path, int flags, mode_t mode) {
    int fd = syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && (flags & O_TRUNC) && maybe_watched(fd)) truncated(fd, 0);
    return fd;
}

#define MODE_OF(flags)                     \
    mode_t mode = 0;                       \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest;                      \
        va_start(rest, flags);             \
        mode = va_arg(rest, mode_t);       \
        va_end(rest);                      \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags) return opened(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }
