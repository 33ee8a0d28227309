/* lmdb.c - asking a file of LMDB */
/*
 * Who reads is known to writers by the lock file, which has to be written for that. A place in it is taken for a
 * question and given back with the answer; those of processes that were killed meanwhile are given back when it is opened.
 */
#include "programs/lookup/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include <lmdb.h>

#include "base/library.h"

static struct {
    __typeof__(mdb_env_create) *create;
    __typeof__(mdb_env_open) *open;
    __typeof__(mdb_env_set_mapsize) *set_mapsize;
    __typeof__(mdb_env_info) *get_info;
    __typeof__(mdb_env_stat) *get_stat;
    __typeof__(mdb_reader_check) *check_readers;
    __typeof__(mdb_txn_begin) *begin;
    __typeof__(mdb_txn_commit) *commit;
    __typeof__(mdb_txn_abort) *abort;
    __typeof__(mdb_dbi_open) *open_database;
    __typeof__(mdb_dbi_flags) *get_flags;
    __typeof__(mdb_get) *get;
    __typeof__(mdb_strerror) *error;
} library;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(library.create, mdb_env_create),
    LIBRARY_FUNCTION(library.open, mdb_env_open),
    LIBRARY_FUNCTION(library.set_mapsize, mdb_env_set_mapsize),
    LIBRARY_FUNCTION(library.get_info, mdb_env_info),
    LIBRARY_FUNCTION(library.get_stat, mdb_env_stat),
    LIBRARY_FUNCTION(library.check_readers, mdb_reader_check),
    LIBRARY_FUNCTION(library.begin, mdb_txn_begin),
    LIBRARY_FUNCTION(library.commit, mdb_txn_commit),
    LIBRARY_FUNCTION(library.abort, mdb_txn_abort),
    LIBRARY_FUNCTION(library.open_database, mdb_dbi_open),
    LIBRARY_FUNCTION(library.get_flags, mdb_dbi_flags),
    LIBRARY_FUNCTION(library.get, mdb_get),
    LIBRARY_FUNCTION(library.error, mdb_strerror),
};

static MDB_env *environment;
static MDB_dbi database;
static char file[PATH_MAX]; /* in a directory it has a name of its own */

/* Begins to read. Who writes may have let the file grow. */
static int begin(MDB_txn **transaction)
{
    int error = library.begin(environment, NULL, MDB_RDONLY, transaction);

    if (error != MDB_MAP_RESIZED)
        return error;
    error = library.set_mapsize(environment, 0);
    return error != 0 ? error : library.begin(environment, NULL, MDB_RDONLY, transaction);
}

static int open_database(unsigned *flags)
{
    MDB_txn *transaction;
    int error = begin(&transaction);

    if (error != 0)
        return error;
    error = library.open_database(transaction, NULL, 0, &database);
    if (error == 0)
        error = library.get_flags(transaction, database, flags);
    if (error == 0)
        return library.commit(transaction);
    library.abort(transaction);
    return error;
}

/* A lock file that is missing is made, for those who may use the file or the directory. */
static int open_environment(const char *path, bool is_directory, mode_t mode)
{
    const unsigned flags = MDB_RDONLY | MDB_NOTLS | (is_directory ? 0 : MDB_NOSUBDIR);
    int error = library.create(&environment), dead;

    (void)umask(0); /* what it was does not matter: nothing else is made */
    if (error == 0)
        error = library.open(environment, path, flags, mode);
    return error != 0 ? error : library.check_readers(environment, &dead);
}

/*
 * Does it end within a page that is in use, as when it is being copied? The rest of that would be read as zeros, and keys not be
 * found; what is read behind it ends the process.
 */
static bool is_cut(void)
{
    MDB_envinfo info;
    MDB_stat form;
    struct stat status;

    if (library.get_info(environment, &info) != 0 || library.get_stat(environment, &form) != 0 || stat(file, &status) != 0)
        return true;
    return status.st_size % form.ms_psize != 0 && (size_t)status.st_size / form.ms_psize <= info.me_last_pgno;
}

static bool lmdb_open(const struct question *question, struct opened *opened, struct answer *answer)
{
    const char *why = library_load("liblmdb.so.0", functions, sizeof functions / sizeof functions[0]);
    unsigned flags = 0;
    struct stat info;
    int error;

    if (why != NULL)
        return source_fail(answer, "%s", why);
    error = stat(question->place, &info) != 0 ? errno : 0;
    if (error == 0)
        error = open_environment(question->place, S_ISDIR(info.st_mode), info.st_mode & 0666);
    if (error == 0)
        error = open_database(&flags);
    if (error != 0)
        return source_fail(answer, "%s: %s", question->place, library.error(error));
    if ((flags & MDB_DUPSORT) != 0)
        return source_fail(answer, "%s has several values for a key (MDB_DUPSORT)", question->place);
    (void)snprintf(file, sizeof file, "%s%s", question->place, S_ISDIR(info.st_mode) ? "/data.mdb" : "");
    opened->file = file;
    return source_confine(SANDBOX_FILE_TABLE, -1, answer);
}

/* Postfix's postmap(1) makes files where a NUL ends both keys and values. A key that no file can have is not found. */
static int find(MDB_txn *transaction, struct slice key, MDB_val *data)
{
    char bytes[SOCKETMAP_REQUEST + 1];
    MDB_val name = { key.len, bytes };
    int error;

    text_string(bytes, sizeof bytes, key);
    error = library.get(transaction, database, &name, data);
    if (error == MDB_NOTFOUND || error == MDB_BAD_VALSIZE) {
        name.mv_size++;
        error = library.get(transaction, database, &name, data);
    }
    return error == MDB_BAD_VALSIZE ? MDB_NOTFOUND : error;
}

/* What is found lies in the file, and only until the end of the transaction. */
static void take(const MDB_val *data, struct answer *answer)
{
    static char value[SOCKETMAP_VALUE + 1];
    struct text copy = { value, sizeof value, 0 };
    struct slice found = { data->mv_data, data->mv_size };

    if (found.len > 0 && found.text[found.len - 1] == '\0')
        found.len--;
    text_put(&copy, found);
    source_found(answer, text_slice(&copy));
}

static bool lmdb_ask(struct slice key, struct answer *answer)
{
    MDB_txn *transaction;
    MDB_val data;
    int error = begin(&transaction);

    if (error != 0)
        return source_fail(answer, "%s", library.error(error));
    error = find(transaction, key, &data);
    if (error == 0)
        take(&data, answer);
    else if (error == MDB_NOTFOUND)
        *answer = (struct answer){ .kind = ANSWER_NOT_FOUND };
    else
        (void)source_fail(answer, "%s", library.error(error));
    if (is_cut()) /* it may have been when it was read */
        (void)source_fail(answer, "%s ends within a page: it is not all there", file);
    library.abort(transaction);
    return error == 0 || error == MDB_NOTFOUND;
}

const struct source source_lmdb = {
    .scheme = "lmdb", .place = "PATH", .meaning = "a file or directory of LMDB, without QUERY", .open = lmdb_open, .ask = lmdb_ask,
};
