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
        HOLDS(p->line == 0 || (p->column > 0 && p->column <= conf_line(conf, p->line).len + 1));
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

static bool same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

/* What is parsed in two steps is the same as what is parsed in one. */
static void check_steps(const struct conf *conf, struct slice text)
{
    const struct conf_problem *p = conf->problems, *q;
    const struct rule *r = conf->rules.first_rule, *s;
    struct conf steps;

    conf_parse_settings(&steps, "fuzz.conf", text);
    conf_finish(&steps);
    q = steps.problems;
    s = steps.rules.first_rule;
    for (; p != NULL && q != NULL; p = p->next, q = q->next)
        HOLDS(p->line == q->line && p->column == q->column && p->severity == q->severity &&
              same_text(p->message, q->message) && same_text(p->advice, q->advice));
    HOLDS(p == NULL && q == NULL && conf->errors == steps.errors);
    for (; r != NULL && s != NULL; r = r->next, s = s->next)
        HOLDS(r->line == s->line && (r->group == NULL) == (s->group == NULL));
    HOLDS(r == NULL && s == NULL);
    conf_free(&steps);
}

void fuzz_conf(const uint8_t *data, size_t size)
{
    static FILE *null;
    struct conf conf;

    if (null == NULL)
        HOLDS(log_open("/dev/null") && (null = fopen("/dev/null", "w")) != NULL);
    conf_parse(&conf, "fuzz.conf", (struct slice){ (const char *)data, size });
    check_problems(&conf);
    check_steps(&conf, (struct slice){ (const char *)data, size });
    if (conf.errors == 0) {
        check_again(&conf);
        check_conf(&conf);
        check_problems(&conf);
    }
    check_print(&conf, null, true);
    check_print_json(&conf, null, 0);
    conf_free(&conf);
}
