/* shell.c - unit tests of shell.h: which commands a shell's text has, what is around them, and how it can end */
#include "admin/shell.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/*
 * Each command as its words, with commas between them, and behind it: > it writes to a file, | into a pipe, $ it is
 * substituted, & in the background, @ has words that are not known, ? is judged, ! its status may be that of all. At
 * the end 0, if the text ends with that in any case.
 */
static const struct {
    const char *text, *commands;
} texts[] = {
    { "a b  c", "a,b,c!" },
    { "", " 0" },
    { "a; b", "a b!" },
    { "a && b", "a! b!" },
    { "a && b || exit 75", "a b exit,75!" },
    { "a || exit 75\nb", "a exit,75 b!" },
    { "a | b", "a| b!" },
    { "a | b || c", "a| b c!" },
    { "X=1 Y='a b' a Z=2", "a,Z=2!" },
    { "a 'b c' \"d e\" f'g h'", "a,b c,d e,f'g h'!" },
    { "a <(b) c | d", "a,<(b),c| b d!" },
    { "(a; b)", "a b!" },
    { "# a\nb # c", "b!" },
    { "a#b", "a#b!" },
    { "a \\\n b", "a,b!" },
    { "a ')' \"(\" \\; b", "a,),(,\\;,b!" },
    { "a $((1 + (2))) ${b:-c d} \"${e#'}\"", "a,$((1 + (2))),c,d,${e#'}!" },
    { "a $'it\\'s' b", "a,$'it\\'s',b!" },
    { "x=(a 'b)' # c)\n d) e", "e!" },
    { "((x > 1)) && a", "((x > 1))! a!" },
    { "time a", "a!" },
    /* redirections */
    { "a >b 2>&1 c", "a,c>!" },
    { "a 2>b", "a!" },
    { "a >/dev/null", "a!" },
    { "a >>b </dev/stdin", "a>!" },
    { "a &>b || c; d", "a> c d!" },
    { ">b a", "a>!" },
    { "{ a; b | c; } >d", "a> b| c>!" },
    { "exec >d; a; b | c; exec >&2; e", "exec> a> b| c> exec e!" },
    { "exec >d; x=$(a)", "exec> a$!" },
    /* here-documents */
    { "a <<X\nb\nX\nc", "a c!" },
    { "a <<-'X'\nb\n\tX\nc", "a c!" },
    { "a <<\\X\nit's\nX\nb", "a b!" },
    { "a <<X <<\"Y\" | b\nit's\nX\nY X\nY\nc", "a| b c!" },
    { "a <<<b c", "a,c!" },
    { "a <<X\nb", "a!" },
    /* substitutions */
    { "x=$(a b) || exit 75", "a,b$ exit,75!" },
    { "x=`a`", "a$!" },
    { "a \"$(b \"c d\")\"", "a,\"$(b \"c d\")\"! b,c d$" },
    { "a \"`b \"c\"`\" d", "a,\"`b \"c\"`\",d! b,c$" },
    { "a ${x:-$(b '}')} c", "a,${x:-$(b '}')},c@! b,}$" },
    { "local x=$(a)", "local,x=$(a)! a$ 0" },
    /* compound commands */
    { "if a; then b; fi", "a? b!" },
    { "if a; then b; elif c; then d; else e; fi", "a? b! c? d! e!" },
    { "while a; do b; done", "a? b!" },
    { "for i in a b; do c; done", "c!" },
    { "for i do c; done", "c!" },
    { "for ((i = 0; i < 3; i++)); do c; done", "c!" },
    { "case $1 in a | b) c ;; esac", "c!" },
    { "case $1\nin\na | b)\nc\n;;\nesac", "c!" },
    { "case $1 in (a|b) c ;; (d) e | f ;& 'g h' | i)\nj;; esac", "c! e| f! j!" },
    { "case $1 in a) case $2 in b) c;; d) e; esac ;; f) g ;; esac | h", "c e g h!" },
    { "(case $1 in a | b) c ;; esac; d)", "c d!" },
    { "case $1 in esac; a | b", "a| b!" },
    { "echo case x in a | b", "echo,case,x,in,a| b!" },
    { "[[ $x =~ ^(a|b)$ && c < d\n]] || e\nf", "[[,$x,=~,^(a|b)$,&&,c,<,d,]] e f!" },
    { "[[ a ]]; (b)", "[[,a,]] b!" },
    { "! a", "a" },
    { "a | grep b", "a|? grep,b!" },
    /* who looks at a status */
    { "a; case $? in 0) ;; *) exit 75;; esac", "a exit,75!" },
    { "a\nr=$?\nexit $r", "a exit,$r@!" },
    { "a\nif [ $? = 0 ]; then b; fi", "a [,$?,=,0,]? b!" },
    { "a\nexit $?", "a! exit,$?!" },
    { "a\nexit", "a! exit!" },
    { "a && exit 0; exit 75", "a exit,0 exit,75!" },
    { "if ! a; then exit 75; fi", "a? exit,75!" },
    { "a || { b; exit 75; }", "a b exit,75!" },
    { "set -e\na && b\nc", "set,-e a b! c!" },
    { "set -euo pipefail\na | b\nc", "set,-euo,pipefail a! b! c!" },
    { "set -o errexit\na\nset +e\nb\nc", "set,-o,errexit a! set,+e! b c!" },
    { "#!/bin/sh -e\na\nb", "a! b!" },
    { "set -e\nif a; then b; fi\nc", "set,-e a? b! c!" },
    { "set -e\na || b\nc", "set,-e a b! c!" },
    { "a | b; c ${PIPESTATUS[0]}", "a b c,${PIPESTATUS[0]}@!" },
    { "set -e\ntrap 'exit 75' EXIT\na", "set,-e trap,exit 75,EXIT a" },
    { "trap 'rm x' EXIT\na", "trap,rm x,EXIT a!" },
    { "a &", "a& 0" },
    { "{ a; b; } & wait", "a& b& wait!" },
    /* functions */
    { "f() { a; }\nf", "a! f!" },
    { "f () ( a )\nf || exit 75", "a f exit,75!" },
    { "function f { a; }; x=$(f)", "a$! f$!" },
    { "f() { a; }; b", "b!" },
    { "f() {\na\n} 2>&1\nif true; then f; fi", "a! true? f!" },
    { "f() { a; }; g() { f; }; g >x", "a>! f>! g>!" },
    { "f() { a; exit 75; }; b || f", "a exit,75! b f!" },
    /* variables */
    { "A=/x/a B='b c'\n$A $B \"$B\" ${A}", "/x/a,b,c,b c,/x/a!" },
    { "A=a; A=b; $A", "$A@!" },
    { "A=$(b); c $A \"$A\"", "b$ c,$A,$A@!" },
    { "${A:-a} \"$@\"", "a,$@@!" },
    { "a $1 $b", "a,$1,$b!" },
    { "A=(a); $A", "$A@!" },
    { "for A in a; do $A; done", "$A@!" },
    { "read A; A=$A a; b $A", "read,A a b,$A@!" },
    /* how it can end */
    { "a || true", "a true! 0" },
    { "a || exit 1", "a exit,1!" },
    { "a; exit 0", "a exit,0! 0" },
    { "a; echo b >>c", "a echo,b>!" },
    { "a; rm -f b", "a rm,-f,b! 0" },
    { "a; rm -rf \"$b\"", "a rm,-rf,$b! 0" },
    { "a; rm b", "a rm,b!" },
    { "a && rm -f b", "a! rm,-f,b!" },
    { "a; b=$?; rm -f c; exit $b", "a rm,-f,c exit,$b@!" },
    { "a; rm -f b; exit", "a rm,-f,b! exit! 0" },
    { "a & exit", "a& exit! 0" },
    { "a || { echo b; exit; }", "a echo,b! exit! 0" },
    { "a || exit", "a exit!" },
    { "set -e; a; :; exit", "set,-e a! :! exit!" },
    { "f() { a; return; }; f", "a! return! f!" },
    { "a; logger b", "a logger,b! 0" },
    { "a || exit 75; logger b", "a exit,75 logger,b!" },
    { "set -e; a; logger b", "set,-e a! logger,b!" },
    { "if a; then logger b; else exit 75; fi", "a? logger,b! exit,75!" },
    { "if a; then echo b; else echo c; fi", "a? echo,b! echo,c! 0" },
    { "if a; then echo b; elif c; then d; fi", "a? echo,b! c? d!" },
    { "if ! a; then echo b; fi", "a? echo,b! 0" },
    { "! a || :", "a :! 0" },
    { "set -e; a; :", "set,-e a! :!" },
    { "case $1 in a) :;; *) exit 75;; esac", ":! exit,75!" },
    { "case $1 in a) :;; esac", ":! 0" },
    { "while a; do b; done; :", "a? b :! 0" },
    { "while a; do b || exit 75; done; :", "a? b exit,75 :!" },
    { "f() { return 1; }; f", "return,1! f!" },
    { "f() { exit 1; }; a || f; :", "exit,1 a f :!" },
    { "f() { return 0; }; a || f", "return,0! a f! 0" },
    { "(exit 75)", "exit,75!" },
    { "a | :", "a| :! 0" },
    { "exec a", "exec,a!" },
    { "a; . b; exit 0", "a .,b exit,0!" },
    { "trap 'rm x; exit 0' EXIT; a", "trap,rm x; exit 0,EXIT a 0" },
    { "trap 'exit 75' EXIT; a; :", "trap,exit 75,EXIT a :" },
    { "trap 'exit 75' ERR; a; :", "trap,exit 75,ERR a :" },
    { "trap 'b; f 1' EXIT; f() { exit 75; }; a; :", "trap,b; f 1,EXIT a :" },
    { "trap b ERR; a; :", "trap,b,ERR a :! 0" },
    { "kill -9 $$; :", "kill,-9,$$ :!" },
    { "#!/bin/sh -ue\na; :", "a! :!" },
    { "#!/bin/sh -u\na; :", "a :! 0" },
    { "g() { f; }; f() { a; }; b", "b!" },
    { "function f() { a; }; f; b", "a f b!" },
    { "function f { a; }\nb", "b!" },
    { "f() { a; }; g() { f; }; set -e; if g; then exit 75; fi; b", "a? f? set,-e g? exit,75! b!" },
    /* what is not understood is not judged */
    { "a 'b", "" },
    { "a \"b", "" },
    { "a $(b", "" },
    { "a $(((((((((((", "" },
    { "a; fi", "" },
    { "a; }", "" },
    { "a )", "" },
    { "if a; then b", "" },
    { "a !(b)", "" },
    { "a $((b) | (c))", "" },
    { "a |", "a|" },
    { "coproc a", "" },
    { "((((((((((((((((((((((((((((((((((((((((((a", "" },
};

static char found[512];

static void note(void *context, const struct shell_command *command)
{
    size_t used = strlen(found);

    (void)context;
    for (size_t i = 0; i < command->count; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%.*s", i > 0 ? "," : used > 0 ? " " : "",
                                 (int)command->words[i].len, command->words[i].text);
    (void)snprintf(found + used, sizeof found - used, "%s%s%s%s%s%s%s", command->to_file ? ">" : "",
                   command->piped ? "|" : "", command->substituted ? "$" : "", command->background ? "&" : "", command->open ? "@" : "",
                   command->judged ? "?" : "", command->decides ? "!" : "");
}

/* More functions than are noted might be any command: nothing is said of them. */
static void test_many(size_t count, const char *commands)
{
    static char text[8192];
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "f%zu() { :; }\n", i);
    (void)snprintf(text + used, sizeof text - used, "f%zu", count - 1);
    found[0] = '\0';
    (void)shell_each(slice_of(text), note, NULL);
    ok_text(slice_of(found), slice_of(commands), "the commands of a text with %zu functions", count);
}

void test_shell(void)
{
    test_many(256, ":! f255!");
    test_many(257, "");
    for (size_t i = 0; i < COUNT(texts); i++) {
        found[0] = '\0';
        if (shell_each(slice_of(texts[i].text), note, NULL) == SHELL_ALWAYS_0)
            (void)strcat(found, " 0");
        ok_text(slice_of(found), slice_of(texts[i].commands), "the commands of '%s'", show(slice_of(texts[i].text)));
    }
}
