/* shell_status.c - what becomes of the statuses of a shell's commands, and what its text can end with; pure */
/*
 * Nodes stand behind those that they are in, so all is computed without recursion: what is around a command from the
 * first node to the last, what it can end with from the last to the first. Functions stand before their calls, mostly:
 * that is done again until nothing changes, and this a few times. What is not known is taken for possible.
 */
#include <string.h>

#include "admin/shell_sight.h"

enum { ROUNDS = 4 };

/* How a node may end: with 0 or not, with the text going on or not. */
enum { GOES_ON = 1, FAILS = 2, EXITS = 4, EXITS_FAILING = 8, ANY = GOES_ON | FAILS, ALL = 15 };

/* ---- what is around a command ------------------------------------------------------------ */

/* Where a chain of commands ends that are joined by &&, || and |. */
static size_t end_of_chain(const struct reading *r, size_t node)
{
    while (r->tree.nodes[node].next != 0 && r->tree.nodes[node].joint > JOINT_BACKGROUND)
        node = r->tree.nodes[node].next;
    return node;
}

/* Is this all that a chain is, and does it hand on the status of the chain before it? */
static bool hands_on(const struct reading *r, size_t node)
{
    size_t name = reading_name(r, node), argument = name != 0 ? r->tree.words[name].next : 0;
    struct slice text = reading_bare(reading_word(r, argument));

    return (reading_is(r, node, "exit") || reading_is(r, node, "return")) &&
           r->tree.nodes[node].joint <= JOINT_BACKGROUND && (argument == 0 || slice_equal(text, slice_of("$?")));
}

/* Does a chain look at the status of the one before it? */
static bool asks(const struct reading *r, size_t first)
{
    const size_t end = end_of_chain(r, first);
    size_t n = first;

    while (n != end && !r->tree.nodes[n].asks)
        n = r->tree.nodes[n].next;
    return r->tree.nodes[n].asks;
}

/* What is around a list in it. */
static void look_at_list(struct reading *r, size_t list)
{
    const struct shell_node *l = &r->tree.nodes[list], *owner = &r->tree.nodes[l->parent];
    const struct sight *o = &r->sights[l->parent];
    struct sight *s = &r->sights[list];
    bool body = l->role == ROLE_BODY || l->role == ROLE_ELSE;

    s->tail = o->tail && (body || (l->role == ROLE_SUBSTITUTION && owner->kind == SHELL_SIMPLE && !owner->named));
    s->exempt = o->exempt || !body;
    s->substituted = o->substituted || l->role == ROLE_SUBSTITUTION;
    s->judged = o->judged || l->role == ROLE_CONDITION;
    s->background = o->background;
    s->called = o->called;
    s->feeder = l->role == ROLE_ASIDE ? l->parent : 0;
    s->to_file = (s->to_file && !owner->elsewhere) || o->to_file || owner->to_file;
    if (l->role == ROLE_SUBSTITUTION)
        s->to_file = s->judged = false;
}

/* A command calls a function: what is around it is around all calls of that. */
static bool note_call(struct reading *r, size_t node)
{
    const struct sight *s = &r->sights[node];
    struct sight *f = &r->sights[s->function], before = *f;

    f->tail = f->tail || s->tail;
    f->exempt = before.called ? before.exempt && s->exempt : s->exempt;
    f->substituted = f->substituted || s->substituted;
    f->judged = f->judged || s->judged;
    f->to_file = f->to_file || s->to_file || r->tree.nodes[node].to_file;
    f->called = true;
    return !before.called || f->tail != before.tail || f->exempt != before.exempt ||
           f->substituted != before.substituted || f->judged != before.judged || f->to_file != before.to_file;
}

/* The commands of one chain, the last of which is `end`. True: it changes what is known of a function. */
static bool look_at_chain(struct reading *r, size_t first, size_t end, const struct sight *list, bool last)
{
    const size_t next = r->tree.nodes[end].next;
    bool background = r->tree.nodes[end].joint == JOINT_BACKGROUND, changed = false;
    bool asked = next != 0 && !hands_on(r, next) && asks(r, next);
    bool tail = list->tail && !background && (last || (next != 0 && hands_on(r, next)));
    size_t ors = 0, before = 0;

    for (size_t n = first; n != end; n = r->tree.nodes[n].next)
        ors += r->tree.nodes[n].joint == JOINT_OR;
    for (size_t n = first;; n = r->tree.nodes[n].next) {
        const struct shell_node *node = &r->tree.nodes[n];
        struct sight *s = &r->sights[n];
        bool hidden = node->joint == JOINT_PIPE && !s->pipefail;

        if (node->kind != SHELL_FUNCTION) {
            s->substituted = list->substituted;
            s->judged = list->judged || (node->joint == JOINT_PIPE && reading_is(r, node->next, "grep"));
            s->background = list->background || background;
            s->called = list->called;
            s->feeder = before != 0 ? before : list->feeder;
            s->piped = hidden;
            s->to_file = (s->to_file || list->to_file) && !list->substituted && node->joint != JOINT_PIPE;
            s->tail = tail && ors == 0 && !asked && !node->negated && !hidden;
            s->exempt = list->exempt || node->negated || asked || background || (n != end && node->joint != JOINT_PIPE);
            s->decides = s->tail || (s->errexit && !s->exempt && !hidden && ors == 0);
        }
        if (s->function != 0 && list->called)
            changed = note_call(r, n) || changed;
        if (n == end)
            return changed;
        before = node->joint == JOINT_PIPE ? n : 0;
        ors -= node->joint == JOINT_OR;
    }
}

static bool look_once(struct reading *r)
{
    bool changed = false;

    for (size_t list = 0; list < r->tree.node_count; list++) {
        const struct shell_node *l = &r->tree.nodes[list];

        if (l->kind != SHELL_LIST)
            continue;
        if (list > 0)
            look_at_list(r, list);
        for (size_t n = l->first; n != 0;) {
            size_t end = end_of_chain(r, n);

            changed = look_at_chain(r, n, end, &r->sights[list], r->tree.nodes[end].next == 0) || changed;
            n = r->tree.nodes[end].next;
        }
    }
    return changed;
}

void status_look_around(struct reading *r)
{
    r->sights[0].tail = r->sights[0].called = true;
    while (look_once(r))
        ; /* what is known of a function changes in one direction only */
}

/* ---- what it can end with ---------------------------------------------------------------- */

/* As if it were in a process of its own. */
static unsigned as_status(unsigned ends)
{
    return (ends | ends >> 2) & ANY;
}

/* Two, the second of which is executed where the first one ends so. */
static unsigned followed(unsigned first, unsigned where, unsigned second)
{
    return (first & ~where) | ((first & where) != 0 ? second : 0);
}

static unsigned exit_of(const struct reading *r, size_t name)
{
    struct slice status = reading_bare(reading_word(r, r->tree.words[name].next));

    if (slice_equal(status, slice_of("0")))
        return EXITS;
    return status.len == 1 && status.text[0] >= '1' && status.text[0] <= '9' ? EXITS_FAILING : EXITS | EXITS_FAILING;
}

/* What it returns cannot be told from what it exits with. */
static unsigned ends_of_call(const struct reading *r, size_t function)
{
    unsigned ends = r->sights[r->tree.nodes[function].first].ends;

    return ends | as_status(ends);
}

/* Does it tidy up, or tell of what was done? That succeeds, and says nothing of what was done. */
static bool is_aside(const struct reading *r, size_t node, size_t name)
{
    const struct slice argument = reading_word(r, r->tree.words[name].next);

    if (reading_is(r, node, "rm"))
        return argument.len > 1 && argument.text[0] == '-' && memchr(argument.text, 'f', argument.len) != NULL;
    return reading_is(r, node, "logger");
}

static unsigned ends_of_simple(const struct reading *r, size_t node)
{
    static const char *const fine[] = { ":", "true", "echo", "printf", "set", "export", "local", "readonly", "declare",
                                        "typeset", "umask", "trap", "unset", "break", "continue" };
    const struct shell_node *n = &r->tree.nodes[node];
    size_t name = reading_name(r, node), function = r->sights[node].function;

    if (function != 0)
        return ends_of_call(r, function);
    if (n->to_file)
        return ANY;
    if (name == 0)
        return n->first != 0 ? ANY : GOES_ON;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (reading_is(r, node, fine[i]))
            return GOES_ON;
    if (is_aside(r, node, name))
        return GOES_ON;
    if (reading_is(r, node, "exit") || reading_is(r, node, "return"))
        return exit_of(r, name);
    if (reading_is(r, node, "exec"))
        return r->tree.words[name].next != 0 ? EXITS | EXITS_FAILING : GOES_ON;
    if (reading_is(r, node, "kill") && slice_equal(reading_word(r, n->last_word), slice_of("$$")))
        return EXITS_FAILING;
    return reading_is(r, node, "false") ? FAILS : ANY;
}

static unsigned ends_of_chain(const struct reading *r, size_t first, size_t end)
{
    unsigned ends = 0;
    enum shell_joint before = JOINT_END;

    if (r->tree.nodes[end].joint == JOINT_BACKGROUND)
        return GOES_ON;
    for (size_t n = first;; n = r->tree.nodes[n].next) {
        bool piped = r->tree.nodes[n].joint == JOINT_PIPE, negated = r->tree.nodes[n].negated;
        unsigned one = piped ? as_status(r->sights[n].ends) : r->sights[n].ends, failing = 0;

        while (r->tree.nodes[n].joint == JOINT_PIPE && n != end) {
            failing |= r->sights[n].pipefail ? as_status(r->sights[n].ends) & FAILS : 0;
            n = r->tree.nodes[n].next;
            one = as_status(r->sights[n].ends);
        }
        one |= failing;
        if (negated)
            one = (one & ~(unsigned)ANY) | ((one & GOES_ON) != 0 ? FAILS : 0U) | ((one & FAILS) != 0 ? GOES_ON : 0U);
        ends = before == JOINT_AND ? followed(ends, GOES_ON, one)
             : before == JOINT_OR  ? followed(ends, FAILS, one) : one;
        before = r->tree.nodes[n].joint;
        if (n == end)
            return ends;
    }
}

static unsigned ends_of_list(const struct reading *r, size_t list)
{
    unsigned ends = GOES_ON, before = 0;

    for (size_t n = r->tree.nodes[list].first; n != 0;) {
        size_t end = end_of_chain(r, n);
        unsigned one = ends_of_chain(r, n, end);

        if (before != 0 && hands_on(r, n))
            one = before << 2; /* it exits so */
        before = one & ANY;
        if (r->errexit && (one & FAILS) != 0)
            one |= EXITS_FAILING;
        ends = followed(ends, ANY, one);
        n = r->tree.nodes[end].next;
    }
    return ends;
}

/* Its conditions and bodies come by turns. */
static unsigned ends_of_if(const struct reading *r, size_t node)
{
    unsigned all = 0, condition = 0;
    bool reached = true;

    for (size_t list = r->tree.nodes[node].first; list != 0; list = r->tree.nodes[list].next) {
        const enum shell_role role = r->tree.nodes[list].role;
        unsigned one = r->sights[list].ends;

        if (role > ROLE_ELSE)
            continue;
        if (role == ROLE_CONDITION)
            condition = one;
        if (reached && (role == ROLE_ELSE || (role == ROLE_BODY && (condition & GOES_ON) != 0)))
            all |= one;
        if (reached && role == ROLE_CONDITION)
            all |= one & ~(unsigned)ANY;
        reached = reached && role != ROLE_ELSE && (role == ROLE_CONDITION || (condition & FAILS) != 0);
    }
    return reached ? all | GOES_ON : all;
}

/* Of a loop or case any of them, or none. */
static unsigned ends_of_any(const struct reading *r, size_t node)
{
    bool none = true;
    unsigned all = 0;

    for (size_t list = r->tree.nodes[node].first; list != 0; list = r->tree.nodes[list].next) {
        const struct shell_node *l = &r->tree.nodes[list];

        none = none && l->role != ROLE_ELSE;
        if (l->role == ROLE_BODY || l->role == ROLE_ELSE)
            all |= r->sights[list].ends;
        else if (l->role == ROLE_CONDITION)
            all |= r->sights[list].ends & ~(unsigned)ANY;
    }
    return none ? all | GOES_ON : all;
}

static unsigned ends_of(const struct reading *r, size_t node)
{
    const struct shell_node *n = &r->tree.nodes[node];

    switch (n->kind) {
    case SHELL_LIST: return ends_of_list(r, node);
    case SHELL_SIMPLE: return ends_of_simple(r, node);
    case SHELL_GROUP: return r->sights[n->first].ends;
    case SHELL_SUBSHELL: return as_status(r->sights[n->first].ends);
    case SHELL_IF: return ends_of_if(r, node);
    case SHELL_LOOP:
    case SHELL_CASE: return ends_of_any(r, node);
    case SHELL_FUNCTION: break;
    }
    return GOES_ON; /* it is only defined */
}

bool status_is_always_0(struct reading *r)
{
    for (size_t i = 0; i < r->tree.node_count; i++)
        r->sights[i].ends = ALL;
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = r->tree.node_count; i-- > 0;)
            r->sights[i].ends = ends_of(r, i);
    if (r->unclear || (r->trapped && !r->always_0))
        return false;
    return r->always_0 || as_status(r->sights[0].ends) == GOES_ON;
}
