/* Makes every file that a program has written durable when it closes it: the file first, then the folder with its name.
 *
 * Loaded before the C library (LD_PRELOAD) into a program that makes nothing durable by itself, so that it can be
 * measured beside those that do.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int is_done, const char *what)
{
    if (!is_done) {
        perror(what);
        abort(); /* a figure of a run in which something was not durable would be wrong */
    }
}

static void synchronise(FILE *file)
{
    int descriptor = fileno(file), folder;
    char link[64], path[PATH_MAX];
    struct stat there;
    ssize_t length;

    if (fstat(descriptor, &there) != 0 || !S_ISREG(there.st_mode) ||
        (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return;
    must(fflush(file) == 0 && fsync(descriptor) == 0, "the file");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    must(length > 0, "its path");
    path[length] = '\0';
    folder = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(folder >= 0 && fsync(folder) == 0, "its folder");
    close(folder);
}

int fclose(FILE *file)
{
    static int (*close_file)(FILE *);

    if (!close_file)
        *(void **)&close_file = dlsym(RTLD_NEXT, "fclose");
    synchronise(file);
    return close_file(file);
}
