/* conf.c - fuzz target: a configuration file; what is good is printed and reads back the same */
#include "conf/conf.h"

#include "admin/check.h"
#include "base/log.h"
#include "fuzz.h"

static char *print(struct conf *conf)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    HOLDS(out != NULL);
    conf_print(conf, out);
    HOLDS(fclose(out) == 0);
    return text;
}

static void check_problems(const struct conf *conf)
{
    unsigned errors = 0, line = 0;

    for (const struct conf_problem *p = conf->problems; p != NULL; p = p->next) {
        HOLDS(p->line >= line && p->message[0] != '\0');
        HOLDS(p->line == 0 || (p->column > 0 && conf_problem_place(conf, p).column <= conf_problem_place(conf, p).text.len + 1));
        line = p->line;
        errors += p->severity == SEVERITY_ERROR;
    }
    HOLDS(errors == conf->errors);
}

static void check_again(struct conf *conf)
{
    char *printed = print(conf), *twice;
    struct conf again;

    conf_parse(&again, "printed.conf", slice_of(printed));
    HOLDS(again.errors == 0);
    twice = print(&again);
    HOLDS(strcmp(printed, twice) == 0);
    conf_free(&again);
    free(printed);
    free(twice);
}

void fuzz_conf(const uint8_t *data, size_t size)
{
    static FILE *null;
    struct conf conf;

    if (null == NULL)
        HOLDS(log_open("/dev/null") && (null = fopen("/dev/null", "w")) != NULL);
    conf_parse(&conf, "fuzz.conf", (struct slice){ (const char *)data, size });
    check_problems(&conf);
    if (conf.errors == 0) {
        check_again(&conf);
        check_conf(&conf);
        check_problems(&conf);
    }
    check_print(&conf, null, true);
    check_print_json(&conf, null, 0);
    conf_free(&conf);
}
