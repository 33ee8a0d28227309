/* memory.c - where the configuration lives: taken piece by piece, given back at once, known to no forked process */
#include "conf/parser.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "base/log.h"
#include "patterns/pattern.h"
#include "rules/index.h"

enum { MEMORY_CHUNK = 256 * 1024 };

/*
 * Memory that lives as long as the configuration. Of what is written there a session must know nothing, so no
 * forked process gets it; nor does a fork have to copy what leads to it.
 */
struct conf_memory {
    struct conf_memory *next;
    size_t used, size;
    char bytes[] __attribute__((aligned(8)));
};

static void add_chunk(struct conf *conf, size_t size)
{
    size_t wanted = sizeof(struct conf_memory) + size, chunk = wanted > MEMORY_CHUNK ? wanted : MEMORY_CHUNK;
    int all = wanted > MEMORY_CHUNK ? MAP_POPULATE : 0; /* for one large piece: its pages cost less at once */
    struct conf_memory *m = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | all, -1, 0);

    if (m == MAP_FAILED || madvise(m, chunk, MADV_DONTFORK) != 0) {
        log_line(LOG_ERR, "out of memory while reading %s", conf->path);
        exit(EX_OSERR);
    }
    m->next = conf->memory;
    m->size = chunk - sizeof *m;
    conf->memory = m;
}

void *memory_take(struct conf *conf, size_t size)
{
    void *piece;

    size = (size + 7) & ~(size_t)7;
    if (conf->memory == NULL || conf->memory->size - conf->memory->used < size)
        add_chunk(conf, size);
    piece = conf->memory->bytes + conf->memory->used;
    conf->memory->used += size;
    return piece;
}

bool memory_holds(const struct conf *conf, const char *byte)
{
    const struct conf_memory *m = conf->memory;

    while (m != NULL && (byte < m->bytes || byte >= m->bytes + m->used))
        m = m->next;
    return m != NULL;
}

void conf_share(const struct conf *conf)
{
    for (struct conf_memory *m = conf->memory; m != NULL; m = m->next)
        (void)madvise(m, sizeof *m + m->size, MADV_DOFORK); /* ours: cannot fail */
    patterns_share(true);
}

void conf_index(struct conf *conf)
{
    conf->rules.index = index_make(&conf->rules, memory_take(conf, index_size(&conf->rules)));
}

void conf_withhold(const struct conf *conf)
{
    for (struct conf_memory *m = conf->memory; m != NULL; m = m->next)
        (void)madvise(m, sizeof *m + m->size, MADV_DONTFORK); /* ours: cannot fail */
    patterns_share(false);
}

void conf_free(struct conf *conf)
{
    rules_free(&conf->rules);
    for (struct conf_memory *m = conf->memory, *next; m != NULL; m = next) {
        next = m->next;
        (void)munmap(m, sizeof *m + m->size); /* ours: cannot fail */
    }
    conf->memory = NULL;
}
