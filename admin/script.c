/* script.c - whether a program that may be executed can be: the #! line of a script, and what that names */
/*
 * The line is cut as the kernel cuts it (fs/binfmt_script.c): a name, and behind it at most one argument, which is all
 * the rest. A CR before the LF belongs to whichever of them stands last.
 */
#include "admin/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { INTERPRETERS_MAX = 5 }; /* that the kernel follows */

static const char blanks[] = " \t";

/* Reads the beginning of a file, with a NUL behind it. Returns its length, or -1. */
static ssize_t read_beginning(const char *path, char text[SCRIPT_LINE + 1])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, text, SCRIPT_LINE);
    (void)close(fd); /* only read */
    if (n >= 0)
        text[n] = '\0';
    return n;
}

/* Every format that the kernel may know has bytes that no text has. */
static bool is_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' && strchr("\t\n\r\f\v\b\033", text[i]) == NULL)
            return false;
    return len == 0 || text[0] != '\0';
}

static void set(struct script *script, enum script_fault fault, const char *name)
{
    script->fault = fault;
    (void)snprintf(script->name, sizeof script->name, "%s", name); /* it comes from a line of that size */
}

/* Cuts the line at its end and behind the name; `argument` is empty if there is none. False if it is no good. */
static bool cut_line(struct script *script, char *line, char **name, char **argument)
{
    char *end = strchr(line, '\n');
    size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
    bool cut = end == NULL && len == SCRIPT_LINE - 2;

    while (len > 0 && strchr(blanks, line[len - 1]) != NULL)
        len--;
    line[len] = '\0';
    *name = line + strspn(line, blanks);
    if (cut && strpbrk(*name, blanks) == NULL) {
        set(script, SCRIPT_LONG, "");
        return false;
    }
    if (len > 0 && line[len - 1] == '\r') {
        set(script, SCRIPT_CR, "");
        return false;
    }
    *argument = *name + strcspn(*name, blanks);
    if (**argument != '\0')
        *(*argument)++ = '\0';
    *argument += strspn(*argument, blanks);
    if (**name == '\0')
        set(script, SCRIPT_EMPTY, "");
    else if (**name != '/')
        set(script, SCRIPT_RELATIVE, *name);
    return script->fault == SCRIPT_FINE;
}

/* The program among the words of env -S: behind its options and assignments. Empty if that is not plain to see. */
static const char *program_of_words(char *words)
{
    char *rest = NULL, *word = strtok_r(words, blanks, &rest);

    while (word != NULL && strchr(word, '=') != NULL && strncmp(word, "PATH=", 5) != 0)
        word = strtok_r(NULL, blanks, &rest);
    return word == NULL || strpbrk(word, "-=\\$\"'") == word || strpbrk(word, "=\\$\"'") != NULL ? "" : word;
}

/* What env(1) would make of its one argument. */
static void check_env(struct script *script, char *argument, int (*test)(const char *name))
{
    static const char splits[][17] = { "-S", "-vS", "--split-string=" };
    const char *program = argument[0] == '-' ? "" : argument;

    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++)
        if (strncmp(argument, splits[i], strlen(splits[i])) == 0)
            program = program_of_words(argument + strlen(splits[i]));
    if (argument[0] == '\0')
        set(script, SCRIPT_ENV_EMPTY, "");
    else if (strpbrk(program, blanks) != NULL)
        set(script, SCRIPT_ENV_BLANKS, program);
    else if (program[0] != '\0' && strchr(program, '=') == NULL && (script->error = test(program)) != 0)
        set(script, SCRIPT_ENV_CANNOT, program);
}

static bool is_env(const char *name)
{
    return strcmp(strrchr(name, '/') + 1, "env") == 0;
}

void script_check(struct script *script, const char *path, bool by_shell, int (*test)(const char *name))
{
    char line[SCRIPT_LINE + 1], next[SCRIPT_LINE], *name, *argument;

    *script = (struct script){ .fault = SCRIPT_FINE };
    for (int i = 0; i <= INTERPRETERS_MAX; i++) {
        ssize_t n = read_beginning(path, line);

        if (n >= 0 && (n < 2 || memcmp(line, "#!", 2) != 0) && !by_shell && is_text(line, (size_t)n))
            set(script, SCRIPT_NEITHER, i > 0 ? path : "");
        if (n < 2 || memcmp(line, "#!", 2) != 0 || !cut_line(script, line + 2, &name, &argument))
            return;
        if ((script->error = test(name)) != 0) {
            set(script, SCRIPT_CANNOT, name);
            return;
        }
        if (is_env(name)) {
            check_env(script, argument, test);
            return;
        }
        path = memcpy(next, name, strlen(name) + 1); /* it was in a line of that size */
        by_shell = false;          /* the kernel goes on */
    }
    script->error = ELOOP;
    set(script, SCRIPT_CANNOT, next);
}

/* ---- for people -------------------------------------------------------------------------- */

/* ENOTSUP: see access.c. */
static const char *reason_of(int error)
{
    return error == ENOTSUP ? "it is on a file system that is mounted noexec" : strerror(error);
}

void script_explain(const struct script *script, char *out, size_t size)
{
    static const char *const texts[] = {
        [SCRIPT_FINE] = "",
        [SCRIPT_CR] = "its #! line ends in CR LF, and the CR is taken for a part of what it names",
        [SCRIPT_EMPTY] = "its #! line names no interpreter",
        [SCRIPT_LONG] = "its #! line is longer than what the kernel reads of it",
        [SCRIPT_RELATIVE] = "its #! line has no full path: ",
        [SCRIPT_CANNOT] = "its #! line leads to ",
        [SCRIPT_ENV_EMPTY] = "its #! line gives env no program",
        [SCRIPT_ENV_BLANKS] = "its #! line gives env one word with blanks in it: ",
        [SCRIPT_ENV_CANNOT] = "its #! line lets env look for ",
        [SCRIPT_NEITHER] = "it has no #! line, and is no other program",
    };
    bool reason = script->fault == SCRIPT_CANNOT || script->fault == SCRIPT_ENV_CANNOT;
    char shown[LOG_TEXT];

    (void)snprintf(out, size, "%s%s%s%s", texts[script->fault],
                   log_encode(shown, sizeof shown, slice_of(script->name)), reason ? ": " : "",
                   reason ? reason_of(script->error) : "");
}

void script_advise(const struct script *script, const char *path, char *out, size_t size)
{
    static const char first[] = "write as its first line: ";
    char shown[LOG_TEXT];
    const char *name = log_encode(shown, sizeof shown, slice_of(script->name));

    switch (script->fault) {
    case SCRIPT_CR:
        (void)snprintf(out, size, "run: sed -i 's/\\r$//' %s", path);
        break;
    case SCRIPT_RELATIVE:
        (void)snprintf(out, size, "%s#!, and the full path of %s", first, name);
        break;
    case SCRIPT_CANNOT:
    case SCRIPT_ENV_CANNOT:
        if (script->error == ENOENT)
            (void)snprintf(out, size, "install %s, or %s#!, and the full path of what runs it", name, first);
        else
            (void)snprintf(out, size, "see: ls -lL %s", name);
        break;
    case SCRIPT_ENV_BLANKS:
        (void)snprintf(out, size, "%s#!/usr/bin/env -S %s", first, name);
        break;
    case SCRIPT_FINE:
    case SCRIPT_EMPTY:
    case SCRIPT_LONG:
    case SCRIPT_ENV_EMPTY:
    case SCRIPT_NEITHER:
        (void)snprintf(out, size, "%s#!/bin/sh, or the full path of what else runs it", first);
        break;
    }
}
