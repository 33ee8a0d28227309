/* replay.c - gives every file of the corpus to its target: TAP, one test per file */
/*
 * usage: replay DIRECTORY...     The last part of a directory's name is that of its target.
 *
 * A broken promise aborts; the last line then says with which file.
 */
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static const struct {
    const char *name;
    fuzz_target *run;
} targets[] = {
    { "line", fuzz_line },       { "envelope", fuzz_envelope }, { "message", fuzz_message },
    { "header", fuzz_header },   { "chunk", fuzz_chunk },
    { "conf", fuzz_conf },       { "session", fuzz_session },
    { "monitor", fuzz_monitor }, { "sasl", fuzz_sasl },       { "starttls", fuzz_starttls },
    { "dns", fuzz_dns },         { "proxy", fuzz_proxy },       { "told", fuzz_told },
    { "report", fuzz_report },
    { "resolver", fuzz_resolver }, { "response", fuzz_response }, { "dialogue", fuzz_dialogue },
    { "policy", fuzz_policy }, { "table", fuzz_table },
    { "milter", fuzz_milter },
    { "milter_message", fuzz_milter_message },
    { "lookup", fuzz_lookup },   { "mailbox", fuzz_mailbox },
    { "shell", fuzz_shell },
};

static unsigned tests;

static void replay_file(fuzz_target *run, const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t size;
    uint8_t *copy;

    printf("# %s\n", path);
    fflush(stdout);
    if (file == NULL) {
        printf("not ok %u - %s cannot be read\n", ++tests, path);
        return;
    }
    size = fread(data, 1, sizeof data, file);
    (void)fclose(file);
    copy = malloc(size > 0 ? size : 1); /* exactly as long, so that sanitizers see a byte too far */
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    run(copy, size);
    free(copy);
    printf("ok %u - %s\n", ++tests, path);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_directory(const char *directory)
{
    char path[PATH_MAX], name[64] = "";
    size_t len = strlen(directory);
    struct dirent **entries;
    fuzz_target *run = NULL;
    int count = scandir(directory, &entries, is_visible, alphasort);
    const char *slash;

    while (len > 0 && directory[len - 1] == '/')
        len--;
    slash = memrchr(directory, '/', len);
    if (slash != NULL)
        (void)snprintf(name, sizeof name, "%.*s", (int)(len - (size_t)(slash + 1 - directory)), slash + 1);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(name, targets[i].name) == 0)
            run = targets[i].run;
    if (run == NULL || count <= 0) {
        printf("not ok %u - %s has no target, or no files\n", ++tests, directory);
        return;
    }
    for (int i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%.*s/%s", (int)len, directory, entries[i]->d_name);
        replay_file(run, path);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    (void)alarm(120); /* nothing here waits for anything that does not come */
    for (int i = 1; i < argc; i++)
        replay_directory(argv[i]);
    printf("1..%u\n", tests);
    return tests > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
