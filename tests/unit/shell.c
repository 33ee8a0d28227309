/* shell.c - unit tests of shell.h: which commands a shell's text has, and what is around them */
#include "admin/shell.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/*
 * Each command as its words, with commas between them, and behind it: > it writes to a file, | into a pipe, $ it is
 * substituted, ? somebody looks at its status, ! its status may be that of all.
 */
static const struct {
    const char *text, *commands;
} texts[] = {
    { "a b  c", "a,b,c!" },
    { "", "" },
    { "a; b", "a b!" },
    { "a && b", "a! b!" },
    { "a && b || exit 75", "a? b? exit,75!" },
    { "a || exit 75\nb", "a? exit,75 b!" },
    { "a | b", "a| b!" },
    { "a | b || c", "a|? b? c!" },
    { "a; case $? in 0) ;; *) exit 75;; esac", "a? exit,75!" },
    { "a\nr=$?\nexit $r", "a? exit,$r!" },
    { "if a; then b; fi", "a? b!" },
    { "! a", "a?" },
    { "X=1 Y='a b' a Z=2", "a,Z=2!" },
    { "a 'b c' \"d e\" f'g h'", "a,b c,d e,f'g h'!" },
    { "a >b 2>&1 c", "a,c>!" },
    { "a 2>b", "a!" },
    { "a >/dev/null", "a!" },
    { "a >>b </dev/stdin", "a>!" },
    { "x=$(a b) || exit 75", "a,b$? exit,75!" },
    { "x=`a`", "a$!" },
    { "a \"$(b \"c d\")\"", "b,c d$! a,\"$(b \"c d\")\"!" },
    { "a $((1 + 2)) ${b:-c d}", "a,$((1 + 2)),${b:-c d}!" },
    { "(a; b)", "a! b!" },
    { "a <<X\nb\nX\nc", "a c!" },
    { "a <<-'X'\nb\n\tX\nc", "a c!" },
    { "# a\nb # c", "b!" },
    { "f() { a; }\nf", "a f!" },
    { "case $1 in a | b) c ;; esac", "c!" },
    { "case $1 in (a|b) c ;; (d) e | f ;& 'g h' | i)\nj;; esac", "c e| f j!" },
    { "case $1 in a) case $2 in b) c;; d) e; esac ;; f) g ;; esac | h", "c e g h!" },
    { "(case $1 in a | b) c ;; esac; d)", "c! d!" },
    { "case $1 in\na | b)\nc\n;;\nesac", "c!" },
    { "case $1 in esac; a | b", "a| b!" },
    { "echo case x in a | b", "echo,case,x,in,a| b!" },
    { "[[ $x =~ ^(a|b)$ && c < d ]] || e\nf", "[[,$x,=~,^,a,b,$,c,d,]]? e f!" },
    { "a &>b || c; d", "a>? c d!" },
    { "a <(b) c | d", "b! a,c| d!" },
    { "a <<\\X\nit's\nX\nb", "a b!" },
    { "a && exit 0; exit 75", "a exit,0 exit,75!" },
    { "set -e\na && b\nc", "set,-e! a b! c!" },
    { "set -e\ntrap 'exit 75' EXIT\na", "set,-e trap,exit 75,EXIT a" },
    { "set -e\na\nb", "set,-e! a! b!" },
    { "a \\\n b", "a,b!" },
    { "a ')' \"(\" \\; b", "a,),(,\\;,b!" },
    { "a 'b", "a,'b!" },
    { "a $(b", "b$! a!" },
    { "a $(((((((((((", "a,$(((((((((((!" },
};

static char found[512];

static void note(void *context, const struct shell_command *command)
{
    size_t used = strlen(found);

    (void)context;
    for (size_t i = 0; i < command->count; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%.*s", i > 0 ? "," : used > 0 ? " " : "",
                                 (int)command->words[i].len, command->words[i].text);
    (void)snprintf(found + used, sizeof found - used, "%s%s%s%s%s", command->to_file ? ">" : "",
                   command->piped ? "|" : "", command->substituted ? "$" : "", command->guarded ? "?" : "",
                   command->decides ? "!" : "");
}

void test_shell(void)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        found[0] = '\0';
        shell_each(slice_of(texts[i].text), note, NULL);
        ok_text(slice_of(found), slice_of(texts[i].commands), "the commands of '%s'", show(slice_of(texts[i].text)));
    }
}
